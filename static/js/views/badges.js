// What stands before a room's name and behind it; what the title, the icon and the installed app's badge tell of unread
// messages, and the menu button of narrow screens.

import { fillAvatar } from "../dom/avatar.js";
import { find, stamp } from "../dom/find.js";
import { number } from "../words.js";

/** @typedef {import("../state/room.js").Room} Room */

const SHOWN_LIMIT = 99;

/** @param {number} count */
export function shortCount(count) {
  return count > SHOWN_LIMIT ? `${number(SHOWN_LIMIT)}+` : number(count);
}

/**
 * @param {HTMLElement} within what has a badge, and perhaps a dot
 * @param {import("../state/facts.js").Badge} unread
 */
export function fillBadge(within, { count, mentions, quiet }) {
  const dot = within.querySelector(".room-link__dot");
  if (dot instanceof HTMLElement) dot.hidden = !quiet;
  const badge = find(".badge", HTMLElement, within);
  badge.hidden = count === 0;
  badge.classList.toggle("badge--mention", mentions > 0);
  find(".badge__at", HTMLElement, badge).hidden = mentions === 0;
  find(".badge__count", HTMLElement, badge).textContent = shortCount(count);
}

/**
 * #, a lock, or the first letter of who it is with.
 * @param {import("../state/facts.js").Kind} kind
 * @param {string} title
 */
export function roomMark(kind, title) {
  const mark = stamp(`#room-mark-${kind}`);
  if (kind === "direct") fillAvatar(find(".avatar", HTMLElement, mark), title);
  return mark;
}

export class PageBadge {
  #icon = find("#favicon", HTMLLinkElement);
  #plain = this.#icon.href;
  #elsewhere = find("#elsewhere", HTMLElement);

  /**
   * @param {Room} current
   * @param {Room[]} rooms
   */
  show(current, rooms) {
    const count = rooms.reduce((sum, room) => sum + room.badge.count, 0);
    const mentions = rooms.reduce((sum, room) => sum + room.badge.mentions, 0);
    const unread = count === 0 ? "" : `(${mentions > 0 ? "@ " : ""}${shortCount(count)}) `;
    document.title = `${unread}${current.title} · Roomlog`;
    const { unreadHref, mentionHref } = this.#icon.dataset;
    const icon = (mentions > 0 ? mentionHref : count > 0 ? unreadHref : undefined) ?? this.#plain;
    if (this.#icon.getAttribute("href") !== icon) this.#icon.href = icon;
    this.#elsewhere.hidden = !rooms.some((room) => room !== current && room.badge.count > 0);
    void navigator.setAppBadge?.(count).catch(() => {}); // 0 takes it away; only installed apps have one
  }
}
