// The chat without its looks: takes what the line brings, keeps the rooms, says what has to be shown.
// Composed by main.js; never touches the DOM.

import { Emitter } from "../net/emitter.js";
import { isChange } from "../net/frames.js";
import { Arrivals } from "./arrivals.js";
import { Following } from "./following.js";

/** @typedef {import("../net/frames.js").Frame} Frame */
/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/frames.js").ErrorFrame} ErrorFrame */
/** @typedef {import("../net/frames.js").SystemFrame} SystemFrame */
/** @typedef {import("./room.js").Room} Room */
/**
 * @typedef {object} ChatEvents
 * @property {Room} shown the current room has to be drawn anew
 * @property {{room: Room, put: Message[], news: boolean}} put messages of the current room came or changed; news: just now
 * @property {{room: Room, put: Message[]}} older
 * @property {{room: Room, gone: Message[]}} trimmed
 * @property {{nonce: string, id: string, seq: number}} acknowledged
 * @property {Room} people
 * @property {Room} typing
 * @property {Room} line the line of the unread moved
 * @property {Room} badge
 * @property {{room: Room, frame: import("../net/frames.js").RoomFrame}} described what a room is, and what may be done in it
 * @property {Room} removed
 * @property {ErrorFrame} refused an error that belongs to no message in the outbox
 * @property {SystemFrame} welcome
 */

const PROBE_MS = 3_000;

/** @extends {Emitter<ChatEvents>} */
export class Chat extends Emitter {
  #socket;
  #outbox;
  #sender;
  #clock;
  #fetchOlder;
  #me;
  #following;
  #arrivals;

