// What this account may do in a room, and why not: as the page or the last `room` frame said, else what a plain room allows.

const MODERATING = new Set(["moderator", "admin", "owner"]);

/** @typedef {Pick<import("../net/frames.js").RoomFrame, "may" | "archived">} Said */

export class Standing {
  /** @type {Set<string>} */
  #may;
  #archived = false;

  /** @param {string} role of this account; nothing is told of a plain room that is entered without its page */
  constructor(role = "member") {
    this.#may = new Set(["post", "edit", "react", ...(MODERATING.has(role) ? ["here", "moderate", "pin"] : [])]);
  }

  /** @param {Said} said */
  apply({ may, archived }) {
    this.#may = new Set(may);
    this.#archived = archived;
  }

  get archived() {
    return this.#archived;
  }

  /** @param {string} action as `may` in docs/protocol.md names it */
  may(action) {
    return this.#may.has(action);
  }
}
