// Notices a dead line: a browser cannot see pings, but the server's heartbeat must arrive every few seconds.

/** @typedef {import("./clock.js").Clock} Clock */

export class SilenceWatch {
  #clock;
  #onSilence;
  #limitMs = 0;
  #lastHeard = 0;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {Clock} clock
   * @param {() => void} onSilence called once, when nothing was heard for the limit
   */
  constructor(clock, onSilence) {
    this.#clock = clock;
    this.#onSilence = onSilence;
  }

  /** @param {number} limitMs 0 switches the watch off */
  start(limitMs) {
    this.stop();
    this.#limitMs = limitMs;
    this.heard();
    if (limitMs > 0) this.#wait(limitMs);
  }

  stop() {
    this.#clock.cancel(this.#timer);
    this.#timer = null;
  }

  heard() {
    this.#lastHeard = this.#clock.now();
  }

  get silentMs() {
    return this.#clock.now() - this.#lastHeard;
  }

  /** @param {number} milliseconds */
  #wait(milliseconds) {
    this.#timer = this.#clock.after(() => {
      const left = this.#limitMs - this.silentMs;
      if (left > 0) return this.#wait(left);
      this.#timer = null;
      this.#onSilence();
    }, milliseconds);
  }
}
