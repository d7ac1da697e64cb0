// What a message answers, above it: by whom and how it begins, in its state now. What the page does not hold is asked for.

import { excerptOf } from "../state/excerpts.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/frames.js").ReplyTo} ReplyTo */

export class Quotes {
  #quotes = document.getElementsByClassName("message__quote"); // a live list, those that are asked for only
  #find;
  #onWant;

  /**
   * @param {object} calls
   * @param {(id: string) => Message | undefined} calls.find
   * @param {(id: string) => void} calls.onWant it is shown, and not held
   */
  constructor({ find, onWant }) {
    this.#find = find;
    this.#onWant = onWant;
  }

  /**
   * @param {HTMLElement} row
   * @param {string} address of what it answers
   * @param {ReplyTo | undefined} replyTo
   */
  fill(row, address, replyTo) {
    const known = /** @type {HTMLAnchorElement | null} */ (row.querySelector(".message__quote"));
    if (replyTo === undefined) return known?.remove();
    const quote = known ?? newQuote();
    quote.href = address;
    if (!row.contains(document.activeElement)) quote.tabIndex = -1; // views/message_focus.js opens it
    quote.dataset.replyId = replyTo.id;
    quote.dataset.replySeq = String(replyTo.seq);
    quote.dataset.userId = replyTo.userId;
    if (known === null) row.querySelector(".message__head")?.after(quote);
    this.#say(quote, ".message__quote-author", replyTo.from);
    const original = this.#find(replyTo.id);
    if (original !== undefined) this.#say(quote, ".message__quote-text", excerptOf(original));
    else if (known === null) this.#onWant(replyTo.id);
  }

  /** @param {Message[]} messages in their state now: what quotes them follows */
  refresh(messages) {
    if (this.#quotes.length === 0) return;
    const changed = new Map(messages.map((message) => [message.id, message]));
    for (const quote of this.#quotes) {
      const original = changed.get(/** @type {HTMLElement} */ (quote).dataset.replyId ?? "");
      if (original !== undefined) this.#say(quote, ".message__quote-text", excerptOf(original));
    }
  }

  /**
   * @param {Element} quote
   * @param {string} selector
   * @param {string} text
   */
  #say(quote, selector, text) {
    const part = quote.querySelector(selector);
    if (part !== null && part.textContent !== text) part.textContent = text;
  }
}

function newQuote() {
  const quote = document.createElement("a");
  quote.className = "message__quote";
  const author = document.createElement("bdi");
  author.className = "message__quote-author";
  const text = document.createElement("span");
  text.className = "message__quote-text";
  text.dir = "auto";
  quote.append(author, " ", text);
  return quote;
}
