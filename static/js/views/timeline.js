// The messages of the room that is looked at: stored ones by seq, those on their way behind them.

import { find } from "../dom/find.js";
import { Scroller } from "../dom/scroller.js";
import { localiseTimes } from "../dom/time.js";
import { DayNames, decorate, placeUnreadLine } from "./lines.js";
import { PendingRows } from "./pending_rows.js";
import { placeRow, prependRows, takeRow, tidyStart } from "./places.js";
import { newRow } from "./row.js";
import { StoredRows } from "./stored_rows.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/outbox.js").Entry} Entry */
/** @typedef {import("../state/room.js").Room} Room */

export class Timeline {
  #box = find("#timeline", HTMLElement);
  #list = find("#messages", HTMLElement);
  #me;
  #scroller;
  #days = new DayNames(this.#list);
  #rows;
  #pending;
  #byId = /** @type {Map<string, HTMLElement>} */ (new Map());
  #marked = /** @type {HTMLElement | null} */ (null);
  /** Told after every change of the list. */
  onChange = () => {};

  /**
   * @param {{id: string, name: string}} me
   * @param {import("./quotes.js").Quotes} quotes
   * @param {(atEnd: boolean, nearStart: boolean, nearEnd: boolean) => void} onMove
   */
  constructor(me, quotes, onMove) {
    this.#me = me;
    this.#rows = new StoredRows(me, quotes);
    this.#pending = new PendingRows({
      list: this.#list,
      byId: this.#byId,
      me,
      onFill: (row, entry) => this.#rows.quote(row, entry),
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

  toEnd = () => this.#scroller.toEnd();

  /** @param {() => void} change of the list or what stands around it, without moving what is looked at */
  hold = (change) => this.#scroller.hold(change);

  /**
   * Takes over what the server rendered, and gives it back as messages.
   * @param {string} room
   * @returns {Message[]}
   */
  adopt(room) {
    const rows = [...this.#list.querySelectorAll(".message")].filter((row) => row instanceof HTMLElement);
    const messages = rows.map((row) => this.#rows.adopt(row, room));
    messages.forEach(({ id }, index) => this.#byId.set(id, /** @type {HTMLElement} */ (rows[index])));
    this.#marked = rows.find((row) => row.classList.contains("message--marked")) ?? null;
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
  update = (messages) => this.put(messages.filter(({ id }) => this.#byId.has(id)), false);

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
    this.#scroller.hold(() => prependRows(this.#list, messages.map((message) => this.#store(newRow(), message))));
  }

  /** @param {Message[]} messages let go from the start */
  drop(messages) {
    this.#scroller.hold(() => {
      for (const { id } of messages) {
        this.#byId.get(id)?.remove();
        this.#byId.delete(id);
      }
      tidyStart(this.#list);
    });
  }

  /** @param {Entry} entry new or changed in the outbox */
  pend(entry) {
    this.hold(() => this.#pending.put(entry));
    this.onChange();
  }

  /** @param {{nonce: string, id: string, seq: number}} ack */
  confirm = (ack) => this.hold(() => this.#pending.confirm(ack));

  /** @param {Entry} entry gone from the outbox */
  unpend(entry) {
    this.hold(() => this.#pending.drop(entry));
    this.onChange();
  }

  /** @param {Room} room */
  drawLine = (room) => placeUnreadLine(this.#list, room.reading.lineAfter, this.#me.id);

  /**
   * @param {HTMLElement} row
   * @param {Message} message
   */
  #store(row, message) {
    this.#byId.set(message.id, row);
    return this.#rows.fill(row, message);
  }
}
