// What stands between messages: the day lines, the line of the unread, and which messages group.

import { dayOf, nameDay, untilMidnight } from "../dom/time.js";
import { t } from "../words.js";

const GROUP_MS = 5 * 60_000;

/** @param {Element | null} element */
function isRow(element) {
  return element instanceof HTMLElement && element.classList.contains("message");
}

/** @param {HTMLElement | null} row a notice never groups */
function standsAlone(row) {
  return row?.classList.contains("message--notice") === true;
}

/**
 * The message before `element`, whatever lines stand between.
 * @param {Element} element
 * @returns {HTMLElement | null}
 */
export function rowBefore(element) {
  let before = element.previousElementSibling;
  while (before !== null && !isRow(before)) before = before.previousElementSibling;
  return /** @type {HTMLElement | null} */ (before);
}

/**
 * The message after `element`, whatever lines stand between.
 * @param {Element} element
 * @returns {HTMLElement | null}
 */
export function rowAfter(element) {
  let after = element.nextElementSibling;
  while (after !== null && !isRow(after)) after = after.nextElementSibling;
  return /** @type {HTMLElement | null} */ (after);
}

/**
 * Takes away lines nothing follows any more.
 * @param {HTMLElement} list
 */
export function tidyEnd(list) {
  while (list.lastElementChild !== null && !isRow(list.lastElementChild)) list.lastElementChild.remove();
}

/**
 * Puts the lines before a message in order, and tells whether it goes on what the one before began.
 * @param {HTMLElement} row
 */
export function decorate(row) {
  const before = rowBefore(row);
  const day = dayOf(row.dataset.sentAt ?? "");
  const newDay = before === null || dayOf(before.dataset.sentAt ?? "") !== day;
  let line = row.previousElementSibling;
  while (line !== null && !isRow(line)) {
    const next = line.previousElementSibling;
    if (line.classList.contains("day-line")) line.remove();
    line = next;
  }
  if (newDay) (before === null ? row.parentElement?.prepend(dayLine(day)) : before.after(dayLine(day)));
  const apart = Date.parse(row.dataset.sentAt ?? "") - Date.parse(before?.dataset.sentAt ?? "");
  const unread = row.previousElementSibling?.classList.contains("unread-line") ?? false;
  const same = before?.dataset.userId === row.dataset.userId && !standsAlone(before) && !standsAlone(row) && row.querySelector(".message__quote") === null;
  const follows = !newDay && !unread && same && Math.abs(apart) < GROUP_MS;
  row.classList.toggle("message--follows", follows);
}

/**
 * Puts the line before the first message of others beyond `after`, or takes it away.
 * @param {HTMLElement} list
 * @param {number | null} after
 * @param {string} me this account's id
 * @returns {HTMLElement | null} the line
 */
export function placeUnreadLine(list, after, me) {
  const old = list.querySelector(".unread-line");
  const follower = old?.nextElementSibling;
  old?.remove();
  if (follower instanceof HTMLElement && isRow(follower)) decorate(follower);
  if (after === null) return null;
  const rows = /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll(".message[data-seq]"));
  const row = [...rows].find((one) => Number(one.dataset.seq) > after && one.dataset.userId !== me && !standsAlone(one));
  if (row === undefined || rowBefore(row) === null) return null;
  const line = document.createElement("li");
  line.className = "unread-line";
  line.id = "unread-line";
  line.ariaLive = "off";
  line.append(label(t("New")));
  row.before(line);
  decorate(row);
  return line;
}

/** Names the days again when one ends. */
export class DayNames {
  #list;
  #timer = 0;

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
  }

  connect() {
    this.#timer = window.setTimeout(() => {
      for (const line of this.#list.querySelectorAll(".day-line")) {
        if (line instanceof HTMLElement) line.replaceChildren(label(nameDay(line.dataset.day ?? "", new Date())));
      }
      this.connect();
    }, untilMidnight() + 1000);
  }

  disconnect() {
    clearTimeout(this.#timer);
  }
}

/** @param {string} day */
function dayLine(day) {
  const line = document.createElement("li");
  line.className = "day-line";
  line.dataset.day = day;
  line.ariaLive = "off";
  line.append(label(nameDay(day, new Date())));
  return line;
}

/** @param {string} text */
function label(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span;
}
