// Where a text names an account with @, by the server's rule as far as a page knows it: of two accounts one of which
// begins with the other's name, the server takes the longer, here both count.

const WORD_BEFORE = /[\p{L}\p{N}\p{M}_]$/u;
const WORD_AFTER = /^[\p{L}\p{N}\p{M}_]/u;

/**
 * Where `name` is mentioned.
 * @param {string} text
 * @param {string} name
 * @returns {{start: number, end: number}[]}
 */
export function mentionsOf(text, name) {
  const found = [];
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    const end = at + 1 + name.length;
    if (WORD_BEFORE.test(text.slice(0, at))) continue;
    if (fold(text.slice(at + 1, end)) !== fold(name)) continue;
    if (WORD_BEFORE.test(name) && WORD_AFTER.test(text.slice(end))) continue;
    found.push({ start: at, end });
  }
  return found;
}

/** @param {string} text as the server compares names */
function fold(text) {
  return text.normalize("NFKC").toUpperCase().toLowerCase();
}
