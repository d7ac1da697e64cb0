// What the server does with a text before it stores it, computed here first: tests/vectors/text.json holds both to it.

const INVISIBLE = new RegExp(
  "^[\\s\\p{White_Space}\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e" +
    "\\u2060-\\u2064\\u2066-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0" +
    "\\ufff9-\\ufffb\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]*$",
  "u",
);
const EDGES = /^\p{White_Space}+|\p{White_Space}+$/gu;

const UNSENDABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]|\p{Surrogate}/gu;

/**
 * Without what no message may carry: control characters but newline and tab, and halves of characters. Pasting brings them.
 * @param {string} raw
 */
export function sendable(raw) {
  return raw.replace(UNSENDABLE, "");
}

/** @typedef {{text: string, length: number, error: "empty" | "too_large" | null}} Cleaned */

/**
 * NFC, LF line ends, trimmed; `length` in code points.
 * @param {string} raw
 * @param {number} limit the most code points; 0: any number
 * @returns {Cleaned}
 */
export function cleanText(raw, limit) {
  const text = raw.normalize("NFC").replace(/\r\n?/g, "\n").replace(EDGES, "");
  const length = [...text].length;
  if (INVISIBLE.test(text)) return { text, length, error: "empty" };
  return { text, length, error: limit > 0 && length > limit ? "too_large" : null };
}
