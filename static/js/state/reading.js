// How far this account has read a room: the badge, and where the line of the unread stands.

/** @typedef {import("../net/frames.js").Message} Message */

export class Reading {
  #me;
  #readSeq = 0;
  /** Whether #readSeq is known: for a room entered from the list only the number of unread ones is. */
  #known = false;
  #count = 0;
  #mentions = 0;
  /** @type {number | null} */
  #lineAfter = null;

  /** @param {string} me this account's id */
  constructor(me) {
    this.#me = me;
  }

  get readSeq() {
    return this.#readSeq;
  }

  get count() {
    return this.#count;
  }

  get mentions() {
    return this.#mentions;
  }

  /** The line of the unread stands before the first message of others beyond this seq. */
  get lineAfter() {
    return this.#lineAfter;
  }

  /** @param {number} readSeq */
  start(readSeq) {
    this.#readSeq = readSeq;
    this.#known = true;
  }

  /**
   * What the server counts for a room that is not followed here.
   * @param {number} count
   * @param {number} mentions
   */
  told(count, mentions) {
    this.#count = count;
    this.#mentions = mentions;
  }

  /**
   * The room is looked at: draws the line at its first unread message.
   * @param {readonly Message[]} messages
   */
  open(messages) {
    const others = messages.filter((message) => message.userId !== this.#me && !message.deletedAt && message.notice === undefined);
    if (this.#known) {
      this.#lineAfter = others.some((message) => message.seq > this.#readSeq) ? this.#readSeq : null;
    } else {
      const first = this.#count > 0 ? others[others.length - this.#count] : undefined;
      this.#lineAfter = first === undefined ? null : first.seq - 1;
    }
  }

  leave() {
    this.#lineAfter = null;
  }

  /**
   * A new message came in.
   * @param {Message} message
   * @param {boolean} attended somebody looks at the end of this room now
   * @param {boolean} mentioned it names this account
   * @returns {boolean} whether the line moved
   */
  arrived(message, attended, mentioned = false) {
    if (message.notice !== undefined) return false; // nobody wrote it
    if (message.userId === this.#me) {
      const moved = this.#lineAfter !== null;
      this.#lineAfter = null;
      return moved;
    }
    if (attended) return false;
    this.#count += 1;
    if (mentioned) this.#mentions += 1;
    const passed = this.#lineAfter === null || this.#lineAfter < this.#readSeq;
    if (passed) this.#lineAfter = message.seq - 1;
    return passed;
  }

  /** @param {number} seq read up to here, on this connection or another */
  read(seq) {
    if (seq < this.#readSeq) return;
    this.#readSeq = seq;
    this.#known = true;
    this.#count = 0;
    this.#mentions = 0;
  }
}
