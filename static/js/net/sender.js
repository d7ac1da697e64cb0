// Brings the outbox to the server: with the same nonce until it is acknowledged, and in the order it was typed. Of each
// room one message is on its way (docs/adr/0005): were there two, the first might be refused for a while and the second not.

/** @typedef {import("./outbox.js").Entry} Entry */

const ANSWER_LIMIT_MS = 15_000; // no ack on an open line for so long: sending again is harmless and surer
const FRAME_LIMIT_BYTES = 16 * 1024; // the server closes the line on a larger frame, again after every reload
const FULL_BUFFER_PAUSE_MS = 200;
const DEFAULT_RETRY_SECONDS = 2;
const TOO_LARGE = "This message is too large to be sent."; // in English like the server's reasons: state/refusals.js translates

export class Sender {
  #outbox;
  #socket;
  #clock;
  /** Rooms whose history arrived on this line. @type {Set<string>} */
  #rooms = new Set();
  /** Nonce to when it was sent on this line. @type {Map<string, number>} */
  #inFlight = new Map();
  /** Nonce of another tab's message to when it was left to that tab. @type {Map<string, number>} */
  #elsewhere = new Map();
  #heldUntil = 0;
  #blocked = false;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {import("./outbox.js").Outbox} outbox
   * @param {{send(event: object): boolean, readonly line: {name: string}}} socket
   * @param {import("./clock.js").Clock} clock
   */
  constructor(outbox, socket, clock) {
    this.#outbox = outbox;
    this.#socket = socket;
    this.#clock = clock;
    this.#releaseHeld(Infinity);
  }

  /** @param {string} room its history has arrived, so what was stored before is known */
  openRoom(room) {
    this.#rooms.add(room);
    this.pump();
  }

  /** @param {string} room */
  closeRoom(room) {
    this.#rooms.delete(room);
  }

  /** The line is gone: the outcome of what was in flight is unknown, so all of it is sent again. */
  closeLine() {
    this.#rooms.clear();
    this.#inFlight.clear();
    this.#elsewhere.clear();
    this.#clock.cancel(this.#timer);
  }

  /** @param {string} nonce another tab sends it; this one only when that tab does not get it through */
  leaveToOthers(nonce) {
    this.#elsewhere.set(nonce, this.#clock.now());
    this.pump();
  }

  /** @param {string} nonce acknowledged, or seen in the log */
  delivered(nonce) {
    this.#inFlight.delete(nonce);
    this.#elsewhere.delete(nonce);
    this.#outbox.remove(nonce);
    this.pump();
  }

  /**
   * @param {string} nonce
   * @param {{code: string, message: string, retryAfter?: number}} error
   */
  refused(nonce, error) {
    this.#inFlight.delete(nonce);
    const passing = error.code === "rate_limited" || error.code === "busy";
    const pauseMs = (error.retryAfter ?? DEFAULT_RETRY_SECONDS) * 1000;
    const retryAt = passing ? this.#clock.now() + pauseMs : null;
    if (retryAt !== null) this.#heldUntil = Math.max(this.#heldUntil, retryAt);
    this.#outbox.refuse(nonce, { code: error.code, reason: error.message, retryAt });
    this.pump();
  }

  /** @param {string} nonce a person asks for it */
  retry(nonce) {
    this.#outbox.retry(nonce);
    this.pump();
  }

  /** @param {string} nonce */
  discard(nonce) {
    this.#inFlight.delete(nonce);
    this.#elsewhere.delete(nonce);
    this.#outbox.remove(nonce);
    this.pump();
  }

  /** Sends whatever may be sent now, and looks again when something may have changed by time alone. */
  pump() {
    const now = this.#clock.now();
    this.#forgetUnanswered(now);
    if (now >= this.#heldUntil) this.#releaseHeld(now);
    this.#blocked = false;
    for (const room of this.#rooms) this.#sendRoom(room, now);
    this.#lookAgain(now);
  }

  /**
   * @param {string} room
   * @param {number} now
   */
  #sendRoom(room, now) {
    for (const { nonce, text, replyTo, state, retryAt } of this.#outbox.list(room)) {
      if ((state === "refused" && retryAt === null) || this.#elsewhere.has(nonce)) continue;
      if (now < this.#heldUntil || state === "refused" || this.#inFlight.has(nonce)) return; // the later ones wait for it
      const event = { type: "message", room, text, nonce, ...(replyTo && { replyTo: replyTo.id }) };
      if (new TextEncoder().encode(JSON.stringify(event)).length > FRAME_LIMIT_BYTES) {
        this.#outbox.refuse(nonce, { code: "too_large", reason: TOO_LARGE, retryAt: null });
        continue;
      }
      if (this.#socket.send(event)) this.#inFlight.set(nonce, now);
      else this.#blocked = true;
      return;
    }
  }

  /** @param {number} now */
  #releaseHeld(now) {
    for (const entry of this.#outbox.list()) {
      if (entry.state === "refused" && entry.retryAt !== null && entry.retryAt <= now) this.#outbox.retry(entry.nonce);
    }
  }

  /** @param {number} now */
  #forgetUnanswered(now) {
    for (const waiting of [this.#inFlight, this.#elsewhere]) {
      for (const [nonce, since] of waiting) if (now - since >= ANSWER_LIMIT_MS) waiting.delete(nonce);
    }
  }

  /** @param {number} now */
  #lookAgain(now) {
    this.#clock.cancel(this.#timer);
    if (this.#outbox.rooms().size === 0 || this.#rooms.size === 0) return;
    const times = [...this.#inFlight.values(), ...this.#elsewhere.values()].map((since) => since + ANSWER_LIMIT_MS);
    if (this.#heldUntil > now) times.push(this.#heldUntil);
    if (this.#blocked) times.push(now + FULL_BUFFER_PAUSE_MS);
    if (times.length === 0) return;
    this.#timer = this.#clock.after(() => this.pump(), Math.max(Math.min(...times) - now, 10));
  }
}
