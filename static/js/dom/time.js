// Times in the reader's own zone and the page's language.

import { localeOfPage } from "../words.js";

const DAY_MS = 86_400_000;
/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const FORMS = {
  clock: { timeStyle: "short" },
  date: { dateStyle: "medium" },
  full: { dateStyle: "medium", timeStyle: "short" },
  weekday: { weekday: "long", day: "numeric", month: "long" },
  longDay: { dateStyle: "long" },
};
/** Made once for a locale and form: making one takes longer than a hundred uses. @type {Map<string, Intl.DateTimeFormat>} */
const made = new Map();

/** @param {string} form */
function format(form) {
  const key = `${localeOfPage()} ${form}`;
  const known = made.get(key) ?? new Intl.DateTimeFormat(localeOfPage(), FORMS[form] ?? FORMS.full);
  made.set(key, known);
  return known;
}

/** @param {HTMLTimeElement} time with its moment in `datetime` */
export function localiseTime(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  time.textContent = format(time.dataset.form ?? "full").format(at);
  time.title = format("full").format(at);
}

/** @param {ParentNode} within */
export function localiseTimes(within) {
  for (const time of within.querySelectorAll("time")) localiseTime(time);
}

/**
 * The reader's day of a moment, as a key to compare.
 * @param {string} at RFC 3339
 */
export function dayOf(at) {
  const moment = new Date(at);
  return `${moment.getFullYear()}-${String(moment.getMonth() + 1).padStart(2, "0")}-${String(moment.getDate()).padStart(2, "0")}`;
}

/**
 * "Today", "Yesterday", "Monday, 3 March", "3 March 2024".
 * @param {string} day as dayOf gives it
 * @param {Date} now
 */
export function nameDay(day, now) {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  const start = new Date(year, month - 1, date);
  const today = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const days = Math.round((start.getTime() - today.getTime()) / DAY_MS);
  if (days === 0 || days === -1) {
    const name = new Intl.RelativeTimeFormat(localeOfPage(), { numeric: "auto" }).format(days, "day");
    return name.charAt(0).toLocaleUpperCase(localeOfPage()) + name.slice(1);
  }
  return format(today.getTime() - start.getTime() < 300 * DAY_MS ? "weekday" : "longDay").format(start);
}

/** Milliseconds until the reader's next midnight. */
export function untilMidnight(now = new Date()) {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime() - now.getTime();
}
