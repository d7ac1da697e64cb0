// Everything that is seen of the chat, wired to the chat itself: events come up, calls go down.

import { isAttended } from "../dom/attention.js";
import { find } from "../dom/find.js";
import { Drafts } from "../state/drafts.js";
import { allowedOn } from "../state/permissions.js";
import { refusalText } from "../state/refusals.js";
import { Throttle } from "../state/throttle.js";
import { Composer } from "./composer.js";
import { MessageMenu } from "./message_menu.js";
import { Past, ToEnd } from "./edges.js";
import { PeopleList, TypingLine } from "./people.js";
import { RoomList } from "./rooms.js";
import { StatusLine } from "./status.js";
import { Timeline } from "./timeline.js";
import { t } from "../words.js";

/** @typedef {import("../state/room.js").Room} Room */
/** @typedef {import("../net/frames.js").Message} Message */

const READ_MS = 1_000;
const TYPING_MS = 2_000;

export class ChatView {
  #chat;
  #socket;
  #outbox;
  #sender;
  #page;
  #drafts;
  #timeline;
  #composer;
  #menu;
  #rooms;
  #people = new PeopleList();
  #typing = new TypingLine();
  #past;
  #toEnd;
  #reading;

  /**
   * @param {object} parts
   * @param {import("../state/chat.js").Chat} parts.chat
   * @param {import("../net/socket.js").ChatSocket} parts.socket
   * @param {import("../net/outbox.js").Outbox} parts.outbox
   * @param {import("../net/sender.js").Sender} parts.sender
   * @param {import("../net/clock.js").Clock} parts.clock
   * @param {ReturnType<typeof import("../dom/page_data.js").readPage>} parts.page
   */
  constructor({ chat, socket, outbox, sender, clock, page }) {
    this.#chat = chat;
    this.#socket = socket;
    this.#outbox = outbox;
    this.#sender = sender;
    this.#page = page;
    this.#drafts = new Drafts(localStorage, page.me.id);
    this.#reading = new Throttle(clock, READ_MS, () => this.#read());
    const typing = new Throttle(clock, TYPING_MS, () => chat.typing());
    this.status = new StatusLine({ onTryNow: () => socket.hurry(), onSwitch: () => this.#switch() });
    this.#timeline = new Timeline(page.me, (atEnd, nearStart) => this.#moved(atEnd, nearStart));
    this.#past = new Past(() => chat.loadOlder());
    this.#toEnd = new ToEnd(() => this.#timeline.toEnd());
    this.#rooms = new RoomList({
      onEnter: (slug, title) => this.#go(slug, title),
      onTitle: (slug, title) => (chat.room(slug).title = title),
      fetchRooms: async () => (await fetch("/rooms")).text(),
    });
    this.#composer = new Composer(page.maxMessageLength, {
      onPost: (text) => this.#post(text),
      onEdit: (id, text) => this.#edit(id, text),
      onInput: (text) => this.#drafts.set(chat.current.slug, text),
      onTyping: () => typing.orNever(),
      lastOwn: () => chat.current.log.messages.findLast((message) => allowedOn(message, page.me, clock.now()).edit),
    });
    this.#menu = new MessageMenu({
      find: (id) => chat.current.log.get(id),
      allowed: (message) => allowedOn(message, page.me, clock.now()),
      onEdit: (message) => this.#composer.edit(message),
      onDelete: ({ id }) => chat.delete(id) || this.#composer.note(t("There is no connection: nothing was deleted."), "failure"),
    });
  }

  connect() {
    this.#listen();
    for (const part of [this.status, this.#timeline, this.#composer, this.#menu, this.#rooms, this.#past, this.#toEnd]) part.connect();
    find("#messages", HTMLElement).addEventListener("click", (event) => this.#settle(event));
    window.addEventListener("popstate", (event) => {
      const room = event.state?.room ?? this.#page.room;
      this.#chat.enter(room.slug, room.title);
    });
    this.#startRoom();
  }

  /** The page came to or lost the attention of its reader. */
  attend() {
    const attended = isAttended() && this.#timeline.atEnd;
    this.#chat.attend(attended);
    if (attended) this.#reading.soon();
  }

  #startRoom() {
    const { room: { slug }, epoch, seq, more, readSeq, paging } = this.#page;
    const room = this.#chat.current;
    for (const { slug, title, count, mentions } of this.#rooms.read()) {
      if (slug !== room.slug) this.#chat.room(slug, title).reading.told(count, mentions);
    }
    room.reading.start(readSeq);
    if (paging) history.replaceState(null, "", `/rooms/${slug}`);
    else {
      room.log.start({ epoch, seq, more, messages: this.#timeline.adopt(slug) });
      room.reading.open(room.log.messages);
      for (const message of room.log.messages) {
        if (message.nonce !== undefined) this.#outbox.remove(message.nonce);
      }
    }
    this.#draw(room, !paging);
  }

  #listen() {
    const chat = this.#chat;
    chat.on("shown", (room) => this.#draw(room, false));
    chat.on("put", ({ put }) => this.#put(put));
    chat.on("older", ({ room, put }) => {
      this.#timeline.hold(() => {
        this.#timeline.prepend(put);
        this.#timeline.drawLine(room);
        this.#past.show(room.log);
      });
    });
    chat.on("trimmed", ({ room, gone }) => {
      this.#timeline.hold(() => {
        this.#timeline.drop(gone);
        this.#past.show(room.log);
      });
    });
    chat.on("acknowledged", (ack) => this.#timeline.confirm(ack));
    chat.on("people", ({ people }) => this.#people.show(people.names, people.online));
    chat.on("typing", (room) => this.#typing.show(room.typing));
    chat.on("line", (room) => this.#timeline.hold(() => this.#timeline.drawLine(room)));
    chat.on("badge", (room) => this.#badge(room));
    chat.on("removed", (room) => this.#removed(room));
    chat.on("refused", (error) => this.#composer.note(refusalText(error), "failure"));
    chat.on("welcome", ({ limits }) => (this.#composer.limit = limits.maxMessageLength));
    this.#outbox.on("added", (entry) => entry.room === chat.current.slug && this.#timeline.pend(entry));
    this.#outbox.on("changed", (entry) => entry.room === chat.current.slug && this.#timeline.pend(entry));
    this.#outbox.on("removed", (entry) => this.#timeline.unpend(entry));
  }

  /**
   * @param {Room} room
   * @param {boolean} adopted its messages stand in the page already
   */
  #draw(room, adopted) {
    const entries = this.#outbox.list(room.slug);
    if (adopted) {
      for (const entry of entries) this.#timeline.pend(entry);
      this.#timeline.reveal(room);
    } else this.#timeline.show(room, entries);
    this.#people.show(room.people.names, room.people.online);
    this.#typing.show(room.typing);
    this.#past.show(room.log);
    for (const element of document.querySelectorAll("#room-title, [data-room-title]")) element.textContent = room.title;
    this.#rooms.mark(room);
    this.#badge(room);
    if (room.slug !== this.#drawn) this.#composer.enter(room.title, this.#drafts.get(room.slug));
    this.#drawn = room.slug;
    this.attend();
  }

  #drawn = "";

  /** @param {Message[]} messages */
  #put(messages) {
    const away = !this.#timeline.atEnd;
    this.#timeline.put(messages);
    const others = messages.some((message) => message.userId !== this.#page.me.id && !message.editedAt && !message.deletedAt);
    if (away && others) this.#toEnd.announce();
    if (messages.some(({ id }) => id === this.#composer.editing)) this.#composer.endEdit();
    this.attend();
  }

  /** @param {Room} room */
  #badge(room) {
    this.#rooms.badge(room);
    this.#rooms.title(this.#chat.current, this.#chat.rooms);
  }

  /**
   * @param {boolean} atEnd
   * @param {boolean} nearStart
   */
  #moved(atEnd, nearStart) {
    this.#toEnd.show(atEnd);
    if (nearStart && this.#chat.current.log.more && !this.#chat.current.log.missed) void this.#chat.loadOlder();
    this.attend();
  }

  /** @param {string} text */
  #post(text) {
    this.#chat.post(text);
    this.#timeline.toEnd();
  }

  /**
   * @param {string} id
   * @param {string} text
   */
  #edit(id, text) {
    const message = this.#chat.current.log.get(id);
    if (message?.text === text) return this.#composer.endEdit();
    if (!this.#chat.edit(id, text)) this.#composer.note(t("There is no connection: the change is not saved yet."), "failure");
  }

  #read() {
    if (isAttended() && this.#timeline.atEnd) this.#chat.read();
  }

  /** @param {MouseEvent} event "try again" or "discard" under a refused message */
  #settle(event) {
    const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const row = button?.closest(".message");
    if (!(button instanceof HTMLElement) || !(row instanceof HTMLElement)) return;
    const { nonce = "" } = row.dataset;
    if (button.dataset.action === "retry") this.#sender.retry(nonce);
    if (button.dataset.action === "discard") this.#sender.discard(nonce);
    if (button.dataset.action !== "menu") this.#composer.focus();
  }

  /**
   * @param {string} slug
   * @param {string} title
   */
  #go(slug, title) {
    for (const drawer of document.querySelectorAll(".drawer--open")) drawer.classList.remove("drawer--open");
    if (slug === this.#chat.current.slug) return this.#composer.focus();
    history.pushState({ room: { slug, title } }, "", `/rooms/${slug}`);
    this.#chat.enter(slug, title);
  }

  #switch() {
    if (this.#socket.line.name === "offline" || this.#socket.line.name === "stopped") this.#socket.connect();
    else this.#socket.disconnect();
  }

  /** @param {Room} room */
  #removed(room) {
    this.#rooms.drop(room);
    if (room === this.#chat.current) location.assign("/rooms");
  }
}
