// How long to stay away before the next try: exponential with full jitter, so that thousands come back spread.

const BASE_MS = 500;
const CAP_MS = 10_000; // nobody who looks at the page should wait longer

export class Backoff {
  #attempt = 0;
  #random;

  /** @param {() => number} random from 0 up to 1 */
  constructor(random) {
    this.#random = random;
  }

  /**
   * Milliseconds until the next try; every call counts as one more failure.
   * @param {number} spreadMs at least this wide a range to draw from
   */
  next(spreadMs = 0) {
    const ceiling = Math.min(CAP_MS, Math.max(spreadMs, BASE_MS * 2 ** this.#attempt));
    this.#attempt = Math.min(this.#attempt + 1, 16);
    return this.#random() * ceiling;
  }

  reset() {
    this.#attempt = 0;
  }
}
