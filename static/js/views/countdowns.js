// Counts down, second by second, until refused messages are sent again.

import { fillRefusal } from "./row.js";

/** @typedef {import("../net/outbox.js").Entry} Entry */

export class Countdowns {
  /** @type {Map<string, {row: HTMLElement, entry: Entry}>} */
  #waiting = new Map();
  #timer = 0;

  connect() {
    this.#timer = window.setInterval(() => this.#tick(), 1000);
  }

  disconnect() {
    clearInterval(this.#timer);
  }

  /**
   * @param {HTMLElement} row
   * @param {Entry} entry
   */
  watch(row, entry) {
    if (entry.retryAt === null) this.#waiting.delete(entry.nonce);
    else this.#waiting.set(entry.nonce, { row, entry });
  }

  /** @param {string} nonce */
  forget(nonce) {
    this.#waiting.delete(nonce);
  }

  clear() {
    this.#waiting.clear();
  }

  #tick() {
    const now = Date.now();
    for (const { row, entry } of this.#waiting.values()) fillRefusal(row, entry, now);
  }
}
