// Fills the rows of stored messages: the message itself, what stands beside it, what it answers and whom it names.

import { find } from "../dom/find.js";
import { permalink } from "../state/permalinks.js";
import { fillMarks } from "./marks.js";
import { markMentions } from "./mention_marks.js";
import { fillStored, readRow } from "./row.js";

/** @typedef {import("../net/frames.js").Message} Message */

export class StoredRows {
  #me;
  #quotes;

  /**
   * @param {{id: string, name: string}} me
   * @param {import("./quotes.js").Quotes} quotes
   */
  constructor(me, quotes) {
    this.#me = me;
    this.#quotes = quotes;
  }

  /**
   * @param {HTMLElement} row
   * @param {Message} message
   */
  fill(row, message) {
    fillStored(row, message, this.#me);
    this.quote(row, message);
    this.#standOut(row, message);
    return row;
  }

  /**
   * Takes over a row that the server rendered, and gives it back as a message.
   * @param {HTMLElement} row
   * @param {string} room
   */
  adopt(row, room) {
    const message = readRow(row, room, this.#me);
    row.dataset.sentAt = message.sentAt;
    fillMarks(row, message, this.#me);
    this.quote(row, message);
    this.#standOut(row, message);
    return message;
  }

  /**
   * @param {HTMLElement} row
   * @param {Pick<Message, "room" | "replyTo">} message
   */
  quote(row, { room, replyTo }) {
    this.#quotes.fill(row, permalink(room, replyTo?.seq ?? 0), replyTo);
  }

  /**
   * @param {HTMLElement} row
   * @param {Message} message
   */
  #standOut(row, { userId, deletedAt, mentions, here }) {
    const body = find(".message__body", HTMLElement, row);
    for (const code of body.querySelectorAll("pre")) code.tabIndex = 0; // it may have to be scrolled sideways
    const others = userId !== this.#me.id && !deletedAt;
    const names = [...(mentions?.includes(this.#me.id) ? [this.#me.name] : []), ...(here ? ["here"] : [])];
    markMentions(row, body, others ? names : []);
  }
}
