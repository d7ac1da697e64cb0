// What can be done with one message: copy its text, edit it, delete it.

import { ask } from "../dom/ask.js";
import { find } from "../dom/find.js";

/** @typedef {import("../net/frames.js").Message} Message */
/**
 * @typedef {object} MenuCalls
 * @property {(id: string) => Message | undefined} find
 * @property {(message: Message) => {edit: boolean, delete: boolean}} allowed
 * @property {(message: Message) => void} onEdit
 * @property {(message: Message) => void} onDelete
 */

export class MessageMenu {
  #list = find("#messages", HTMLElement);
  #menu = find("#message-menu", HTMLElement);
  #calls;
  /** @type {HTMLElement | null} */
  #row = null;

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

  /** @param {MouseEvent} event */
  #opened = (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-action='menu']") : null;
    const row = button?.closest(".message");
    if (!(button instanceof HTMLElement) || !(row instanceof HTMLElement)) return;
    const message = this.#calls.find(row.dataset.id ?? "");
    if (message === undefined) return;
    const allowed = this.#calls.allowed(message);
    find("[data-action='edit']", HTMLElement, this.#menu).hidden = !allowed.edit;
    find("[data-action='delete']", HTMLElement, this.#menu).hidden = !allowed.delete;
    this.#row = row;
    this.#menu.showPopover();
    this.#stand(button);
    find("button:not([hidden])", HTMLElement, this.#menu).focus();
  };

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
    if (await ask("#delete-dialog")) this.#calls.onDelete(message);
  };

  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const items = /** @type {HTMLElement[]} */ ([...this.#menu.querySelectorAll("button:not([hidden])")]);
    const index = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    items.at((index + step) % items.length)?.focus();
  };
}
