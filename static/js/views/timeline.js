// The messages of the room that is looked at: stored ones by seq, those on their way behind them.

import { find } from "../dom/find.js";
import { Scroller } from "../dom/scroller.js";
import { localiseTimes } from "../dom/time.js";
import { Countdowns } from "./countdowns.js";
import { DayNames, decorate, placeUnreadLine } from "./lines.js";
import { markMentions } from "./mention_marks.js";
import { placeRow, takeRow } from "./places.js";
import { endRefusal, fillPending, fillStored, newRow, readRow } from "./row.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/outbox.js").Entry} Entry */
/** @typedef {import("../state/room.js").Room} Room */

export class Timeline {
  #box = find("#timeline", HTMLElement);
  #list = find("#messages", HTMLElement);
  #me;
  #scroller;
  #days = new DayNames(this.#list);
  #countdowns = new Countdowns();
  /** @type {Map<string, HTMLElement>} */
  #byId = new Map();
  /** @type {Map<string, HTMLElement>} */
  #byNonce = new Map();
  /** Told after every change of the list. */
  onChange = () => {};

  /**
   * @param {{id: string, name: string}} me
   * @param {(atEnd: boolean, nearStart: boolean) => void} onMove
   */
  constructor(me, onMove) {
    this.#me = me;
    this.#scroller = new Scroller(this.#box, this.#list, onMove);
  }

  connect() {
    this.#scroller.connect();
    this.#days.connect();
    this.#countdowns.connect();
  }

  disconnect() {
    this.#scroller.disconnect();
    this.#days.disconnect();
    this.#countdowns.disconnect();
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
    const messages = rows.map((row) => readRow(row, room));
    rows.forEach((row, index) => {
      const message = /** @type {Message} */ (messages[index]);
      row.dataset.sentAt = message.sentAt;
      this.#byId.set(message.id, row);
    });
    localiseTimes(this.#list);
    for (const row of rows) decorate(row);
    for (const row of rows) this.#mark(row);
    return messages;
  }

  /**
   * Draws a room anew; the view goes to the first unread message, or to the end.
   * @param {Room} room
   * @param {Entry[]} entries what of it is on its way
   */
  show(room, entries) {
    this.#byId.clear();
    this.#byNonce.clear();
    this.#countdowns.clear();
    this.#list.replaceChildren(...room.log.messages.map((message) => this.#store(newRow(), message)));
    for (const row of this.#byId.values()) decorate(row);
    for (const entry of entries) this.pend(entry);
    this.reveal(room);
    this.onChange();
  }

  /** @param {Room} room shows its end, or its first unread message where that is further up */
  reveal(room) {
    this.#scroller.toEnd();
    const line = this.drawLine(room);
    if (line !== null) this.#scroller.reveal(line);
  }

  /**
   * @param {Message[]} messages new or changed, oldest first
   * @param {boolean} news they came just now: those of others are read out
   */
  put(messages, news) {
    this.#scroller.hold(() => {
      for (const message of messages) {
        const pending = message.userId === this.#me.id ? this.#byNonce.get(message.nonce ?? "") : undefined;
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
    const known = this.#byNonce.get(entry.nonce);
    const row = known ?? newRow();
    this.#scroller.hold(() => {
      fillPending(row, entry, this.#me, Date.now());
      this.#byNonce.set(entry.nonce, row);
      if (known === undefined) this.#list.append(row);
      decorate(row);
    });
    this.#countdowns.watch(row, entry);
    this.onChange();
  }

  /**
   * Acknowledged: the same element goes on as a stored message, its own frame may still come.
   * @param {{nonce: string, id: string, seq: number}} ack
   */
  confirm({ nonce, id, seq }) {
    const row = this.#byNonce.get(nonce);
    if (row === undefined || row.dataset.seq !== undefined) return;
    this.#countdowns.forget(nonce);
    this.#scroller.hold(() => {
      if (this.#byId.has(id)) return takeRow(this.#list, row); // it stood here already, stored before a reload
      row.dataset.state = "sent";
      row.dataset.id = id;
      row.dataset.seq = String(seq);
      row.id = `message-${seq}`;
      endRefusal(row);
      this.#byId.set(id, row);
      placeRow(this.#list, row, seq);
    });
  }

  /** @param {Entry} entry gone from the outbox; what was not stored goes from here too */
  unpend(entry) {
    this.#countdowns.forget(entry.nonce);
    const row = this.#byNonce.get(entry.nonce);
    this.#byNonce.delete(entry.nonce);
    if (row === undefined || row.dataset.seq !== undefined) return;
    this.#scroller.hold(() => takeRow(this.#list, row));
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
    this.#mark(row);
    return row;
  }

  /** @param {HTMLElement} row */
  #mark(row) {
    const body = find(".message__body", HTMLElement, row);
    for (const code of body.querySelectorAll("pre")) code.tabIndex = 0; // it may have to be scrolled sideways
    const others = row.dataset.userId !== this.#me.id && !row.classList.contains("message--deleted");
    if (others) markMentions(row, body, this.#me.name);
    else row.classList.remove("message--mention");
  }
}
