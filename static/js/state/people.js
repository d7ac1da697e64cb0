// Who is here, and who is typing: best effort, by name.

/** @typedef {import("../net/frames.js").PresenceFrame} PresenceFrame */

const TYPING_MS = 5_000;

export class People {
  /** @type {Set<string>} */
  #names = new Set();
  #online = 0;
  #partial = false;

  /** @param {string[]} names */
  constructor(names = []) {
    this.#names = new Set(names);
    this.#online = names.length;
  }

  get online() {
    return this.#online;
  }

  /** Whether it is not known just now who is here by way of other servers. */
  get partial() {
    return this.#partial;
  }

  get names() {
    return [...this.#names].sort((a, b) => a.localeCompare(b));
  }

  /** @param {PresenceFrame} frame */
  apply({ online, users, joined = [], left = [], partial = false }) {
    if (users !== undefined) this.#names = new Set(users);
    for (const name of joined) this.#names.add(name);
    for (const name of left) this.#names.delete(name);
    this.#online = online;
    this.#partial = partial;
  }
}

export class Typing {
  /** Name to when it is forgotten. @type {Map<string, number>} */
  #until = new Map();

  /**
   * @param {string[]} names
   * @param {number} now
   */
  apply(names, now) {
    if (names.length === 0) this.#until.clear();
    for (const name of names) this.#until.set(name, now + TYPING_MS);
  }

  /** @param {string} name has sent what was being typed, or left */
  ended(name) {
    return this.#until.delete(name);
  }

  clear() {
    this.#until.clear();
  }

  /**
   * Who is typing now, and in how many milliseconds that has to be looked at again.
   * @param {number} now
   */
  current(now) {
    for (const [name, until] of this.#until) if (until <= now) this.#until.delete(name);
    const soonest = Math.min(...this.#until.values());
    return { names: [...this.#until.keys()], againInMs: Number.isFinite(soonest) ? soonest - now : null };
  }
}
