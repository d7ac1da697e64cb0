// Where a message stands in the list: stored ones by seq, those on their way at the end.

import { decorate, rowAfter, rowBefore, tidyEnd } from "./lines.js";

/**
 * Behind the last message with a lower seq, which is nearly always the last.
 * @param {HTMLElement} list
 * @param {HTMLElement} row
 * @param {number} seq
 */
export function placeRow(list, row, seq) {
  let before = list.lastElementChild;
  while (before instanceof HTMLElement && (before === row || !(Number(before.dataset.seq) < seq))) before = before.previousElementSibling;
  if (!row.isConnected || rowBefore(row) !== before) {
    const follower = rowAfter(row);
    if (before === null) list.prepend(row);
    else before.after(row);
    tidy(list, follower);
  }
  decorate(row);
  const next = rowAfter(row);
  if (next !== null) decorate(next);
}

/**
 * @param {HTMLElement} list
 * @param {HTMLElement} row goes
 */
export function takeRow(list, row) {
  const follower = rowAfter(row);
  row.remove();
  tidy(list, follower);
}

/**
 * @param {HTMLElement} list
 * @param {HTMLElement | null} follower of a row that went
 */
function tidy(list, follower) {
  if (follower !== null) decorate(follower);
  else tidyEnd(list);
}

/**
 * Puts a page of the past before the others.
 * @param {HTMLElement} list
 * @param {HTMLElement[]} rows oldest first
 */
export function prependRows(list, rows) {
  const next = list.querySelector(".message");
  list.prepend(...rows);
  for (const row of rows) decorate(row);
  if (next instanceof HTMLElement) decorate(next);
}

/**
 * After rows were let go from the start: no line stands before the first one but its own.
 * @param {HTMLElement} list
 */
export function tidyStart(list) {
  const first = list.querySelector(".message");
  while (first !== null && first.previousElementSibling !== null) first.previousElementSibling.remove();
  if (first instanceof HTMLElement) decorate(first);
}
