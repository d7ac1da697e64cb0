// A form that was sent is not sent a second time by a double click or an impatient Enter.

export class SendOnce {
  #document;
  #window;
  /** @type {Set<EventTarget>} */
  #sent = new Set();

  /**
   * @param {EventTarget} document where forms are submitted
   * @param {EventTarget} window tells when a page comes back out of the browser's cache
   */
  constructor(document, window) {
    this.#document = document;
    this.#window = window;
  }

  connect() {
    this.#document.addEventListener("submit", this.#submitted);
    this.#window.addEventListener("pageshow", this.#shown);
  }

  disconnect() {
    this.#document.removeEventListener("submit", this.#submitted);
    this.#window.removeEventListener("pageshow", this.#shown);
  }

  /** @param {Event} event */
  #submitted = (event) => {
    // What a script handles itself, or a dialog, sends nothing.
    const form = /** @type {HTMLFormElement | null} */ (event.target);
    if (event.defaultPrevented || form === null || form.method !== "post") return;
    if (this.#sent.has(form)) event.preventDefault();
    this.#sent.add(form);
  };

  #shown = () => this.#sent.clear();
}
