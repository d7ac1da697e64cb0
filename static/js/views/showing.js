// Shows what the chat says: events come up from it, calls go down to the parts of the page. Composed by chat_view.js.

import { refusalText } from "../state/refusals.js";

/** @typedef {import("../state/room.js").Room} Room */
/** @typedef {import("../net/frames.js").Message} Message */
/**
 * @typedef {object} Parts
 * @property {import("../state/chat.js").Chat} chat
 * @property {import("../net/outbox.js").Outbox} outbox
 * @property {ReturnType<typeof import("../dom/page_data.js").readPage>} page
 * @property {import("./timeline.js").Timeline} timeline
 * @property {import("./quotes.js").Quotes} quotes
 * @property {import("./writing.js").Writing} writing
 * @property {import("./acting.js").Acting} acting
 * @property {import("./look.js").Look} look
 * @property {import("./pins_link.js").PinsLink} pins
 * @property {import("./surroundings.js").Surroundings} around
 * @property {import("./edges.js").ToEnd} toEnd
 * @property {import("./reader.js").Reader} reader
 * @property {import("./people.js").PeopleList} people
 * @property {import("./people.js").TypingLine} typing
 * @property {() => Promise<void>} onWanted there is a line again: what could not be had may be had now
 */

export class Showing {
  #parts;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  listen() {
    const { chat, outbox, timeline, look, acting, writing, pins, people, typing } = this.#parts;
    chat.on("shown", (room) => this.#anew(room));
    chat.on("put", ({ room, put, news }) => this.#put(room, put, news));
    chat.on("changed", ({ messages }) => this.refresh(messages));
    chat.on("older", ({ room, put }) => {
      timeline.hold(() => {
        timeline.prepend(put);
        timeline.drawLine(room);
        look.showEdges(room);
      });
    });
    chat.on("trimmed", ({ room, gone }) => {
      timeline.hold(() => {
        timeline.drop(gone);
        look.showEdges(room);
      });
    });
    chat.on("acknowledged", (ack) => timeline.confirm(ack));
    chat.on("people", (room) => people.show(room.people));
    chat.on("typing", (room) => typing.show(room.typing));
    chat.on("line", (room) => {
      if (room.context !== null) return;
      timeline.hold(() => {
        timeline.drawLine(room);
        look.showEdges(room);
      });
    });
    chat.on("described", ({ room }) => room === chat.current && writing.fence(room));
    chat.on("refused", (error) => writing.note(refusalText(error)));
    chat.on("welcome", ({ limits }) => {
      writing.limit(limits.maxMessageLength);
      void this.#parts.onWanted();
      this.attend(); // what was looked at before there was a line is told as read now
    });
    for (const name of /** @type {const} */ (["added", "changed"])) {
      outbox.on(name, (entry) => entry.room === chat.current.slug && chat.current.context === null && timeline.pend(entry));
    }
    outbox.on("removed", (entry) => timeline.unpend(entry));
    timeline.onChange = () => acting.focus.settle();
    chat.on("shown", ({ slug }) => pins.enter(slug));
  }

  /** The page begins: what the server rendered is taken over. */
  start() {
    const { chat, outbox, page, timeline, look } = this.#parts;
    const { room: { slug }, epoch, seq, more, newer, at, readSeq, paging } = page;
    const room = chat.current;
    room.reading.start(readSeq);
    room.standing.apply(page);
    for (const link of document.querySelectorAll(".timeline__paging")) link.remove();
    if (paging) {
      history.replaceState(null, "", `/rooms/${slug}`);
      return this.draw(room, false);
    }
    const messages = timeline.adopt(slug);
    if (newer && at !== null) look.begin(at, { messages, more, newer });
    else {
      room.log.start({ epoch, seq, more, messages });
      room.reading.open(room.log.messages);
      for (const { nonce } of messages) if (nonce !== undefined) outbox.remove(nonce);
    }
    this.draw(room, true);
    if (room.context === null) timeline.reveal(room);
    if (at !== null) timeline.mark(at);
  }

  /** The page came to or lost the attention of its reader, or something came. */
  attend() {
    this.#parts.reader.attend();
  }

  /** @param {Message[]} messages in their state now: what shows something of them follows */
  refresh(messages) {
    const { chat, timeline, quotes, writing, pins } = this.#parts;
    if (chat.current.context !== null) timeline.update(messages);
    timeline.hold(() => quotes.refresh(messages));
    writing.refresh(messages);
    pins.refresh();
  }

  /**
   * @param {Room} room
   * @param {boolean} adopted its messages stand in the page already
   */
  draw(room, adopted) {
    const { outbox, timeline, look, people, typing, around, writing } = this.#parts;
    const entries = outbox.list(room.slug);
    if (adopted) timeline.adjoin(room, entries);
    else timeline.show(room, entries);
    people.show(room.people);
    typing.show(room.typing);
    look.showEdges(room);
    around.show(room);
    writing.enter(room);
    this.attend();
  }

  /**
   * @param {boolean} atEnd
   * @param {boolean} nearStart
   * @param {boolean} nearEnd
   */
  moved(atEnd, nearStart, nearEnd) {
    const { chat, toEnd, look } = this.#parts;
    const { context, log } = chat.current;
    toEnd.show(atEnd, context !== null);
    if (nearStart && (context?.more ?? (log.more && !log.held))) void look.older();
    if (nearEnd && context?.newer) void look.later();
    this.attend();
  }

  /** @param {Room} room the log begins anew: a context beside it is looked at further, unless it meets the log */
  #anew(room) {
    if (room.context === null) return this.draw(room, false);
    this.#parts.look.met();
    this.#parts.around.badge(room);
  }

  /**
   * @param {Room} room
   * @param {Message[]} messages
   * @param {boolean} news they came just now
   */
  #put(room, messages, news) {
    const { chat, timeline, toEnd, page } = this.#parts;
    const away = !timeline.atEnd;
    if (room.context === null) timeline.put(messages, news);
    const others = messages.some(({ userId, editedAt, deletedAt, notice, seq }) => {
      return userId !== page.me.id && !editedAt && !deletedAt && !notice && (news || seq > chat.current.reading.readSeq);
    });
    if (away && others) toEnd.announce();
    this.attend();
  }
}
