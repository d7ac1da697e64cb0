// What is being typed in each room, kept by account and room over a reload.

const REPLY = ":reply"; // no slug has a colon

export class Drafts {
  #store;
  #prefix;

  /**
   * @param {Pick<Storage, "getItem" | "setItem" | "removeItem">} store
   * @param {string} account
   */
  constructor(store, account) {
    this.#store = store;
    this.#prefix = `roomlog:draft:${account}:`;
  }

  /** @param {string} room */
  get(room) {
    return this.#store.getItem(this.#prefix + room) ?? "";
  }

  /**
   * What the draft answers.
   * @param {string} room
   * @returns {import("../net/frames.js").ReplyTo | null}
   */
  reply(room) {
    try {
      const reply = JSON.parse(this.get(room + REPLY));
      return typeof reply?.id === "string" && typeof reply.seq === "number" ? reply : null;
    } catch {
      return null;
    }
  }

  /**
   * @param {string} room
   * @param {import("../net/frames.js").ReplyTo | null} reply
   */
  answer(room, reply) {
    this.set(room + REPLY, reply === null ? "" : JSON.stringify(reply));
  }

  /**
   * @param {string} room
   * @param {string} text
   */
  set(room, text) {
    try {
      if (text === "") this.#store.removeItem(this.#prefix + room);
      else this.#store.setItem(this.#prefix + room, text);
    } catch {
      // No room in the browser's store: the draft lives as long as the page.
    }
  }
}
