// The name somebody is typing after an @, to be completed.

const LONGEST = 24; // code points of a name
const WORD_BEFORE = /[\p{L}\p{N}\p{M}_]$/u;
const PART = /^(?:[\p{L}\p{N}\p{M}_.'-]+ ?)*$/u; // a name has single spaces, and nothing after an @ ends it

/** @typedef {{start: number, query: string}} Naming where the at sign stands, and what is between it and the caret */

/**
 * @param {string} text
 * @param {number} caret
 * @returns {Naming | null}
 */
export function namingAt(text, caret) {
  const start = text.lastIndexOf("@", caret - 1);
  if (start < 0 || caret <= start || WORD_BEFORE.test(text.slice(0, start))) return null;
  const query = text.slice(start + 1, caret);
  if ([...query].length > LONGEST || query.endsWith(" ") || !PART.test(query)) return null;
  return { start, query };
}

/**
 * Whether nobody can be found any more by going on to type where nobody was found.
 * @param {Naming} now
 * @param {Naming | null} empty where the answer was nobody
 */
export function isHopeless(now, empty) {
  return empty !== null && empty.start === now.start && now.query.startsWith(empty.query);
}
