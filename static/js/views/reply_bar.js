// Over the field: what is being answered, and the way to give that up.

import { find } from "../dom/find.js";
import { excerptOf } from "../state/excerpts.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/frames.js").ReplyTo} ReplyTo */

export class ReplyBar {
  #bar = find("#replying", HTMLElement);
  #author = find(".composer__reply-author", HTMLElement, this.#bar);
  #text = find(".composer__reply-text", HTMLElement, this.#bar);
  #onCancel;
  /** @type {ReplyTo | null} */
  #current = null;

  /** @param {() => void} onCancel */
  constructor(onCancel) {
    this.#onCancel = onCancel;
  }

  connect() {
    this.#bar.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.#bar.removeEventListener("click", this.#clicked);
  }

  get current() {
    return this.#current;
  }

  /**
   * @param {ReplyTo | null} reply null: nothing is answered
   * @param {Message | undefined} original where it is known already
   */
  show(reply, original) {
    this.#current = reply;
    this.#bar.hidden = reply === null;
    this.#author.textContent = reply?.from ?? "";
    this.#text.textContent = original === undefined ? "" : excerptOf(original);
  }

  /** @param {Message[]} messages in their state now */
  refresh(messages) {
    const original = messages.find(({ id }) => id === this.#current?.id);
    if (original !== undefined) this.#text.textContent = excerptOf(original);
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    if (event.target instanceof Element && event.target.closest("button")) this.#onCancel();
  };
}
