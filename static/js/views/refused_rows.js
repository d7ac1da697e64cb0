// "Try again" and "discard" under a message that was refused.

import { find } from "../dom/find.js";

export class RefusedRows {
  #list = find("#messages", HTMLElement);
  #calls;

  /**
   * @param {object} calls
   * @param {(nonce: string) => void} calls.onRetry
   * @param {(nonce: string) => void} calls.onDiscard
   * @param {() => void} calls.onDone the button that had the focus is gone
   */
  constructor(calls) {
    this.#calls = calls;
  }

  connect() {
    this.#list.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.#list.removeEventListener("click", this.#clicked);
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const row = button?.closest(".message");
    if (!(button instanceof HTMLElement) || !(row instanceof HTMLElement)) return;
    const { nonce = "" } = row.dataset;
    if (button.dataset.action === "retry") this.#calls.onRetry(nonce);
    else if (button.dataset.action === "discard") this.#calls.onDiscard(nonce);
    else return;
    this.#calls.onDone();
  };
}
