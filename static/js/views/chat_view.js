// Everything that is seen of the chat, wired to the chat itself: events come up, calls go down.

import { Drafts } from "../state/drafts.js";
import { allowedOn } from "../state/permissions.js";
import { refusalText } from "../state/refusals.js";
import { Throttle } from "../state/throttle.js";
import { t } from "../words.js";
import { Composer } from "./composer.js";
import { Past, ToEnd } from "./edges.js";
import { MessageFocus } from "./message_focus.js";
import { MessageMenu } from "./message_menu.js";
import { Navigation } from "./navigation.js";
import { PeopleList, TypingLine } from "./people.js";
import { Reader } from "./reader.js";
import { RefusedRows } from "./refused_rows.js";
import { StatusLine } from "./status.js";
import { Surroundings } from "./surroundings.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("../state/room.js").Room} Room */
/** @typedef {import("../net/frames.js").Message} Message */

const TYPING_MS = 2_000;

export class ChatView {
  #chat;
  #socket;
  #outbox;
  #page;
  #drafts;
  #timeline;
  #composer;
  #focus;
  #menu;
  #around;
  #people = new PeopleList();
  #typing = new TypingLine();
  #past;
  #toEnd;
  #refused;
  #navigation;
  #reader;

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
    this.#page = page;
    this.#drafts = new Drafts(localStorage, page.me.id);
    const typing = new Throttle(clock, TYPING_MS, () => chat.typing());
    this.status = new StatusLine({ onTryNow: () => socket.hurry(), onSwitch: () => this.#switch() });
    this.#timeline = new Timeline(page.me, (atEnd, nearStart) => this.#moved(atEnd, nearStart));
    this.#past = new Past(() => chat.loadOlder());
    this.#toEnd = new ToEnd(() => {
      this.#timeline.toEnd();
      this.#composer.rest();
    });
    this.#reader = new Reader(chat, clock, () => this.#timeline.atEnd);
    this.#navigation = new Navigation({ chat, start: page.room, onStay: () => this.#composer.rest() });
    this.#refused = new RefusedRows({
      onRetry: (nonce) => sender.retry(nonce),
      onDiscard: (nonce) => sender.discard(nonce),
      onDone: () => this.#composer.rest(),
    });
    this.#around = new Surroundings({ chat, socket, clock, page, onEnter: this.#navigation.go });
    this.#composer = new Composer(page.maxMessageLength, {
      onPost: (text) => this.#post(text),
      onEdit: (id, text) => this.#edit(id, text),
      onInput: (text) => this.#drafts.set(chat.current.slug, text),
      onTyping: () => typing.orNever(),
      lastOwn: () => chat.current.log.messages.findLast((message) => allowedOn(message, page.me, clock.now()).edit),
    });
    this.#focus = new MessageFocus((row) => this.#menu.open(row));
    this.#menu = new MessageMenu({
      find: (id) => chat.current.log.get(id),
      allowed: (message) => allowedOn(message, page.me, clock.now()),
      onEdit: (message) => this.#composer.edit(message),
      onDelete: ({ id }, row, byKey) => {
        if (!chat.delete(id)) return this.#composer.note(t("There is no connection: nothing was deleted."), "failure");
        if (!byKey || !this.#focus.leave(row)) this.#composer.rest();
      },
    });
  }

  connect() {
    this.#listen();
    const { status } = this;
    const parts = [status, this.#timeline, this.#composer, this.#menu, this.#around, this.#past, this.#toEnd, this.#refused];
    for (const part of [...parts, this.#navigation, this.#focus]) part.connect();
    this.#startRoom();
  }

  /** The page came to or lost the attention of its reader. */
  attend() {
    this.#reader.attend();
  }

  /** The rooms in the order of the list, with what is unread in them. */
  choices = () => this.#around.choices;

  /** Where the room that is looked at is searched. */
  get searchAddress() {
    return this.#around.searchAddress;
  }

  /**
   * @param {string} slug
   * @param {string} title
   */
  enter = (slug, title) => this.#navigation.go(slug, title);

  /** @returns {boolean} whether there was something to end: an edit, or being among the messages */
  endEdit = () => this.#composer.cancel();

  /** @returns {boolean} whether the focus was among the messages */
  leaveMessages = () => this.#focus.has && this.#composer.rest();

  #startRoom() {
    const { room: { slug }, epoch, seq, more, readSeq, paging } = this.#page;
    const room = this.#chat.current;
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
    chat.on("put", ({ put, news }) => this.#put(put, news));
    chat.on("older", ({ room, put }) => {
      this.#timeline.hold(() => {
        this.#timeline.prepend(put);
        this.#timeline.drawLine(room);
        this.#past.show(room);
      });
    });
    chat.on("trimmed", ({ room, gone }) => {
      this.#timeline.hold(() => {
        this.#timeline.drop(gone);
        this.#past.show(room);
      });
    });
    chat.on("acknowledged", (ack) => this.#timeline.confirm(ack));
    chat.on("people", ({ people }) => this.#people.show(people.names, people.online));
    chat.on("typing", (room) => this.#typing.show(room.typing));
    chat.on("line", (room) => {
      this.#timeline.hold(() => {
        this.#timeline.drawLine(room);
        this.#past.show(room);
      });
    });
    chat.on("refused", (error) => this.#composer.note(refusalText(error), "failure"));
    chat.on("welcome", ({ limits }) => {
      this.#composer.limit = limits.maxMessageLength;
      this.attend(); // what was looked at before there was a line is told as read now
    });
    for (const name of /** @type {const} */ (["added", "changed"])) {
      this.#outbox.on(name, (entry) => entry.room === chat.current.slug && this.#timeline.pend(entry));
    }
    this.#outbox.on("removed", (entry) => this.#timeline.unpend(entry));
    this.#timeline.onChange = () => this.#focus.settle();
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
    this.#past.show(room);
    this.#around.show(room);
    if (room.slug !== this.#drawn) this.#composer.enter(room.title, this.#drafts.get(room.slug));
    this.#drawn = room.slug;
    this.attend();
  }

  #drawn = "";

  /**
   * @param {Message[]} messages
   * @param {boolean} news they came just now
   */
  #put(messages, news) {
    const away = !this.#timeline.atEnd;
    this.#timeline.put(messages, news);
    const others = messages.some((message) => message.userId !== this.#page.me.id && !message.editedAt && !message.deletedAt);
    if (away && others) this.#toEnd.announce();
    if (messages.some(({ id }) => id === this.#composer.editing)) this.#composer.endEdit();
    this.attend();
  }

  /**
   * @param {boolean} atEnd
   * @param {boolean} nearStart
   */
  #moved(atEnd, nearStart) {
    this.#toEnd.show(atEnd);
    if (nearStart && this.#chat.current.log.more && !this.#chat.current.log.held) void this.#chat.loadOlder();
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

  #switch() {
    if (this.#socket.line.name === "offline" || this.#socket.line.name === "stopped") this.#socket.connect();
    else this.#socket.disconnect();
  }
}
