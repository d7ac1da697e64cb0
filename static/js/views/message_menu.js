// What can be done with one message, as a menu: what is offered depends on the message, the account and the room.

import { ask } from "../dom/ask.js";
import { find } from "../dom/find.js";
import { standBy } from "../dom/stand.js";
import { t } from "../words.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../state/permissions.js").Allowed} Allowed */
/**
 * @typedef {object} MenuCalls
 * @property {(id: string) => Message | undefined} find
 * @property {(message: Message) => Allowed} allowed
 * @property {(message: Message) => void} onReply
 * @property {(message: Message, row: HTMLElement) => void} onReact
 * @property {(message: Message) => void} onLink its address is wanted
 * @property {(message: Message, pinned: boolean) => void} onPin
 * @property {(message: Message) => void} onEdit
 * @property {(message: Message, row: HTMLElement, byKey: boolean) => void} onDelete
 */

export class MessageMenu {
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
    this.#menu.addEventListener("click", this.#chosen);
    this.#menu.addEventListener("keydown", this.#pressed);
    this.#menu.addEventListener("toggle", this.#toggled);
  }

  disconnect() {
    this.#menu.removeEventListener("click", this.#chosen);
    this.#menu.removeEventListener("keydown", this.#pressed);
    this.#menu.removeEventListener("toggle", this.#toggled);
  }

  /**
   * @param {HTMLElement} row a message whose menu is wanted
   * @param {boolean} byKey
   */
  open(row, byKey) {
    this.#byKey = byKey;
    const message = this.#calls.find(row.dataset.id ?? "");
    if (message === undefined || message.deletedAt || message.notice) return;
    const allowed = this.#calls.allowed(message);
    for (const [name, shown] of Object.entries(allowed)) find(`[data-action='${name}']`, HTMLElement, this.#menu).hidden = !shown;
    find("[data-action='pin']", HTMLElement, this.#menu).textContent = message.pinnedAt ? t("Unpin") : t("Pin");
    this.#row = row;
    this.#menu.showPopover();
    standBy(this.#menu, find("[data-action='menu']", HTMLElement, row));
    find("button:not([hidden])", HTMLElement, this.#menu).focus();
  }

  #toggled = () => {
    const open = this.#menu.matches(":popover-open");
    this.#row?.querySelector("[data-action='menu']")?.setAttribute("aria-expanded", String(open));
  };

  /** @param {MouseEvent} event */
  #chosen = (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const row = this.#row;
    const message = row === null ? undefined : this.#calls.find(row.dataset.id ?? "");
    this.#menu.hidePopover();
    if (button instanceof HTMLElement && row !== null && message !== undefined) this.#do(button.dataset.action, message, row);
  };

  /**
   * @param {string | undefined} action
   * @param {Message} message
   * @param {HTMLElement} row
   */
  #do(action, message, row) {
    if (action === "reply") this.#calls.onReply(message);
    if (action === "react") this.#calls.onReact(message, row);
    if (action === "copy") void navigator.clipboard?.writeText(message.text ?? "");
    if (action === "link") this.#calls.onLink(message);
    if (action === "pin") this.#calls.onPin(message, !message.pinnedAt);
    if (action === "edit") this.#calls.onEdit(message);
    if (action === "delete") void this.#delete(message, row);
  }

  /**
   * @param {Message} message
   * @param {HTMLElement} row
   */
  async #delete(message, row) {
    find("#delete-quote", HTMLElement).textContent = row.querySelector(".message__body")?.textContent ?? "";
    if (await ask("#delete-dialog")) this.#calls.onDelete(message, row, this.#byKey);
  }

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
