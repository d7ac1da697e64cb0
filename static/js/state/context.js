// The surroundings of one message, however old, beside the log: what is shown of a permalink until it meets the log.
// It moves no position; changes of what it holds are followed.

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {{messages: Message[], more: boolean, newer: boolean}} Surroundings */

export class Context {
  /** Oldest first. @type {Message[]} */
  #messages;
  #more;
  #newer;

  /**
   * @param {number} at the seq of the message that is looked for
   * @param {Surroundings} page
   */
  constructor(at, { messages, more, newer }) {
    this.at = at;
    this.#messages = messages;
    this.#more = more;
    this.#newer = newer;
  }

  get messages() {
    return this.#messages;
  }

  get more() {
    return this.#more;
  }

  get newer() {
    return this.#newer;
  }

  get oldestSeq() {
    return this.#messages[0]?.seq ?? this.at;
  }

  get newestSeq() {
    return this.#messages.at(-1)?.seq ?? this.at;
  }

  /** @param {string} id */
  get(id) {
    return this.#messages.find((message) => message.id === id);
  }

  /** @param {Surroundings} page before what is here */
  older({ messages, more }) {
    const first = this.oldestSeq;
    const put = messages.filter((message) => message.seq < first);
    this.#messages = [...put, ...this.#messages];
    this.#more = more;
    return put;
  }

  /** @param {Surroundings} page after what is here */
  later({ messages, newer }) {
    const last = this.newestSeq;
    const put = messages.filter((message) => message.seq > last);
    this.#messages = [...this.#messages, ...put];
    this.#newer = newer;
    return put;
  }

  /**
   * @param {Message[]} changed
   * @returns {Message[]} those that are here, in their state now
   */
  follow(changed) {
    const put = changed.filter(({ id }) => this.get(id) !== undefined);
    for (const message of put) this.#messages[this.#messages.findIndex(({ id }) => id === message.id)] = message;
    return put;
  }

  /**
   * Whether nothing lies between what is here and a log's messages.
   * @param {import("./log.js").RoomLog} log
   */
  meets(log) {
    if (log.position === null) return false;
    return log.oldestSeq === null ? !this.#newer : this.newestSeq >= log.oldestSeq || !this.#newer;
  }
}
