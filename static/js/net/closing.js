// What a close code of the contract means for this client (docs/protocol.md, "Close codes").

const RESTART_SPREAD_MS = 5_000; // a restart sends everybody away at once
const LATE_MS = 10_000;

/**
 * @typedef {{then: "retry", spreadMs: number, lateMs: number} | {then: "sign-in"} | {then: "stop", reason: string}} Verdict
 */

/** @type {Record<number, string>} */
const STOPS = {
  1002: "The connection was closed because of a protocol error. Reload the page to try again.",
  1003: "The server did not accept what this page sent. Reload the page to try again.",
  1007: "The server could not read what this page sent. Reload the page to try again.",
  1008: "The server closed the connection because it got too much it did not understand. Reload the page to try again.",
  1009: "What this page sent was too large. Reload the page to try again.",
  4403: "This account is disabled. Ask an administrator if you think that is wrong.",
};

/**
 * @param {number} code
 * @returns {Verdict}
 */
export function verdict(code) {
  if (code === 4401) return { then: "sign-in" };
  const reason = STOPS[code];
  if (reason !== undefined) return { then: "stop", reason };
  return { then: "retry", spreadMs: code === 1012 ? RESTART_SPREAD_MS : 0, lateMs: code === 4429 ? LATE_MS : 0 };
}
