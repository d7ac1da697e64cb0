// What stands before a room's name: #, a lock, or the first letter of who it is with.

import { fillAvatar } from "../dom/avatar.js";
import { find, stamp } from "../dom/find.js";

/**
 * @param {import("../state/facts.js").Kind} kind
 * @param {string} title
 */
export function roomMark(kind, title) {
  const mark = stamp(`#room-mark-${kind}`);
  if (kind === "direct") fillAvatar(find(".avatar", HTMLElement, mark), title);
  return mark;
}
