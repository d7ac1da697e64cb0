// One's own name with an @ stands out in the text it is named in.

import { mentionsOf } from "../state/mentions.js";

/**
 * @param {HTMLElement} row
 * @param {HTMLElement} body its text, drawn anew
 * @param {string} name
 */
export function markMentions(row, body, name) {
  const named = [];
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = /** @type {Text} */ (walker.currentNode);
    if (text.data.includes("@") && !text.parentElement?.closest("code, a, mark")) named.push(text);
  }
  let count = 0;
  for (const text of named) {
    for (const { start, end } of mentionsOf(text.data, name).reverse()) {
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
