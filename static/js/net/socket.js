// One line to the server: opens it, notices when it is dead, and comes back. Knows nothing of rooms or messages.

import { Backoff } from "./backoff.js";
import { verdict } from "./closing.js";
import { Emitter } from "./emitter.js";
import { readFrame } from "./frames.js";
import { SilenceWatch } from "./watch.js";
import { t } from "../words.js";

/** @typedef {{name: "connecting" | "online" | "waiting" | "offline" | "stopped", awaySince: number | null, retryAt: number | null, reason: string}} Line */
/** @typedef {{line: Line, open: null, frame: import("./frames.js").Frame, close: null, signedOut: null}} SocketEvents */
/** @typedef {Pick<WebSocket, "readyState" | "bufferedAmount" | "send" | "close" | "onopen" | "onmessage" | "onclose">} SocketLike */

const OPEN = 1;
const BUFFER_LIMIT_BYTES = 64 * 1024; // more waiting in the browser means the line does not take it
const OPENING_LIMIT_MS = 10_000;
const SILENT_HEARTBEATS = 2.5;

/** @extends {Emitter<SocketEvents>} */
export class ChatSocket extends Emitter {
  #open;
  #address;
  #clock;
  #why;
  #random;
  #backoff;
  #watch;
  #heartbeatMs;
  /** @type {SocketLike | null} */
  #socket = null;
  /** @type {unknown} */
  #timer = null;
  #mayHurry = false;
  /** @type {Line} */
  #line;

  /**
   * @param {object} parts
   * @param {(address: string) => SocketLike} parts.open
   * @param {() => string} parts.address asked anew for every try
   * @param {() => Promise<import("./reason.js").Reason>} parts.why asked when a socket never opened
   * @param {import("./clock.js").Clock} parts.clock
   * @param {() => number} parts.random
   * @param {number} parts.heartbeatSeconds
   */
  constructor({ open, address, why, clock, random, heartbeatSeconds }) {
    super();
    this.#open = open;
    this.#address = address;
    this.#why = why;
    this.#clock = clock;
    this.#random = random;
    this.#heartbeatMs = heartbeatSeconds * 1000;
    this.#backoff = new Backoff(random);
    this.#watch = new SilenceWatch(clock, () => this.#lost(1006));
    this.#line = { name: "offline", awaySince: clock.now(), retryAt: null, reason: "" };
  }

  get line() {
    return this.#line;
  }

  connect() {
    if (this.#socket !== null) return;
    this.#clock.cancel(this.#timer);
    this.#become("connecting");
    const socket = this.#open(this.#address());
    this.#socket = socket;
    let opened = false;
    this.#watch.start(OPENING_LIMIT_MS);
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      opened = true;
      this.#watch.start(this.#heartbeatMs * SILENT_HEARTBEATS);
      this.#become("online");
      this.emit("open", null);
    };
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#watch.heard();
      this.#backoff.reset();
      const frame = readFrame(event.data);
      if (frame !== null) this.emit("frame", frame);
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      if (opened) this.#lost(event.code);
      else this.#refused();
    };
  }

  /** Goes offline on purpose; only connect() comes back. */
  disconnect() {
    this.#drop(1000);
    this.#become("offline");
  }

  /** Ends the waiting: the network is back, the page is looked at, or a person asks. */
  hurry() {
    if (this.#line.name === "waiting" && this.#mayHurry) this.connect();
  }

  /** After a sleep or a change of network: something must arrive within `milliseconds`, or the line counts as dead. */
  expectFrame(/** @type {number} */ milliseconds) {
    const socket = this.#socket;
    const asked = this.#clock.now();
    this.#clock.after(() => {
      if (socket !== null && socket === this.#socket && this.#watch.silentMs >= this.#clock.now() - asked) this.#lost(1006);
    }, milliseconds);
  }

  get silentMs() {
    return this.#watch.silentMs;
  }

  /** Whether the line takes anything now. */
  get ready() {
    return this.#socket?.readyState === OPEN && this.#socket.bufferedAmount < BUFFER_LIMIT_BYTES;
  }

  /**
   * Sends one event; false when the line does not take it, and nothing was sent.
   * @param {object} event
   */
  send(event) {
    const socket = this.#socket;
    if (socket === null || !this.ready) return false;
    socket.send(JSON.stringify(event));
    return true;
  }

  /** @param {number} heartbeatSeconds as the server says after opening */
  beat(heartbeatSeconds) {
    this.#heartbeatMs = heartbeatSeconds * 1000;
    if (this.#line.name === "online") this.#watch.start(this.#heartbeatMs * SILENT_HEARTBEATS);
  }

  /** @param {string} reason stays out until the page is loaded again */
  stop(reason) {
    this.#drop(1000);
    this.#become("stopped", null, reason);
  }

  /** @param {number} code */
  #lost(code) {
    const meaning = verdict(code);
    const opening = this.#line.name === "connecting";
    this.#drop(1000);
    if (meaning.then === "sign-in") return this.emit("signedOut", null);
    if (meaning.then === "stop") return this.#become("stopped", null, meaning.reason);
    if (opening) return this.#refused();
    this.#mayHurry = meaning.lateMs === 0;
    this.#wait(meaning.lateMs + this.#backoff.next(meaning.spreadMs));
  }

  /** A socket that never opened: the session, the room or the network. */
  async #refused() {
    this.#drop(1000);
    this.#mayHurry = true;
    const delay = this.#backoff.next();
    this.#wait(Math.max(delay, 50));
    const waiting = this.#line;
    const reason = await this.#why();
    if (waiting !== this.#line) return; // somebody hurried, or went offline
    if (reason.kind === "signed-out") this.emit("signedOut", null);
    else if (reason.kind === "gone") this.stop(t("This room is not there any more, or not open to you."));
    else if (reason.kind === "wait") {
      this.#mayHurry = false;
      this.#wait(reason.milliseconds + this.#random() * 1000);
    }
  }

  /** @param {number} milliseconds */
  #wait(milliseconds) {
    this.#clock.cancel(this.#timer);
    this.#become("waiting", this.#clock.now() + milliseconds);
    this.#timer = this.#clock.after(() => this.connect(), milliseconds);
  }

  /** @param {number} code */
  #drop(code) {
    this.#clock.cancel(this.#timer);
    this.#watch.stop();
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.close(code);
    this.emit("close", null);
  }

  /**
   * @param {Line["name"]} name
   * @param {number | null} retryAt
   */
  #become(name, retryAt = null, reason = "") {
    const awaySince = name === "online" ? null : (this.#line.awaySince ?? this.#clock.now());
    this.#line = { name, awaySince, retryAt, reason };
    this.emit("line", this.#line);
  }
}
