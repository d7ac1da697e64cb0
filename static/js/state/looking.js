// Looking at a message in its context: opens it, pages from it both ways, and ends it where it meets the log.
// The log goes on meanwhile as if nobody looked elsewhere.

import { Context } from "./context.js";
import { withChanges } from "./meanwhile.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("./context.js").Surroundings} Surroundings */
/** @typedef {(room: string, seq: number) => Promise<Surroundings | null>} FetchPage */

export class Looking {
  #chat;
  #fetchAround;
  #fetchOlder;
  #fetchLater;
  #paging = false;
  #asked = 0;

  /**
   * @param {object} parts
   * @param {import("./chat.js").Chat} parts.chat
   * @param {FetchPage} parts.fetchAround
   * @param {(room: string, seq: number) => Promise<{messages: Message[], more: boolean} | null>} parts.fetchOlder
   * @param {FetchPage} parts.fetchLater
   */
  constructor({ chat, fetchAround, fetchOlder, fetchLater }) {
    this.#chat = chat;
    this.#fetchAround = fetchAround;
    this.#fetchOlder = fetchOlder;
    this.#fetchLater = fetchLater;
  }

  /**
   * Looks at what stands around `seq` in the current room; where that meets the log, it is the log that is looked at.
   * @param {number} seq
   * @returns {Promise<"there" | "failed" | "gone">} gone: somebody went on meanwhile, or wants another one
   */
  async open(seq) {
    const room = this.#chat.current;
    const asked = (this.#asked += 1);
    const page = await withChanges(this.#chat, () => this.#fetchAround(room.slug, seq));
    if (room !== this.#chat.current || asked !== this.#asked) return "gone";
    if (page === null || page.messages.length === 0) return "failed";
    this.begin(seq, page);
    this.join();
    return "there";
  }

  /**
   * @param {number} seq
   * @param {Surroundings} page
   */
  begin(seq, page) {
    this.#chat.current.context = new Context(seq, page);
  }

  /**
   * The context becomes a part of the log as soon as nothing lies between them.
   * @returns {boolean} whether it did
   */
  join() {
    const { context, log } = this.#chat.current;
    if (!context?.meets(log)) return false;
    const { pagedFrom } = log; // what is newer comes, or has come, as the log itself
    log.older(context.messages.filter(({ seq }) => seq < pagedFrom), context.more);
    this.close();
    return true;
  }

  /** Back to the log. */
  close() {
    this.#asked += 1;
    this.#chat.current.context = null;
  }

  /** @returns {Promise<Message[] | null>} the page before; null when it could not be had */
  older() {
    return this.#page((room, context) => this.#fetchOlder(room, context.oldestSeq), (context, page) => context.older({ newer: true, ...page }));
  }

  /** @returns {Promise<Message[] | null>} the page after; null when it could not be had */
  later() {
    return this.#page((room, context) => this.#fetchLater(room, context.newestSeq), (context, page) => context.later(page));
  }

  /** Whether a page is on its way. */
  get busy() {
    return this.#paging;
  }

  /**
   * One at a time; nothing for a context that ended meanwhile.
   * @template {{messages: Message[]}} Page
   * @param {(room: string, context: Context) => Promise<Page | null>} fetchPage
   * @param {(context: Context, page: Page) => Message[]} put
   */
  async #page(fetchPage, put) {
    const { slug, context } = this.#chat.current;
    if (context === null || this.#paging) return [];
    this.#paging = true;
    const page = await withChanges(this.#chat, () => fetchPage(slug, context));
    this.#paging = false;
    if (this.#chat.current.context !== context) return [];
    return page === null ? null : put(context, page);
  }
}
