// What is being typed in each room, kept by account and room over a reload.

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
