// Rows of what is on its way: they stand at the end, and go on as stored ones once the server has them.

import { Countdowns } from "./countdowns.js";
import { decorate } from "./lines.js";
import { placeRow, takeRow } from "./places.js";
import { endRefusal, fillPending, newRow } from "./row.js";

/** @typedef {import("../net/outbox.js").Entry} Entry */

export class PendingRows {
  #list;
  #byId;
  #me;
  #onFill;
  #countdowns = new Countdowns();
  /** @type {Map<string, HTMLElement>} */
  #byNonce = new Map();

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.list
   * @param {Map<string, HTMLElement>} parts.byId the stored rows
   * @param {{id: string, name: string}} parts.me
   * @param {(row: HTMLElement, entry: Entry) => void} parts.onFill a row was filled from an entry
   */
  constructor({ list, byId, me, onFill }) {
    this.#list = list;
    this.#byId = byId;
    this.#me = me;
    this.#onFill = onFill;
  }

  connect() {
    this.#countdowns.connect();
  }

  disconnect() {
    this.#countdowns.disconnect();
  }

  clear() {
    this.#byNonce.clear();
    this.#countdowns.clear();
  }

  /** @param {string} nonce */
  get(nonce) {
    return this.#byNonce.get(nonce);
  }

  /** @param {Entry} entry new or changed in the outbox */
  put(entry) {
    const known = this.#byNonce.get(entry.nonce);
    const row = known ?? newRow();
    fillPending(row, entry, this.#me, Date.now());
    this.#onFill(row, entry);
    this.#byNonce.set(entry.nonce, row);
    if (known === undefined) this.#list.append(row);
    decorate(row);
    this.#countdowns.watch(row, entry);
  }

  /**
   * Acknowledged: the same element goes on as a stored message, its own frame may still come.
   * @param {{nonce: string, id: string, seq: number}} ack
   */
  confirm({ nonce, id, seq }) {
    const row = this.#byNonce.get(nonce);
    if (row === undefined || row.dataset.seq !== undefined) return;
    this.#countdowns.forget(nonce);
    if (this.#byId.has(id)) return takeRow(this.#list, row); // it stood here already, stored before a reload
    row.dataset.state = "sent";
    row.dataset.id = id;
    row.dataset.seq = String(seq);
    row.id = `message-${seq}`;
    endRefusal(row);
    this.#byId.set(id, row);
    placeRow(this.#list, row, seq);
  }

  /** @param {Entry} entry gone from the outbox; what was not stored goes from here too */
  drop({ nonce }) {
    this.#countdowns.forget(nonce);
    const row = this.#byNonce.get(nonce);
    this.#byNonce.delete(nonce);
    if (row !== undefined && row.dataset.seq === undefined) takeRow(this.#list, row);
  }
}
