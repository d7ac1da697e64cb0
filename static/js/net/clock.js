// Time, injected everywhere so that tests can turn it by hand.

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds; wall time, because it goes on while a laptop sleeps
 * @property {(callback: () => void, milliseconds: number) => unknown} after
 * @property {(timer: any) => void} cancel
 */

/** @type {Clock} */
export const systemClock = {
  now: () => Date.now(),
  after: (callback, milliseconds) => setTimeout(callback, milliseconds),
  cancel: (timer) => clearTimeout(timer),
};
