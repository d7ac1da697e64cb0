// Everything that is seen of the chat, composed: the parts, and how they call each other. What comes from the chat goes on
// in showing.js.

import { late } from "../dom/late.js";
import { fetchAround, fetchLater, fetchOlder, fetchPins, fetchSome } from "../net/messages.js";
import { Looking } from "../state/looking.js";
import { withChanges } from "../state/meanwhile.js";
import { Acting } from "./acting.js";
import { ToEnd } from "./edges.js";
import { Look } from "./look.js";
import { Navigation } from "./navigation.js";
import { PeopleList, TypingLine } from "./people.js";
import { PinsLink } from "./pins_link.js";
import { Quotes } from "./quotes.js";
import { Reader } from "./reader.js";
import { RefusedRows } from "./refused_rows.js";
import { Showing } from "./showing.js";
import { StatusLine } from "./status.js";
import { Surroundings } from "./surroundings.js";
import { Timeline } from "./timeline.js";
import { Writing } from "./writing.js";

export class ChatView {
  #chat;
  #socket;
  #parts;
  #showing;
  #own;

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
    const { me } = page;
    this.status = new StatusLine({ onTryNow: () => socket.hurry(), onSwitch: () => this.#switch() });
    const quotes = new Quotes({ find: (id) => chat.current.find(id), onWant: (id) => this.#want(id) });
    const timeline = new Timeline(me, quotes, (...place) => this.#showing.moved(...place));
    const looking = new Looking({ chat, fetchAround, fetchOlder, fetchLater });
    const reader = new Reader(chat, clock, () => timeline.atEnd);
    /** @type {Acting} */
    let acting;
    const writing = new Writing({
      chat,
      clock,
      page,
      onPosted: () => look.end(),
      onWant: (id) => this.#want(id),
      lastOwn: () => chat.current.log.messages.findLast((message) => acting.allowed(message).edit),
    });
    acting = new Acting({ chat, me, now: clock.now, writing });
    const look = new Look({
      chat,
      looking,
      timeline,
      onDraw: (room, adopted) => this.#showing.draw(room, adopted),
      onLooked: (at) => navigation.looked(at),
      onReturned: () => navigation.returned(),
      onEnter: (slug, title) => navigation.go(slug, title),
      onFail: (failure) => writing.note(failure),
    });
    const navigation = new Navigation({
      chat,
      start: page.room,
      startAt: page.at,
      onStay: () => {
        if (chat.current.context !== null) look.end();
        writing.rest();
      },
      onLook: (at) => (at === null ? chat.current.context !== null && look.end() : void look.jump(at, true)),
    });
    const toEnd = new ToEnd(() => {
      look.end();
      writing.rest();
    });
    const refused = new RefusedRows({
      onRetry: (nonce) => sender.retry(nonce),
      onDiscard: (nonce) => sender.discard(nonce),
      onDone: () => writing.rest(),
    });
    const around = new Surroundings({ chat, socket, clock, page, onEnter: navigation.go });
    const pins = new PinsLink({ fetchPins: () => fetchPins(chat.current.slug), onJump: (seq) => void look.jump(seq) });
    const people = new PeopleList();
    const typing = new TypingLine();
    this.#own = late(async () => {
      const { OwnReactions } = await import("../state/own_reactions.js");
      return new OwnReactions({ me, fetchSome, onLearnt: timeline.update });
    });
    this.#parts = { status: this.status, timeline, writing, acting, around, look, toEnd, refused, navigation, pins };
    this.#showing = new Showing({ ...this.#parts, chat, outbox, page, quotes, reader, people, typing, onWanted: () => this.#bring() });
  }

  connect() {
    this.#showing.listen();
    this.#chat.on("crowded", (crowded) => void this.#own().then((own) => own.take(crowded)).catch(() => {}));
    for (const part of Object.values(this.#parts)) part.connect();
    this.#showing.start();
  }

  /** The page came to or lost the attention of its reader. */
  attend() {
    this.#showing.attend();
  }

  /** The rooms in the order of the list, with what is unread in them. */
  choices = () => this.#parts.around.choices;

  /** Where the room that is looked at is searched. */
  get searchAddress() {
    return this.#parts.around.searchAddress;
  }

  /**
   * @param {string} slug
   * @param {string} title
   */
  enter = (slug, title) => this.#parts.navigation.go(slug, title);

  /** @returns {boolean} whether there was something to give up: an edit or a reply */
  endEdit = () => this.#parts.writing.cancel();

  /** @returns {boolean} whether the focus was among the messages */
  leaveMessages = () => this.#parts.acting.focus.has && this.#parts.writing.rest();

  /** @param {string} id of a message that is quoted and not held */
  #want(id) {
    this.#chat.current.originals.want(id);
    void this.#bring();
  }

  async #bring() {
    const room = this.#chat.current;
    const came = await room.originals.bring(async (ids) => {
      const page = await withChanges(this.#chat, async () => {
        const messages = await fetchSome(room.slug, ids);
        return messages && { messages };
      });
      return page?.messages ?? null;
    });
    if (room === this.#chat.current && came.length > 0) this.#showing.refresh(came);
  }

  #switch() {
    if (this.#socket.line.name === "offline" || this.#socket.line.name === "stopped") this.#socket.connect();
    else this.#socket.disconnect();
  }
}
