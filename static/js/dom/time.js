// Times in the reader's own zone and language.

const DAY_MS = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const longDay = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
/** @type {Record<string, Intl.DateTimeFormat>} */
const forms = { clock, date, full };

/** @param {HTMLTimeElement} time with its moment in `datetime` */
export function localiseTime(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  time.textContent = (forms[time.dataset.form ?? "full"] ?? full).format(at);
  time.title = full.format(at);
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
    const name = relative.format(days, "day");
    return name.charAt(0).toUpperCase() + name.slice(1);
  }
  return (today.getTime() - start.getTime() < 300 * DAY_MS ? weekday : longDay).format(start);
}

/** Milliseconds until the reader's next midnight. */
export function untilMidnight(now = new Date()) {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime() - now.getTime();
}
