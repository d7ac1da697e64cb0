// One message's element: made from the template, filled from a stored message or from one still on its way.

import { fillAvatar } from "../dom/avatar.js";
import { find, stamp } from "../dom/find.js";
import { localiseTime } from "../dom/time.js";
import { noticeText } from "../state/notices.js";
import { refusalText } from "../state/refusals.js";
import { t } from "../words.js";
import { fillMarks, readMarks } from "./marks.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/outbox.js").Entry} Entry */
/** @typedef {{id: string, name: string}} Person */

/**
 * A row that nobody reads out: whoever puts in what is news says so.
 * @returns {HTMLElement}
 */
export function newRow() {
  const row = stamp("#message-template");
  row.ariaLive = "off";
  return row;
}

/**
 * @param {HTMLElement} row
 * @param {Message} message
 * @param {Person} me
 */
export function fillStored(row, message, me) {
  row.id = `message-${message.seq}`;
  row.dataset.id = message.id;
  row.dataset.seq = String(message.seq);
  row.dataset.state = "sent";
  endRefusal(row);
  row.classList.toggle("message--deleted", Boolean(message.deletedAt));
  fillAuthor(row, { id: message.userId, name: message.from }, me);
  fillTime(row, message.sentAt);
  fillBody(row, textOf(message), message.deletedAt || message.notice ? undefined : message.html);
  fillMarks(row, message, me);
  find(".message__edited", HTMLElement, row).hidden = !message.editedAt || Boolean(message.deletedAt);
}

/** @param {Message} message */
function textOf(message) {
  if (message.deletedAt) return t("This message was deleted.");
  return message.notice === undefined ? (message.text ?? "") : noticeText(message);
}

/**
 * @param {HTMLElement} row
 * @param {Entry} entry
 * @param {Person} me
 * @param {number} now milliseconds
 */
export function fillPending(row, entry, me, now) {
  row.dataset.nonce = entry.nonce;
  row.dataset.state = entry.state === "refused" ? "refused" : "pending";
  fillAuthor(row, me, me);
  if (row.dataset.sentAt === undefined) fillTime(row, new Date(entry.order).toISOString());
  fillBody(row, entry.text);
  fillRefusal(row, entry, now);
}

/**
 * @param {HTMLElement} row
 * @param {Entry} entry
 * @param {number} now milliseconds
 */
export function fillRefusal(row, entry, now) {
  if (entry.state !== "refused") return endRefusal(row);
  row.dataset.code = entry.code;
  if (row.querySelector(".message__refusal") === null) row.append(stamp("#refusal-template"));
  const seconds = entry.retryAt === null ? 0 : Math.max(0, Math.ceil((entry.retryAt - now) / 1000));
  const said = [refusalText({ code: entry.code, message: entry.reason })];
  if (entry.retryAt !== null) said.push(t("Sent again in %(seconds)s s.", { seconds }));
  find(".message__reason", HTMLElement, row).textContent = said.join(" ");
}

/** @param {HTMLElement} row */
export function endRefusal(row) {
  delete row.dataset.code;
  row.querySelector(".message__refusal")?.remove();
}

/**
 * What the row of a server-rendered page shows, as a message.
 * @param {HTMLElement} row
 * @param {string} room
 * @param {Person} me
 * @returns {Message}
 */
export function readRow(row, room, me) {
  const { id = "", seq = "0", userId = "" } = row.dataset;
  const body = find(".message__body", HTMLElement, row);
  const rich = body.classList.contains("message__body--rich");
  const deleted = row.classList.contains("message--deleted");
  const edited = !find(".message__edited", HTMLElement, row).hidden;
  const sentAt = find("time", HTMLTimeElement, row).dateTime;
  /** @type {Message} */
  const message = { id, room, seq: Number(seq), userId, from: find(".message__author", HTMLElement, row).textContent ?? "", sentAt, ...readMarks(row, me) };
  if (deleted) return { ...message, deletedAt: sentAt };
  if (row.dataset.nonce !== undefined) message.nonce = row.dataset.nonce;
  message.text = row.dataset.text ?? body.textContent ?? "";
  if (rich) message.html = body.innerHTML;
  if (edited) message.editedAt = sentAt;
  return message;
}

/**
 * @param {HTMLElement} row
 * @param {Person} author
 * @param {Person} me
 */
function fillAuthor(row, author, me) {
  row.dataset.userId = author.id;
  row.classList.toggle("message--own", author.id === me.id);
  find(".message__author", HTMLElement, row).textContent = author.name;
  fillAvatar(find(".avatar", HTMLElement, row), author.name);
}

/**
 * @param {HTMLElement} row
 * @param {string} at RFC 3339
 */
function fillTime(row, at) {
  const time = find("time", HTMLTimeElement, row);
  row.dataset.sentAt = at;
  time.dateTime = at;
  localiseTime(time);
}

/**
 * @param {HTMLElement} row
 * @param {string} text
 * @param {string} [html] made and sanitised by the server, the only HTML that is ever put in
 */
function fillBody(row, text, html) {
  const body = find(".message__body", HTMLElement, row);
  body.classList.toggle("message__body--rich", html !== undefined);
  if (html !== undefined) body.innerHTML = html;
  else body.textContent = text;
}
