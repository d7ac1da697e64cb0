// Going from room to room without loading a page: by the list, the switcher, the keys, and the browser's back and forth.

import { permalink } from "../state/permalinks.js";

/** @typedef {{slug: string, title: string}} Place */

export class Navigation {
  #chat;
  #start;
  #startAt;
  #onStay;
  #onLook;

  /**
   * @param {object} parts
   * @param {import("../state/chat.js").Chat} parts.chat
   * @param {Place} parts.start the room the page was loaded for
   * @param {number | null} parts.startAt and the message in it
   * @param {() => void} parts.onStay somebody went where they are
   * @param {(at: number | null) => void} parts.onLook back or forth to a message of the room, or to its end
   */
  constructor({ chat, start, startAt, onStay, onLook }) {
    this.#chat = chat;
    this.#start = start;
    this.#startAt = startAt;
    this.#onStay = onStay;
    this.#onLook = onLook;
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

  /** @param {number} at a message of the current room is shown in its context now */
  looked(at) {
    const { slug, title } = this.#chat.current;
    history.pushState({ room: { slug, title }, at }, "", permalink(slug, at));
  }

  /** The end of the current room is shown again. */
  returned() {
    const { slug, title } = this.#chat.current;
    if (location.search !== "" || location.hash !== "") history.pushState({ room: { slug, title } }, "", `/rooms/${slug}`);
  }

  /** @param {PopStateEvent} event */
  #moved = ({ state }) => {
    /** @type {Place} */
    const { slug, title } = state?.room ?? this.#start;
    const at = state === null ? this.#startAt : (state.at ?? null);
    this.#chat.enter(slug, title);
    this.#onLook(at);
  };
}
