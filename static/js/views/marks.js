// What stands beside a stored message's text: its address, its kind, its pin and its reactions; from a row and into one.

import { find } from "../dom/find.js";
import { permalink } from "../state/permalinks.js";
import { fillReactions, readReactions } from "./reactions.js";

/** @typedef {import("../net/frames.js").Message} Message */

/**
 * @param {HTMLElement} row
 * @param {Message} message
 * @param {{id: string}} me
 */
export function fillMarks(row, message, me) {
  const time = find(".message__time", HTMLAnchorElement, row);
  time.href = permalink(message.room, message.seq);
  if (!row.contains(document.activeElement)) time.tabIndex = -1; // views/message_focus.js opens it
  row.classList.toggle("message--notice", message.notice !== undefined);
  find(".message__pinned", HTMLElement, row).hidden = message.pinnedAt === undefined;
  fillReactions(row, message.deletedAt ? [] : (message.reactions ?? []), me);
}

/**
 * What the server wrote beside the text of a row.
 * @param {HTMLElement} row
 * @param {{id: string}} me
 * @returns {Partial<Message>}
 */
export function readMarks(row, me) {
  const { notice, noticeValue = "", pinnedAt, mentionsMe, here } = row.dataset;
  const quote = row.querySelector(".message__quote");
  const reactions = readReactions(row);
  return {
    ...(notice !== undefined && { notice: { kind: notice, value: noticeValue } }),
    ...(pinnedAt !== undefined && { pinnedAt }),
    ...(mentionsMe !== undefined && { mentions: [me.id] }),
    ...(here !== undefined && { here: true }),
    ...(quote instanceof HTMLElement && { replyTo: readQuote(quote) }),
    ...(reactions.length > 0 && { reactions }),
  };
}

/** @param {HTMLElement} quote */
function readQuote(quote) {
  const { replyId = "", replySeq = "0", userId = "" } = quote.dataset;
  return { id: replyId, seq: Number(replySeq), from: find(".message__quote-author", HTMLElement, quote).textContent ?? "", userId };
}
