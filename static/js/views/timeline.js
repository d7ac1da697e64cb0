// The messages of the room that is looked at: stored ones by seq, those on their way behind them.

import { find } from "../dom/find.js";
import { Scroller } from "../dom/scroller.js";
import { localiseTimes } from "../dom/time.js";
import { permalink } from "../state/permalinks.js";
import { DayNames, decorate, placeUnreadLine } from "./lines.js";
import { fillMarks } from "./marks.js";
import { markMentions } from "./mention_marks.js";
import { PendingRows } from "./pending_rows.js";
import { placeRow, takeRow } from "./places.js";
import { fillStored, newRow, readRow } from "./row.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/outbox.js").Entry} Entry */
/** @typedef {import("../state/room.js").Room} Room */

export class Timeline {
  #box = find("#timeline", HTMLElement);
  #list = find("#messages", HTMLElement);
  #me;
  #scroller;
  #days = new DayNames(this.#list);
  #quotes;
  #pending;
  /** @type {Map<string, HTMLElement>} */
  #byId = new Map();
  /** @type {HTMLElement | null} */
  #marked = null;
  /** Told after every change of the list. */
  onChange = () => {};

  /**
   * @param {{id: string, name: string}} me
   * @param {import("./quotes.js").Quotes} quotes
   * @param {(atEnd: boolean, nearStart: boolean, nearEnd: boolean) => void} onMove
   */
  constructor(me, quotes, onMove) {
    this.#me = me;
    this.#quotes = quotes;
    this.#pending = new PendingRows({
      list: this.#list,
      byId: this.#byId,
      me,
      onFill: (row, { room, replyTo }) => quotes.fill(row, permalink(room, replyTo?.seq ?? 0), replyTo),
    });
    this.#scroller = new Scroller(this.#box, this.#list, onMove);
  }

  connect() {
    this.#scroller.connect();
    this.#days.connect();
    this.#pending.connect();
  }

  disconnect() {
    this.#scroller.disconnect();
    this.#days.disconnect();
    this.#pending.disconnect();
  }

  get atEnd() {
    return this.#scroller.atEnd;
  }

  toEnd() {
    this.#scroller.toEnd();
  }

  /** @param {() => void} change of the list or what stands around it, without moving what is looked at */
  hold(change) {
    this.#scroller.hold(change);
  }

  /**
   * Takes over what the server rendered, and gives it back as messages.
   * @param {string} room
   * @returns {Message[]}
   */
  adopt(room) {
    const rows = [...this.#list.querySelectorAll(".message")].filter((row) => row instanceof HTMLElement);
    const messages = rows.map((row) => readRow(row, room, this.#me));
    rows.forEach((row, index) => {
      const message = /** @type {Message} */ (messages[index]);
      row.dataset.sentAt = message.sentAt;
      this.#byId.set(message.id, row);
      fillMarks(row, message, this.#me);
      this.#quotes.fill(row, permalink(room, message.replyTo?.seq ?? 0), message.replyTo);
      this.#standOut(row, message);
      if (row.classList.contains("message--marked")) this.#marked = row;
    });
    localiseTimes(this.#list);
    for (const row of rows) decorate(row);
    return messages;
  }

  /**
   * Draws a room anew: its log, the view at the first unread message or the end, or the context that is looked at.
   * @param {Room} room
   * @param {Entry[]} entries what of it is on its way
   */
  show(room, entries) {
    this.#byId.clear();
    this.#pending.clear();
    this.#marked = null;
    const { messages } = room.context ?? room.log;
    this.#list.replaceChildren(...messages.map((message) => this.#store(newRow(), message)));
    for (const row of this.#byId.values()) decorate(row);
    this.#scroller.loose = room.context !== null;
    if (room.context === null) {
      for (const entry of entries) this.#pending.put(entry);
      this.reveal(room);
    }
    this.onChange();
  }

  /** @param {Room} room shows its end, or its first unread message where that is further up */
  reveal(room) {
    this.#scroller.toEnd();
    const line = this.drawLine(room);
    if (line !== null) this.#scroller.reveal(line);
  }

  /**
   * Without a redrawing: what is shown of a context has become a part of the log, or the page begins with a context.
   * @param {Room} room
   * @param {Entry[]} entries
   */
  adjoin(room, entries) {
    this.#scroller.loose = room.context !== null;
    if (room.context !== null) return;
    this.put(room.log.messages.filter(({ id }) => !this.#byId.has(id)), false);
    for (const entry of entries) this.pend(entry);
    this.hold(() => this.drawLine(room));
  }

  /**
   * @param {number} seq
   * @returns {HTMLElement | null} its message, in view, with the mark and the focus
   */
  mark(seq) {
    const row = document.getElementById(`message-${seq}`);
    if (row === null || !this.#list.contains(row)) return null;
    this.#marked?.classList.remove("message--marked");
    this.#marked = row;
    row.classList.add("message--marked");
    this.#scroller.goTo(row);
    row.focus({ preventScroll: true });
    return row;
  }

  /** @param {Message[]} messages those of them that are shown are drawn in their state now */
  update(messages) {
    this.put(messages.filter(({ id }) => this.#byId.has(id)), false);
  }

  /**
   * @param {Message[]} messages new or changed, oldest first
   * @param {boolean} news they came just now: those of others are read out
   */
  put(messages, news) {
    this.#scroller.hold(() => {
      for (const message of messages) {
        const pending = message.userId === this.#me.id ? this.#pending.get(message.nonce ?? "") : undefined;
        const known = this.#byId.get(message.id) ?? pending;
        const row = known ?? newRow();
        row.ariaLive = news && known === undefined && message.userId !== this.#me.id ? null : "off";
        if (pending !== undefined && pending !== row) takeRow(this.#list, pending);
        placeRow(this.#list, this.#store(row, message), message.seq);
      }
    });
    this.onChange();
  }

  /** @param {Message[]} messages a page of the past, oldest first */
  prepend(messages) {
    this.#scroller.hold(() => {
      const next = this.#list.querySelector(".message");
      const rows = messages.map((message) => this.#store(newRow(), message));
      this.#list.prepend(...rows);
      for (const row of rows) decorate(row);
      if (next instanceof HTMLElement) decorate(next);
    });
  }

  /** @param {Message[]} messages let go from the start */
  drop(messages) {
    this.#scroller.hold(() => {
      for (const { id } of messages) {
        this.#byId.get(id)?.remove();
        this.#byId.delete(id);
      }
      const first = this.#list.querySelector(".message");
      while (first !== null && first.previousElementSibling !== null) first.previousElementSibling.remove();
      if (first instanceof HTMLElement) decorate(first);
    });
  }

  /** @param {Entry} entry new or changed in the outbox */
  pend(entry) {
    this.hold(() => this.#pending.put(entry));
    this.onChange();
  }

  /** @param {{nonce: string, id: string, seq: number}} ack */
  confirm(ack) {
    this.hold(() => this.#pending.confirm(ack));
  }

  /** @param {Entry} entry gone from the outbox */
  unpend(entry) {
    this.hold(() => this.#pending.drop(entry));
    this.onChange();
  }

  /** @param {Room} room */
  drawLine(room) {
    return placeUnreadLine(this.#list, room.reading.lineAfter, this.#me.id);
  }

  /**
   * @param {HTMLElement} row
   * @param {Message} message
   */
  #store(row, message) {
    fillStored(row, message, this.#me);
    this.#byId.set(message.id, row);
    this.#quotes.fill(row, permalink(message.room, message.replyTo?.seq ?? 0), message.replyTo);
    this.#standOut(row, message);
    return row;
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
