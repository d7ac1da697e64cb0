// What a close code of the contract means for this client (docs/protocol.md, "Close codes").

import { t } from "../words.js";

const RESTART_SPREAD_MS = 5_000; // a restart sends everybody away at once
const LATE_MS = 10_000;

/**
 * @typedef {{then: "retry", spreadMs: number, lateMs: number} | {then: "sign-in"} | {then: "stop", reason: string}} Verdict
 */

/**
 * @param {number} code
 * @returns {Verdict}
 */
export function verdict(code) {
  if (code === 4401) return { then: "sign-in" };
  const reason = stops()[code];
  if (reason !== undefined) return { then: "stop", reason };
  return { then: "retry", spreadMs: code === 1012 ? RESTART_SPREAD_MS : 0, lateMs: code === 4429 ? LATE_MS : 0 };
}

/** @returns {Record<number, string>} */
function stops() {
  return {
    1002: t("The connection was closed because of a protocol error. Reload the page to try again."),
    1003: t("The server did not accept what this page sent. Reload the page to try again."),
    1007: t("The server could not read what this page sent. Reload the page to try again."),
    1008: t("The server closed the connection because it got too much it did not understand. Reload the page to try again."),
    1009: t("What this page sent was too large. Reload the page to try again."),
    4403: t("This account is disabled. Ask an administrator if you think that is wrong."),
  };
}
