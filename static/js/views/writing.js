// Everything about the field: its draft, what it answers, whether one may write here, names that are completed.

import { find } from "../dom/find.js";
import { late } from "../dom/late.js";
import { fetchNames } from "../net/messages.js";
import { Drafts } from "../state/drafts.js";
import { Throttle } from "../state/throttle.js";
import { t } from "../words.js";
import { Composer } from "./composer.js";
import { ReplyBar } from "./reply_bar.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../state/room.js").Room} Room */

const TYPING_MS = 2_000;

export class Writing {
  #text = find("#composer-text", HTMLTextAreaElement);
  #chat;
  #drafts;
  #composer;
  #bar = new ReplyBar(() => this.#answer(null));
  #completion;
  #calls;
  /** What the message that is edited said when that began. @type {string | undefined} */
  #edited;
  /** The slug of the room whose draft stands there. */
  #drawn = "";

  /**
   * @param {object} parts
   * @param {import("../state/chat.js").Chat} parts.chat
   * @param {import("../net/clock.js").Clock} parts.clock
   * @param {ReturnType<typeof import("../dom/page_data.js").readPage>} parts.page
   * @param {() => void} parts.onPosted something was posted: its place is the end
   * @param {(id: string) => void} parts.onWant a message is answered that is not held
   * @param {() => Message | undefined} parts.lastOwn what ↑ edits
   */
  constructor({ chat, clock, page, onPosted, onWant, lastOwn }) {
    this.#chat = chat;
    this.#calls = { onPosted, onWant };
    this.#drafts = new Drafts(localStorage, page.me.id);
    const typing = new Throttle(clock, TYPING_MS, () => chat.typing());
    this.#composer = new Composer(page.maxMessageLength, {
      onPost: (text) => this.#post(text),
      onEdit: (id, text) => this.#edit(id, text),
      onInput: (text) => this.#drafts.set(chat.current.slug, text),
      onTyping: () => typing.orNever(),
      lastOwn: () => {
        const message = lastOwn();
        this.#edited = message?.text;
        return message;
      },
    });
    this.#completion = late(async () => {
      const { Completion } = await import("./completion.js");
      const completion = new Completion({
        clock,
        fetchNames: (query, signal) => fetchNames(chat.current.slug, query, signal),
        mayCallHere: () => chat.current.standing.may("here"),
      });
      completion.connect();
      return completion;
    });
  }

  connect() {
    for (const part of [this.#composer, this.#bar]) part.connect();
    for (const name of ["input", "click"]) this.#text.addEventListener(name, this.#looked);
  }

  disconnect() {
    for (const part of [this.#composer, this.#bar]) part.disconnect();
    for (const name of ["input", "click"]) this.#text.removeEventListener(name, this.#looked);
  }

  #looked = () => {
    if (this.#text.value.includes("@")) void this.#completion();
  };

  /** @param {Room} room is shown: its draft, once, and what may be written in it */
  enter(room) {
    if (room.slug !== this.#drawn) {
      this.#drawn = room.slug;
      const reply = this.#drafts.reply(room.slug);
      const original = reply === null ? undefined : room.find(reply.id);
      if (reply !== null && original === undefined) this.#calls.onWant(reply.id);
      this.#bar.show(reply, original);
      this.fence(room);
      this.#composer.enter(room.title, this.#drafts.get(room.slug));
    } else this.fence(room);
  }

  /** @param {Room} room what may be done in it was told */
  fence({ standing }) {
    if (standing.may("post")) this.#composer.close("");
    else this.#composer.close(standing.archived ? t("This room is archived.") : t("Only moderators write here."));
  }

  /** @param {number} limit the longest message, in code points */
  limit(limit) {
    this.#composer.limit = limit;
  }

  /** @param {string} failure what went wrong; "": nothing */
  note(failure) {
    this.#composer.note(failure, failure === "" ? "" : "failure");
  }

  rest() {
    return this.#composer.rest();
  }

  /** @param {Message} message will be answered */
  reply({ id, seq, from, userId }) {
    this.#composer.endEdit();
    this.#answer({ id, seq, from, userId });
    this.#composer.focus();
  }

  /** @param {Message} message one's own */
  edit(message) {
    this.#edited = message.text;
    this.#composer.edit(message);
  }

  /** @returns {boolean} whether there was an edit or a reply to give up */
  cancel() {
    if (this.#composer.cancel()) return true;
    if (this.#bar.current === null) return false;
    this.#answer(null);
    return true;
  }

  /** @param {Message[]} messages in their state now */
  refresh(messages) {
    this.#bar.refresh(messages);
    const edited = messages.find(({ id }) => id === this.#composer.editing);
    if (edited !== undefined && edited.text !== this.#edited) this.#composer.endEdit(); // a reaction changes no text
  }

  /** @param {import("../net/frames.js").ReplyTo | null} reply */
  #answer(reply) {
    const { slug } = this.#chat.current;
    this.#drafts.answer(slug, reply);
    this.#bar.show(reply, reply === null ? undefined : this.#chat.current.find(reply.id));
    if (reply === null) this.#composer.rest();
  }

  /** @param {string} text */
  #post(text) {
    const reply = this.#bar.current;
    if (reply !== null) this.#answer(null);
    this.#chat.post(text, reply ?? undefined);
    this.#calls.onPosted();
  }

  /**
   * @param {string} id
   * @param {string} text
   */
  #edit(id, text) {
    const message = this.#chat.current.find(id);
    if (message?.text === text) return this.#composer.endEdit();
    if (!this.#chat.edit(id, text)) this.note(t("There is no connection: the change is not saved yet."));
  }
}
