// What was typed and not yet acknowledged, kept in the browser by account until the server has it.
// Every entry has a key of its own, so that two tabs never write over each other.

import { Emitter } from "./emitter.js";

/**
 * @typedef {{nonce: string, room: string, text: string, replyTo?: import("./frames.js").ReplyTo, order: number, state: "waiting" | "refused",
 *   code: string, reason: string, retryAt: number | null}} Entry
 */
/** @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">} Store */
/** @typedef {{added: Entry, changed: Entry, removed: Entry}} OutboxEvents */

/** @extends {Emitter<OutboxEvents>} */
export class Outbox extends Emitter {
  #store;
  #prefix;
  #now;
  #newNonce;
  #lastOrder = 0;
  /** @type {Map<string, Entry>} */
  #entries = new Map();

  /**
   * @param {object} parts
   * @param {Store} parts.store
   * @param {string} parts.account
   * @param {() => number} parts.now
   * @param {() => string} parts.newNonce
   */
  constructor({ store, account, now, newNonce }) {
    super();
    this.#store = store;
    this.#prefix = outboxPrefix(account);
    this.#now = now;
    this.#newNonce = newNonce;
    this.reload();
  }

  get size() {
    return this.#entries.size;
  }

  /**
   * In the order they were typed.
   * @param {string} [room]
   */
  list(room) {
    const entries = [...this.#entries.values()].filter((entry) => room === undefined || entry.room === room);
    return entries.sort((a, b) => a.order - b.order);
  }

  /** @param {string} nonce */
  get(nonce) {
    return this.#entries.get(nonce);
  }

  /** Rooms something still waits for, refused ones aside. */
  rooms() {
    return new Set(this.list().filter((entry) => entry.state === "waiting" || entry.retryAt !== null).map((entry) => entry.room));
  }

  /**
   * @param {string} room
   * @param {string} text
   * @param {import("./frames.js").ReplyTo} [replyTo] what it answers
   */
  add(room, text, replyTo) {
    this.#lastOrder = Math.max(this.#lastOrder + 1, this.#now());
    /** @type {Entry} */
    const entry = { nonce: this.#newNonce(), room, text, ...(replyTo && { replyTo }), order: this.#lastOrder, state: "waiting", code: "", reason: "", retryAt: null };
    this.#put(entry);
    this.emit("added", entry);
    return entry;
  }

  /**
   * Refused for good (retryAt null) or for a while.
   * @param {string} nonce
   * @param {{code: string, reason: string, retryAt: number | null}} refusal
   */
  refuse(nonce, refusal) {
    this.#change(nonce, { state: "refused", ...refusal });
  }

  /** @param {string} nonce */
  retry(nonce) {
    this.#change(nonce, { state: "waiting", code: "", reason: "", retryAt: null });
  }

  /** @param {string} nonce */
  remove(nonce) {
    const entry = this.#entries.get(nonce);
    if (entry === undefined) return;
    this.#entries.delete(nonce);
    this.#store.removeItem(this.#prefix + nonce);
    this.emit("removed", entry);
  }

  /** Takes up what is stored: after a reload, and what a tab left behind that is gone by now. */
  reload() {
    for (let index = 0; index < this.#store.length; index += 1) {
      const key = this.#store.key(index);
      if (key?.startsWith(this.#prefix)) this.adopt(key, this.#store.getItem(key));
    }
  }

  /**
   * Another tab changed what is stored; true when it concerned a new entry.
   * @param {string} key
   * @param {string | null} value
   */
  adopt(key, value) {
    if (!key.startsWith(this.#prefix)) return false;
    const nonce = key.slice(this.#prefix.length);
    const known = this.#entries.get(nonce);
    const entry = value === null ? null : readEntry(value);
    if (entry === null || entry.nonce !== nonce) {
      if (known !== undefined) this.#entries.delete(nonce);
      if (known !== undefined) this.emit("removed", known);
      return false;
    }
    if (known !== undefined && value === JSON.stringify(known)) return false;
    this.#entries.set(nonce, entry);
    this.#lastOrder = Math.max(this.#lastOrder, entry.order);
    this.emit(known === undefined ? "added" : "changed", entry);
    return known === undefined;
  }

  /**
   * @param {string} nonce
   * @param {Partial<Entry>} changes
   */
  #change(nonce, changes) {
    const known = this.#entries.get(nonce);
    if (known === undefined) return;
    const entry = { ...known, ...changes };
    this.#put(entry);
    this.emit("changed", entry);
  }

  /** @param {Entry} entry */
  #put(entry) {
    this.#entries.set(entry.nonce, entry);
    try {
      this.#store.setItem(this.#prefix + entry.nonce, JSON.stringify(entry));
    } catch {
      // The browser's store is full or closed to us: it stays in memory, and is sent all the same.
    }
  }
}

/** @param {string} account */
export function outboxPrefix(account) {
  return `roomlog:outbox:${account}:`;
}

/**
 * @param {string} value
 * @returns {Entry | null}
 */
function readEntry(value) {
  try {
    const entry = JSON.parse(value);
    const whole = typeof entry.nonce === "string" && typeof entry.room === "string" && typeof entry.text === "string";
    return whole && typeof entry.order === "number" ? entry : null;
  } catch {
    return null;
  }
}
