// What can be done with one message: copy its text, edit it, delete it.

import { ask } from "../dom/ask.js";
import { find } from "../dom/find.js";

/** @typedef {import("../net/frames.js").Message} Message */
/**
 * @typedef {object} MenuCalls
 * @property {(id: string) => Message | undefined} find
 * @property {(message: Message) => {edit: boolean, delete: boolean}} allowed
 * @property {(message: Message) => void} onEdit
 * @property {(message: Message, row: HTMLElement, byKey: boolean) => void} onDelete
 */

export class MessageMenu {
  #list = find("#messages", HTMLElement);
  #menu = find("#message-menu", HTMLElement);
  #calls;
  /** @type {HTMLElement | null} */
  #row = null;
  #byKey = false;

  /** @param {MenuCalls} calls */
  constructor(calls) {
    this.#calls = calls;
  }

  connect() {
    this.#list.addEventListener("click", this.#opened);
    this.#menu.addEventListener("click", this.#chosen);
    this.#menu.addEventListener("keydown", this.#pressed);
    this.#menu.addEventListener("toggle", this.#toggled);
  }

  disconnect() {
    this.#list.removeEventListener("click", this.#opened);
    this.#menu.removeEventListener("click", this.#chosen);
    this.#menu.removeEventListener("keydown", this.#pressed);
    this.#menu.removeEventListener("toggle", this.#toggled);
  }

  /** @param {HTMLElement} row a message whose menu is wanted, by the keyboard */
  open(row) {
    this.#byKey = true;
    this.#show(row);
  }

  /** @param {MouseEvent} event */
  #opened = (event) => {
    const row = event.target instanceof Element ? event.target.closest("[data-action='menu']")?.closest(".message") : null;
    if (!(row instanceof HTMLElement)) return;
    this.#byKey = event.detail === 0; // Enter or Space on the button
    this.#show(row);
  };

  /** @param {HTMLElement} row */
  #show(row) {
    const message = this.#calls.find(row.dataset.id ?? "");
    if (message === undefined || message.deletedAt) return;
    const allowed = this.#calls.allowed(message);
    find("[data-action='edit']", HTMLElement, this.#menu).hidden = !allowed.edit;
    find("[data-action='delete']", HTMLElement, this.#menu).hidden = !allowed.delete;
    this.#row = row;
    this.#menu.showPopover();
    this.#stand(find("[data-action='menu']", HTMLElement, row));
    find("button:not([hidden])", HTMLElement, this.#menu).focus();
  }

  /** @param {HTMLElement} button the menu opens below it, or above where there is no room */
  #stand(button) {
    const at = button.getBoundingClientRect();
    const { width, height } = this.#menu.getBoundingClientRect();
    const below = at.bottom + height + 8 < window.innerHeight;
    this.#menu.style.top = `${below ? at.bottom + 4 : at.top - height - 4}px`;
    this.#menu.style.left = `${Math.max(8, Math.min(at.right - width, window.innerWidth - width - 8))}px`;
  }

  #toggled = () => {
    const open = this.#menu.matches(":popover-open");
    this.#row?.querySelector("[data-action='menu']")?.setAttribute("aria-expanded", String(open));
  };

  /** @param {MouseEvent} event */
  #chosen = async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const row = this.#row;
    const message = row === null ? undefined : this.#calls.find(row.dataset.id ?? "");
    this.#menu.hidePopover();
    if (!(button instanceof HTMLElement) || row === null || message === undefined) return;
    const text = row.querySelector(".message__body")?.textContent ?? "";
    if (button.dataset.action === "copy") await navigator.clipboard?.writeText(message.text ?? text);
    if (button.dataset.action === "edit") this.#calls.onEdit(message);
    if (button.dataset.action !== "delete") return;
    find("#delete-quote", HTMLElement).textContent = text;
    if (await ask("#delete-dialog")) this.#calls.onDelete(message, row, this.#byKey);
  };

  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    const items = /** @type {HTMLElement[]} */ ([...this.#menu.querySelectorAll("button:not([hidden])")]);
    const index = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Tab") this.#menu.hidePopover(); // a menu is left, not walked through
    if (next === undefined) return;
    event.preventDefault();
    items.at(next % items.length)?.focus();
  };
}
