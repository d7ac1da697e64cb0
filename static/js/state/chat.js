// The chat without its looks: takes what the line brings, keeps the rooms, says what has to be shown.
// Composed by main.js; never touches the DOM.

import { Emitter } from "../net/emitter.js";
import { Arrivals } from "./arrivals.js";
import { Following } from "./following.js";
import { Incoming } from "./incoming.js";
import { withChanges } from "./meanwhile.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/frames.js").ErrorFrame} ErrorFrame */
/** @typedef {import("../net/frames.js").SystemFrame} SystemFrame */
/** @typedef {import("./room.js").Room} Room */
/** @typedef {{room: Room, messages: Message[], change?: import("../net/frames.js").ChangeFrame, before?: Message}} Crowded */
/**
 * @typedef {object} ChatEvents
 * @property {Room} shown the current room has to be drawn anew
 * @property {{room: Room, put: Message[], news: boolean}} put messages of the current room came or changed; news: just now
 * @property {{room: Room, messages: Message[]}} changed messages of the current room are known in their state now, shown or not
 * @property {Crowded} crowded more people reacted to these messages than they name
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
  #fetchOlder;
  #following;
  #arrivals;

  /**
   * @param {object} parts
   * @param {import("../net/socket.js").ChatSocket} parts.socket
   * @param {import("../net/outbox.js").Outbox} parts.outbox
   * @param {import("../net/sender.js").Sender} parts.sender
   * @param {import("../net/clock.js").Clock} parts.clock
   * @param {typeof import("../net/messages.js").fetchOlder} parts.fetchOlder
   * @param {{id: string, name: string, role: string}} parts.me
   * @param {{slug: string, title: string}} parts.room
   */
  constructor({ socket, outbox, sender, clock, fetchOlder, me, room }) {
    super();
    this.#socket = socket;
    this.#outbox = outbox;
    this.#sender = sender;
    this.#fetchOlder = fetchOlder;
    this.#following = new Following({ socket, outbox, sender, me, room });
    this.#arrivals = new Arrivals({ following: this.#following, outbox, sender, me, told: this });
    const incoming = new Incoming({ socket, outbox, sender, clock, me, following: this.#following, arrivals: this.#arrivals, told: this });
    socket.on("frame", (frame) => incoming.take(frame));
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
    left.context = null;
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
   * @param {import("../net/frames.js").ReplyTo} [replyTo]
   */
  post(text, replyTo) {
    const entry = this.#outbox.add(this.current.slug, text, replyTo);
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

  /**
   * Puts an emoji on a message, or takes one's own away.
   * @param {string} id
   * @param {string} emoji
   * @param {boolean} remove
   */
  react(id, emoji, remove) {
    return this.#socket.send({ type: "react", room: this.current.slug, id, emoji, remove });
  }

  /**
   * @param {string} id
   * @param {boolean} pinned
   */
  pin(id, pinned) {
    return this.#socket.send({ type: pinned ? "pin" : "unpin", room: this.current.slug, id });
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
    const page = await withChanges(this, () => this.#fetchOlder(room.slug, before));
    room.loadingOlder = false;
    if (page === null || room.log.pagedFrom !== before) return page !== null;
    const put = room.log.older(page.messages, page.more);
    for (const message of put) this.#arrivals.settle(message);
    if (room === this.current && room.context === null) this.emit("older", { room, put });
    return true;
  }

  /** The page woke up or the network changed: asks for something, so that a dead line shows itself. */
  probe() {
    if (this.#socket.line.name !== "online") return this.#socket.hurry();
    this.#following.ask(this.current);
    this.#socket.expectFrame(PROBE_MS);
  }

  #closed() {
    this.#following.closed();
    this.emit("typing", this.current);
  }
}
