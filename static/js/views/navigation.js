// Going from room to room without loading a page: by the list, the switcher, the keys, and the browser's back and forth.

/** @typedef {{slug: string, title: string}} Place */

export class Navigation {
  #chat;
  #start;
  #onStay;

  /**
   * @param {object} parts
   * @param {import("../state/chat.js").Chat} parts.chat
   * @param {Place} parts.start the room the page was loaded for
   * @param {() => void} parts.onStay somebody went where they are
   */
  constructor({ chat, start, onStay }) {
    this.#chat = chat;
    this.#start = start;
    this.#onStay = onStay;
  }

  connect() {
    window.addEventListener("popstate", this.#moved);
  }

  disconnect() {
    window.removeEventListener("popstate", this.#moved);
  }

  /**
   * @param {string} slug
   * @param {string} title
   */
  go = (slug, title) => {
    for (const drawer of document.querySelectorAll(".drawer--open")) drawer.classList.remove("drawer--open");
    if (slug === this.#chat.current.slug) return this.#onStay();
    history.pushState({ room: { slug, title } }, "", `/rooms/${slug}`);
    this.#chat.enter(slug, title);
  };

  /** @param {PopStateEvent} event */
  #moved = ({ state }) => {
    /** @type {Place} */
    const { slug, title } = state?.room ?? this.#start;
    this.#chat.enter(slug, title);
  };
}
