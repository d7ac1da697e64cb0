// A room's log as far as this page knows it: the messages by seq, and the position up to which nothing is missing.

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/frames.js").HistoryFrame} HistoryFrame */
/** @typedef {import("../net/frames.js").ChangeFrame} ChangeFrame */

export class RoomLog {
  /** Up to this seq everything is known; null before the first history. @type {number | null} */
  #position = null;
  #epoch = "";
  /** The mode of the history that another frame was promised to continue. @type {HistoryFrame["mode"] | null} */
  #continued = null;
  /** @type {Map<string, Message>} */
  #byId = new Map();
  /** Oldest first. @type {Message[]} */
  #messages = [];
  #more = false;
  /** After which seq a reset left something out. @type {number | null} */
  #leftOutAfter = null;
  #held = false;
  #trimmed = false;

  get position() {
    return this.#position;
  }

  get messages() {
    return this.#messages;
  }

  /** Whether older messages can be paged. */
  get more() {
    return this.#more;
  }

  /** Whether a reset left something out and nobody asked for it yet: the bar that says so stays until then. */
  get held() {
    return this.#held;
  }

  /**
   * How much lies between what was seen and the oldest message here.
   * @param {number | null} line up to where the reader had come
   */
  missed(line) {
    const after = this.#leftOutAfter ?? line ?? 0;
    if (after === 0 || this.oldestSeq === null || this.#trimmed || !this.#more) return 0;
    return Math.max(0, this.oldestSeq - 1 - after);
  }

  get oldestSeq() {
    return this.#messages[0]?.seq ?? null;
  }

  /** Older messages are those before this seq, even where none is shown. */
  get pagedFrom() {
    return this.oldestSeq ?? (this.#position ?? 0) + 1;
  }

  /** What a connection or a `join` has to say to go on from here. */
  get cursor() {
    return this.#position === null ? {} : { since: this.#position, epoch: this.#epoch };
  }

  /** @param {string} id */
  get(id) {
    return this.#byId.get(id);
  }

  /** @param {{epoch: string, seq: number, messages: Message[], more: boolean}} page what the server rendered */
  start({ epoch, seq, messages, more }) {
    this.#forget();
    this.#epoch = epoch;
    this.#position = seq;
    this.#more = more;
    for (const message of messages) this.#put(message);
  }

  /**
   * @param {HistoryFrame} frame
   * @returns {{reset: boolean, put: Message[]}}
   */
  history(frame) {
    const reset = frame.mode !== "resumed" && frame.mode !== this.#continued; // resuming may end in a reset
    const known = this.#position !== null;
    const sameEpoch = this.#epoch === frame.epoch;
    const left = known && sameEpoch && frame.mode === "reset" ? this.#position : null;
    if (reset) this.#forget();
    if (reset) this.#leftOutAfter = left;
    if (reset) this.#held = left !== null;
    this.#continued = frame.more ? frame.mode : null;
    this.#epoch = frame.epoch;
    this.#position = frame.seq;
    const put = frame.messages.filter((message) => this.#put(message));
    if (reset) this.#more = this.oldestSeq === null ? frame.seq > 0 : this.oldestSeq > 1;
    return { reset, put };
  }

  /**
   * A live frame is applied only when it is the very next one.
   * @param {ChangeFrame} frame
   * @returns {{kind: "stale"} | {kind: "gap"} | {kind: "put", put: Message[], known: boolean}}
   */
  change(frame) {
    if (this.#position === null || frame.seq > this.#position + 1) return { kind: "gap" };
    if (frame.seq <= this.#position) return { kind: "stale" };
    this.#position = frame.seq;
    const known = this.#byId.has(frame.message.id);
    return { kind: "put", put: this.#put(frame.message) ? [frame.message] : [], known };
  }

  /**
   * A page of the past; the position does not move.
   * @param {Message[]} messages
   * @param {boolean} more
   */
  older(messages, more) {
    this.#more = false; // so that every one of the page finds its place
    const put = messages.filter((message) => !this.#byId.has(message.id) && this.#put(message));
    this.#more = more;
    this.#held = false;
    return put;
  }

  /** A new line starts: a continuation promised on the old one will not come. */
  disconnect() {
    this.#continued = null;
  }

  /**
   * Keeps the newest `count`; the others can be paged again.
   * @param {number} count
   * @returns {Message[]} what was let go
   */
  trim(count) {
    const gone = this.#messages.splice(0, Math.max(0, this.#messages.length - count));
    for (const message of gone) this.#byId.delete(message.id);
    if (gone.length > 0) this.#more = this.#trimmed = true;
    return gone;
  }

  #forget() {
    this.#byId.clear();
    this.#messages = [];
    this.#more = false;
    this.#leftOutAfter = null;
    this.#held = false;
    this.#trimmed = false;
  }

  /**
   * Puts in or replaces by id. A change of a message older than the page held here is left to the paging.
   * @param {Message} message
   */
  #put(message) {
    const known = this.#byId.has(message.id);
    const oldest = this.oldestSeq;
    if (!known && this.#more && oldest !== null && message.seq < oldest) return false;
    this.#byId.set(message.id, message);
    const index = this.#indexOf(message.seq);
    this.#messages.splice(index, known ? 1 : 0, message);
    return true;
  }

  /** @param {number} seq */
  #indexOf(seq) {
    let index = this.#messages.length;
    while (index > 0 && /** @type {Message} */ (this.#messages[index - 1]).seq >= seq) index -= 1;
    return index;
  }
}
