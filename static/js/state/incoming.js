// What the line brings beside the rooms' logs: who is here, what is unread elsewhere, what a room is, what was refused.

import { isChange } from "../net/frames.js";

/** @typedef {import("../net/frames.js").Frame} Frame */

export class Incoming {
  #socket;
  #outbox;
  #sender;
  #clock;
  #me;
  #following;
  #arrivals;
  #told;

  /**
   * @param {object} parts
   * @param {import("../net/socket.js").ChatSocket} parts.socket
   * @param {import("../net/outbox.js").Outbox} parts.outbox
   * @param {import("../net/sender.js").Sender} parts.sender
   * @param {import("../net/clock.js").Clock} parts.clock
   * @param {{name: string}} parts.me
   * @param {import("./following.js").Following} parts.following
   * @param {import("./arrivals.js").Arrivals} parts.arrivals
   * @param {import("../net/emitter.js").Emitter<import("./chat.js").ChatEvents>} parts.told who hears of it
   */
  constructor({ socket, outbox, sender, clock, me, following, arrivals, told }) {
    this.#socket = socket;
    this.#outbox = outbox;
    this.#sender = sender;
    this.#clock = clock;
    this.#me = me;
    this.#following = following;
    this.#arrivals = arrivals;
    this.#told = told;
  }

  /** @param {Frame} frame */
  take(frame) {
    if (isChange(frame)) return this.#arrivals.change(frame);
    switch (frame.type) {
      case "system":
        return this.#welcome(frame);
      case "history":
        return this.#arrivals.history(frame);
      case "ack":
        this.#told.emit("acknowledged", frame);
        return this.#sender.delivered(frame.nonce);
      case "presence":
        return this.#presence(frame);
      case "typing":
        return this.#typing(frame);
      case "unread":
        return this.#unread(frame);
      case "read":
        this.#room(frame.room).reading.read(frame.seq);
        return this.#told.emit("badge", this.#room(frame.room));
      case "room":
        return this.#described(frame);
      case "removed":
        return this.#removed(frame.room);
      case "heartbeat":
        return this.#following.compare(frame.heads);
      case "error":
        return this.#error(frame);
    }
  }

  /** @param {string} slug */
  #room(slug) {
    return this.#following.room(slug);
  }

  /** @param {import("../net/frames.js").SystemFrame} frame */
  #welcome(frame) {
    this.#socket.beat(frame.limits.heartbeatSeconds);
    this.#told.emit("welcome", frame);
    this.#outbox.reload();
    this.#following.followWaiting();
  }

  /** @param {import("../net/frames.js").PresenceFrame} frame */
  #presence(frame) {
    const room = this.#room(frame.room);
    room.people.apply(frame);
    for (const name of frame.left ?? []) room.typing.ended(name);
    if (room !== this.#following.current) return;
    this.#told.emit("people", room);
    this.#told.emit("typing", room);
  }

  /** @param {import("../net/frames.js").TypingFrame} frame */
  #typing(frame) {
    const room = this.#room(frame.room);
    room.typing.apply(frame.users.filter((name) => name !== this.#me.name), this.#clock.now());
    if (room === this.#following.current) this.#told.emit("typing", room);
  }

  /** @param {import("../net/frames.js").UnreadFrame} frame */
  #unread(frame) {
    const room = this.#room(frame.room);
    if (room.followed) return; // counted here
    room.reading.told(frame.count, frame.mentions);
    this.#told.emit("badge", room);
  }

  /** @param {import("../net/frames.js").RoomFrame} frame */
  #described(frame) {
    const room = this.#room(frame.room);
    room.title = frame.title;
    room.standing.apply(frame);
    room.facts.apply(frame);
    this.#told.emit("described", { room, frame });
  }

  /** @param {string} slug */
  #removed(slug) {
    const room = this.#room(slug);
    this.#following.drop(slug);
    this.#told.emit("removed", room);
  }

  /** @param {import("../net/frames.js").ErrorFrame} frame */
  #error(frame) {
    const asked = frame.room === undefined ? undefined : this.#room(frame.room);
    if (frame.nonce !== undefined && this.#outbox.get(frame.nonce) !== undefined) return this.#sender.refused(frame.nonce, frame);
    if (asked?.resuming) asked.resuming = false;
    this.#told.emit("refused", frame);
  }
}
