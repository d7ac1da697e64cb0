// The keyboard in the timeline: one message can be tabbed to, and from it to what stands in it; the arrows go from one to
// the next, Enter opens its menu, and single letters do what is done most.

import { find } from "../dom/find.js";
import { rowAfter, rowBefore } from "./lines.js";

const INNER = ".message__time, .message__quote, .reaction__face"; // to be tabbed to in the one message only

export class MessageFocus {
  #list = find("#messages", HTMLElement);
  /** @type {HTMLElement | null} */
  #current = null;
  #calls;

  /**
   * @param {object} calls
   * @param {(row: HTMLElement) => void} calls.onMenu
   * @param {(row: HTMLElement, key: string) => boolean} calls.onKey a letter on a message; true: it did something
   */
  constructor(calls) {
    this.#calls = calls;
  }

  connect() {
    this.#list.addEventListener("focusin", this.#focused);
    this.#list.addEventListener("focusout", this.#left);
    this.#list.addEventListener("keydown", this.#pressed);
    this.settle();
  }

  disconnect() {
    this.#list.removeEventListener("focusin", this.#focused);
    this.#list.removeEventListener("focusout", this.#left);
    this.#list.removeEventListener("keydown", this.#pressed);
  }

  /** The list changed: while nobody is in it, Tab leads to its last message. */
  settle() {
    if (this.#current?.isConnected && this.has) return this.#open(this.#current, true);
    const last = this.#list.lastElementChild;
    this.#point(last instanceof HTMLElement ? last : null);
  }

  /** Whether the focus is among the messages. */
  get has() {
    return this.#list.contains(document.activeElement);
  }

  /**
   * The neighbour of a message takes the focus, when there is one.
   * @param {HTMLElement} row
   */
  leave(row) {
    const next = rowAfter(row) ?? rowBefore(row);
    next?.focus();
    return next !== null;
  }

  /** @param {HTMLElement | null} row */
  #point(row) {
    if (row === this.#current) return;
    if (this.#current !== null) this.#current.tabIndex = -1;
    this.#current = row;
    if (row !== null) row.tabIndex = 0;
  }

  /**
   * What stands in a message is tabbed to from it only: Shift-Tab from the field leads to the message itself.
   * @param {HTMLElement} row
   * @param {boolean} open
   */
  #open(row, open) {
    for (const inner of /** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll(INNER))) {
      if (open) inner.removeAttribute("tabindex");
      else inner.tabIndex = -1;
    }
  }

  /** @param {FocusEvent} event */
  #focused = (event) => {
    const row = event.target instanceof Element ? event.target.closest(".message") : null;
    if (!(row instanceof HTMLElement)) return;
    this.#point(row);
    this.#open(row, true);
  };

  /** @param {FocusEvent} event */
  #left = ({ target, relatedTarget }) => {
    const row = target instanceof Element ? target.closest(".message") : null;
    if (row instanceof HTMLElement && !(relatedTarget instanceof Node && row.contains(relatedTarget))) this.#open(row, false);
  };

  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    const row = event.target instanceof Element ? event.target.closest(".message") : null;
    if (!(row instanceof HTMLElement) || event.altKey || event.ctrlKey || event.metaKey) return;
    const menu = event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey) || (event.key === "Enter" && event.target === row);
    const next = event.shiftKey ? null : this.#next(row, event.key);
    const letter = event.target === row && /^[a-z]$/i.test(event.key) && this.#calls.onKey(row, event.key.toLowerCase());
    if (!menu && next === null && !letter) return;
    event.preventDefault();
    if (menu) return this.#calls.onMenu(row);
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };

  /**
   * @param {HTMLElement} row
   * @param {string} key
   */
  #next(row, key) {
    const rows = this.#list.querySelectorAll(".message");
    switch (key) {
      case "ArrowDown":
        return rowAfter(row) ?? row;
      case "ArrowUp":
        return rowBefore(row) ?? row;
      case "Home":
        return /** @type {HTMLElement} */ (rows[0]);
      case "End":
        return /** @type {HTMLElement} */ (rows[rows.length - 1]);
      default:
        return null;
    }
  }
}