  /**
   * @param {object} parts
   * @param {import("../net/socket.js").ChatSocket} parts.socket
   * @param {import("../net/outbox.js").Outbox} parts.outbox
   * @param {import("../net/sender.js").Sender} parts.sender
   * @param {import("../net/clock.js").Clock} parts.clock
   * @param {typeof import("../net/older.js").fetchOlder} parts.fetchOlder
   * @param {{id: string, name: string}} parts.me
   * @param {{slug: string, title: string}} parts.room
   */
  constructor({ socket, outbox, sender, clock, fetchOlder, me, room }) {
    super();
    this.#socket = socket;
    this.#outbox = outbox;
    this.#sender = sender;
    this.#clock = clock;
    this.#fetchOlder = fetchOlder;
    this.#me = me;
    this.#following = new Following({ socket, outbox, sender, me: me.id, room });
    this.#arrivals = new Arrivals({ following: this.#following, outbox, sender, me, told: this });
    socket.on("frame", (frame) => this.#take(frame));
    socket.on("close", () => this.#closed());
    outbox.on("removed", () => this.#following.leaveIdle());
  }

  get current() {
    return this.#following.current;
  }

  get rooms() {
    return this.#following.rooms;
  }

  /** @param {string} slug */
  room(slug, title = slug) {
    return this.#following.room(slug, title);
  }

  /** What the next connection has to ask for. */
  get address() {
    const { slug, log } = this.current;
    const asked = Object.entries({ room: slug, ...log.cursor }).map(([name, value]) => [name, String(value)]);
    return `/chat?${new URLSearchParams(asked)}`;
  }

  /**
   * Goes to another room; what is known of it is shown at once.
   * @param {string} slug
   * @param {string} title
   */
  enter(slug, title) {
    const left = this.current;
    if (left.slug === slug) return;
    const room = this.room(slug, title);
    this.#following.current = room;
    left.reading.leave();
    left.typing.clear();
    this.#arrivals.attended = false;
    if (room.log.position !== null) {
      room.reading.open(room.log.messages);
      room.reading.told(0, 0); // what came since is counted as it comes
    }
    this.emit("shown", room);
    this.#following.follow(room);
    this.#following.leaveIdle();
  }

  /** @param {boolean} attended the page is looked at, and the end of the current room is in view */
  attend(attended) {
    this.#arrivals.attended = attended;
  }

  /**
   * @param {string} text clean
   */
  post(text) {
    const entry = this.#outbox.add(this.current.slug, text);
    this.#sender.pump();
    return entry;
  }

  /**
   * @param {string} id
   * @param {string} text clean
   */
  edit(id, text) {
    return this.#socket.send({ type: "edit", room: this.current.slug, id, text });
  }

  /** @param {string} id */
  delete(id) {
    return this.#socket.send({ type: "delete", room: this.current.slug, id });
  }

  /** The current room was read to its end. */
  read() {
    const { slug, log, reading } = this.current;
    if (log.position === null || log.position <= reading.readSeq) return;
    if (!this.#socket.send({ type: "read", room: slug, seq: log.position })) return;
    reading.read(log.position);
    this.emit("badge", this.current);
  }

  typing() {
    if (this.current.followed) this.#socket.send({ type: "typing", room: this.current.slug });
  }

  /** Brings the page before the oldest message; one at a time. */
  async loadOlder() {
    const room = this.current;
    const before = room.log.pagedFrom;
    if (room.loadingOlder || !room.log.more) return true;
    room.loadingOlder = true;
    const page = await this.#fetchOlder(room.slug, before);
    room.loadingOlder = false;
    if (page === null || room.log.pagedFrom !== before) return page !== null;
    const put = room.log.older(page.messages, page.more);
    for (const message of put) this.#arrivals.settle(message);
    if (room === this.current) this.emit("older", { room, put });
    return true;
  }

  /** The page woke up or the network changed: asks for something, so that a dead line shows itself. */
  probe() {
    if (this.#socket.line.name !== "online") return this.#socket.hurry();
    this.#following.ask(this.current);
    this.#socket.expectFrame(PROBE_MS);
  }

  /** @param {Frame} frame */
  #take(frame) {
    if (isChange(frame)) return this.#arrivals.change(frame);
    switch (frame.type) {
      case "system":
        return this.#welcome(frame);
      case "history":
        return this.#arrivals.history(frame);
      case "ack":
        this.emit("acknowledged", frame);
        return this.#sender.delivered(frame.nonce);
      case "presence":
        return this.#presence(frame);
      case "typing":
        return this.#typing(frame);
      case "unread":
        return this.#unread(frame);
      case "read":
        this.room(frame.room).reading.read(frame.seq);
        return this.emit("badge", this.room(frame.room));
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

  /** @param {SystemFrame} frame */
  #welcome(frame) {
    this.#socket.beat(frame.limits.heartbeatSeconds);
    this.emit("welcome", frame);
    this.#outbox.reload();
    this.#following.followWaiting();
  }

  /** @param {import("../net/frames.js").PresenceFrame} frame */
  #presence(frame) {
    const room = this.room(frame.room);
    room.people.apply(frame);
    for (const name of frame.left ?? []) room.typing.ended(name);
    if (room !== this.current) return;
    this.emit("people", room);
    this.emit("typing", room);
  }

  /** @param {import("../net/frames.js").TypingFrame} frame */
  #typing(frame) {
    const room = this.room(frame.room);
    room.typing.apply(frame.users.filter((name) => name !== this.#me.name), this.#clock.now());
    if (room === this.current) this.emit("typing", room);
  }

  /** @param {import("../net/frames.js").UnreadFrame} frame */
  #unread(frame) {
    const room = this.room(frame.room);
    if (room.followed) return; // counted here
    room.reading.told(frame.count, frame.mentions);
    this.emit("badge", room);
  }

  /** @param {import("../net/frames.js").RoomFrame} frame */
  #described(frame) {
    const room = this.room(frame.room);
    room.title = frame.title;
    room.facts.apply(frame);
    this.emit("described", { room, frame });
  }

  /** @param {string} slug */
  #removed(slug) {
    const room = this.room(slug);
    this.#following.drop(slug);
    this.emit("removed", room);
  }

  /** @param {ErrorFrame} frame */
  #error(frame) {
    const asked = frame.room === undefined ? undefined : this.room(frame.room);
    if (frame.nonce !== undefined && this.#outbox.get(frame.nonce) !== undefined) return this.#sender.refused(frame.nonce, frame);
    if (asked?.resuming) asked.resuming = false;
    this.emit("refused", frame);
  }

  #closed() {
    this.#following.closed();
    this.emit("typing", this.current);
  }
}
