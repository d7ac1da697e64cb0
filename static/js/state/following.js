// Which rooms the present line follows: the one looked at and those the outbox still has something for.

import { Room } from "./room.js";

export class Following {
  #socket;
  #outbox;
  #sender;
  #me;
  /** @type {Map<string, Room>} */
  #rooms = new Map();

  /**
   * @param {object} parts
   * @param {{send(event: object): boolean, readonly line: {name: string}}} parts.socket
   * @param {import("../net/outbox.js").Outbox} parts.outbox
   * @param {import("../net/sender.js").Sender} parts.sender
   * @param {{id: string, role: string}} parts.me
   * @param {{slug: string, title: string}} parts.room
   */
  constructor({ socket, outbox, sender, me, room }) {
    this.#socket = socket;
    this.#outbox = outbox;
    this.#sender = sender;
    this.#me = me;
    this.current = this.room(room.slug, room.title);
  }

  get rooms() {
    return [...this.#rooms.values()];
  }

  /**
   * The room of that slug, known or new.
   * @param {string} slug
   */
  room(slug, title = slug) {
    const room = this.#rooms.get(slug) ?? new Room(slug, title, this.#me);
    this.#rooms.set(slug, room);
    return room;
  }

  /** @param {string} slug */
  drop(slug) {
    this.#rooms.delete(slug);
    this.#sender.closeRoom(slug);
  }

  /** A line is there: it joined the current room by its address, the others have to be asked for. */
  followWaiting() {
    for (const slug of this.#outbox.rooms()) if (slug !== this.current.slug) this.follow(this.room(slug));
  }

  /** @param {Room} room */
  follow(room) {
    if (!room.followed && !room.resuming && this.#socket.line.name === "online") this.ask(room);
  }

  /** @param {Room} room something is missing in it */
  resume(room) {
    if (room.followed && !room.resuming) this.ask(room);
  }

  /** @param {Room} room */
  ask(room) {
    room.resuming = this.#socket.send({ type: "join", room: room.slug, ...room.log.cursor });
  }

  /**
   * A heartbeat tells up to where everything was sent: whoever knows less has lost something.
   * @param {Record<string, number>} heads
   */
  compare(heads) {
    for (const [slug, head] of Object.entries(heads)) {
      const room = this.room(slug);
      if (head > (room.log.position ?? 0)) this.resume(room);
    }
  }

  /** Rooms nobody looks at and nothing waits for are left; the server counts their unread messages then. */
  leaveIdle() {
    const busy = this.#outbox.rooms();
    for (const room of this.rooms) {
      if (room === this.current || !room.followed || busy.has(room.slug)) continue;
      if (!this.#socket.send({ type: "leave", room: room.slug })) continue;
      room.followed = false;
      this.#sender.closeRoom(room.slug);
    }
  }

  closed() {
    this.#sender.closeLine();
    for (const room of this.rooms) {
      room.followed = false;
      room.resuming = false;
      room.log.disconnect();
      room.typing.clear();
    }
  }
}
