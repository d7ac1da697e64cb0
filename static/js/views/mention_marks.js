// One's own name with an @, and an @here that calls everybody, stand out in the text they are in.

import { mentionsOf } from "../state/mentions.js";

/**
 * @param {HTMLElement} row
 * @param {HTMLElement} body its text, drawn anew
 * @param {string[]} names what is marked: one's own where the message names one, "here" where it calls
 */
export function markMentions(row, body, names) {
  const named = [];
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (names.length > 0 && walker.nextNode()) {
    const text = /** @type {Text} */ (walker.currentNode);
    if (text.data.includes("@") && !text.parentElement?.closest("code, a, mark")) named.push(text);
  }
  let count = 0;
  for (const text of named) {
    const found = names.flatMap((name) => mentionsOf(text.data, name)).sort((a, b) => b.start - a.start);
    for (const { start, end } of found) {
      const mention = text.splitText(start);
      mention.splitText(end - start);
      const mark = document.createElement("mark");
      mention.replaceWith(mark);
      mark.append(mention);
      count += 1;
    }
  }
  row.classList.toggle("message--mention", count > 0);
}
