// What the line brings of the rooms' logs: puts it where it belongs, and says what has to be shown of it.

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/frames.js").HistoryFrame} HistoryFrame */
/** @typedef {import("../net/frames.js").ChangeFrame} ChangeFrame */
/** @typedef {import("./room.js").Room} Room */

const KEPT_MESSAGES = 1_500; // in memory and in the page, while the end is looked at
const TRIMMED_MESSAGES = 500;

export class Arrivals {
  #following;
  #outbox;
  #sender;
  #told;
  #me;
  /** Somebody looks at the end of the current room. */
  attended = false;

  /**
   * @param {object} parts
   * @param {import("./following.js").Following} parts.following
   * @param {import("../net/outbox.js").Outbox} parts.outbox
   * @param {import("../net/sender.js").Sender} parts.sender
   * @param {{id: string}} parts.me
   * @param {import("../net/emitter.js").Emitter<import("./chat.js").ChatEvents>} parts.told who hears of it
   */
  constructor({ following, outbox, sender, me, told }) {
    this.#following = following;
    this.#outbox = outbox;
    this.#sender = sender;
    this.#me = me;
    this.#told = told;
  }

  /** @param {HistoryFrame} frame */
  history(frame) {
    const room = this.#following.room(frame.room);
    const first = room.log.position === null;
    const before = room.log.position ?? 0;
    room.followed = true;
    room.resuming = frame.more;
    const { reset, put } = room.log.history(frame);
    if (reset) room.originals.forget();
    this.#changed(room, frame.messages);
    const news = first ? [] : put.filter((message) => message.seq > before && !message.deletedAt);
    const lineMoved = news.filter((message) => this.#read(room, message)).length > 0;
    if (first) room.reading.open(room.log.messages);
    for (const message of put) this.settle(message);
    if (room === this.#following.current) {
      if (reset) this.#told.emit("shown", room);
      else if (put.length > 0) this.#told.emit("put", { room, put, news: false });
      if (lineMoved) this.#told.emit("line", room);
    }
    if (news.length > 0) this.#told.emit("badge", room);
    if (frame.more) return;
    this.#sender.openRoom(room.slug);
    this.#following.leaveIdle();
    this.#following.follow(this.#following.current);
  }

  /** @param {ChangeFrame} frame */
  change(frame) {
    const room = this.#following.room(frame.room);
    const before = room.find(frame.message.id);
    const change = room.log.change(frame);
    if (change.kind === "gap") return this.#following.resume(room);
    if (change.kind === "stale") return;
    const { message } = frame;
    this.#changed(room, [message], frame, before);
    const isNew = frame.type === "message" && !change.known;
    const lineMoved = isNew && this.#read(room, message);
    if (isNew) room.typing.ended(message.from);
    this.settle(message);
    if (room !== this.#following.current) return isNew ? this.#told.emit("badge", room) : undefined;
    if (change.put.length > 0) this.#told.emit("put", { room, put: change.put, news: isNew });
    if (lineMoved) this.#told.emit("line", room);
    if (isNew) this.#told.emit("typing", room);
    if (isNew) this.#told.emit("badge", room);
    if (this.#attends(room) && room.log.messages.length > KEPT_MESSAGES) {
      this.#told.emit("trimmed", { room, gone: room.log.trim(TRIMMED_MESSAGES) });
    }
  }

  /**
   * One's own message in the log ends its time in the outbox.
   * @param {Message} message
   */
  settle(message) {
    if (message.nonce === undefined || message.userId !== this.#me.id) return;
    if (this.#outbox.get(message.nonce) === undefined) return;
    this.#told.emit("acknowledged", { nonce: message.nonce, id: message.id, seq: message.seq });
    this.#sender.delivered(message.nonce);
  }

  /**
   * What is held beside the log is in its state now, before anybody is told.
   * @param {Room} room
   * @param {Message[]} messages
   * @param {ChangeFrame} [change]
   * @param {Message} [before]
   */
  #changed(room, messages, change, before) {
    room.originals.follow(messages);
    room.context?.follow(messages);
    if (room === this.#following.current && messages.length > 0) this.#told.emit("changed", { room, messages });
    const crowded = messages.filter(({ reactions }) => reactions?.some(({ count, users }) => count > users.length));
    if (crowded.length > 0) this.#told.emit("crowded", { room, messages: crowded, change, before });
  }

  /**
   * @param {Room} room
   * @param {Message} message
   */
  #read(room, message) {
    return room.reading.arrived(message, this.#attends(room), message.here === true || (message.mentions?.includes(this.#me.id) ?? false));
  }

  /** @param {Room} room */
  #attends(room) {
    return this.attended && room === this.#following.current;
  }
}
