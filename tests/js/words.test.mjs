import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { dayOf, nameDay } from "../../static/js/dom/time.js";
import { refusalText } from "../../static/js/state/refusals.js";
import { localeOfPage, number, speak, t, tn } from "../../static/js/words.js";

afterEach(() => speak("en"));

const GERMAN = {
  "Try now": "Jetzt versuchen",
  "Message to %(room)s": "Nachricht an %(room)s",
  "%(count)s day": { one: "%(count)s Tag", other: "%(count)s Tage" },
  "Too many messages. Wait a moment.": "Zu viele Nachrichten.",
  "Message must be %(limit)s characters or less.": "Höchstens %(limit)s Zeichen.",
  "Only its author can edit a message.": "Nur wer sie schrieb.",
  "You may not do that.": "Das darfst du nicht.",
};

test("without a catalogue the scripts speak English", () => {
  assert.equal(t("Message to %(room)s", { room: "Lobby" }), "Message to Lobby");
  assert.equal(tn("%(count)s day", "%(count)s days", 1), "1 day");
  assert.equal(tn("%(count)s day", "%(count)s days", 0), "0 days");
});

test("a catalogue is spoken, and what it lacks stays English", () => {
  speak("de", GERMAN);
  assert.equal(t("Message to %(room)s", { room: "Lobby" }), "Nachricht an Lobby");
  assert.equal(tn("%(count)s day", "%(count)s days", 1), "1 Tag");
  assert.equal(tn("%(count)s day", "%(count)s days", 2), "2 Tage");
  assert.equal(t("Something new"), "Something new");
  assert.equal(tn("One %(x)s", "%(count)s more", 3), "3 more");
});

test("a language with one form for every number uses it for one as well", () => {
  speak("ja", { "%(count)s day": { other: "%(count)s日" } });
  assert.equal(tn("%(count)s day", "%(count)s days", 1), "1日");
});

test("what is filled in is taken as it is, and a place without a value stays", () => {
  assert.equal(t("%(a)s and %(b)s", { a: "%(b)s $& 100%" }), "%(b)s $& 100% and %(b)s");
});

test("numbers and dates look as the reader's region has them, where it is of the page's language", () => {
  speak("de", {}, ["fr-FR", "de-CH", "de"]);
  assert.equal(localeOfPage(), "de-CH");
  speak("de", {}, ["en-GB"]);
  assert.equal(localeOfPage(), "de");
  assert.equal(number(12345), "12.345");
  assert.equal(tn("%(count)s day", "%(count)s days", 12345), "12.345 days");
});

test("days are called in the language of the page", () => {
  const now = new Date(2026, 2, 4, 12);
  const day = dayOf(new Date(2026, 2, 3, 12).toISOString());
  assert.equal(nameDay(day, now), "Yesterday");
  speak("de");
  assert.equal(nameDay(day, now), "Gestern");
  assert.equal(nameDay("2026-03-01", now), "Sonntag, 1. März");
  speak("ja");
  assert.equal(nameDay(day, now), "昨日");
  assert.equal(nameDay("2024-03-01", now), "2024年3月1日");
});

test("a refusal is said in English as the server says it", () => {
  assert.equal(refusalText({ code: "rate_limited", message: "Slower, please." }), "Slower, please.");
});

test("a refusal is said in the language by its sentence, its code and the value in it", () => {
  speak("de", GERMAN);
  assert.equal(refusalText({ code: "rate_limited", message: "Slower, please." }), "Zu viele Nachrichten.");
  assert.equal(refusalText({ code: "too_large", message: "Message must be 500 characters or less." }), "Höchstens 500 Zeichen.");
  assert.equal(refusalText({ code: "forbidden", message: "Only its author can edit a message." }), "Nur wer sie schrieb.");
  assert.equal(refusalText({ code: "forbidden", message: "Not you." }), "Das darfst du nicht.");
  assert.equal(refusalText({ code: "of_a_newer_server", message: "A new reason." }), "A new reason.");
});
