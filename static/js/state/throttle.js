// Lets a call through at most once per interval.

export class Throttle {
  #clock;
  #intervalMs;
  #call;
  #last = -Infinity;
  /** @type {unknown} */
  #timer = null;

  /**
   * @param {import("../net/clock.js").Clock} clock
   * @param {number} intervalMs
   * @param {() => void} call
   */
  constructor(clock, intervalMs, call) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#call = call;
  }

  /** Now, or as soon as the interval is over. */
  soon() {
    if (this.#timer !== null) return;
    const left = this.#last + this.#intervalMs - this.#clock.now();
    if (left <= 0) return this.#run();
    this.#timer = this.#clock.after(() => this.#run(), left);
  }

  /** Now, or not at all. */
  orNever() {
    if (this.#clock.now() - this.#last >= this.#intervalMs) this.#run();
  }

  #run() {
    this.#timer = null;
    this.#last = this.#clock.now();
    this.#call();
  }
}
