import assert from "node:assert/strict";
import { test } from "node:test";

import { findRooms, nextRoom } from "../../static/js/state/choices.js";
import { actionOf } from "../../static/js/state/keys.js";
import { mentionsOf } from "../../static/js/state/mentions.js";

const NO_KEYS = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, isComposing: false };
/** @type {(key: string, held?: Partial<typeof NO_KEYS>, typing?: boolean) => string | null} */
const action = (key, held = {}, typing = false) => actionOf({ ...NO_KEYS, key, ...held }, typing);

/** @type {(slug: string, more?: Partial<import("../../static/js/state/choices.js").Choice>) => import("../../static/js/state/choices.js").Choice} */
const room = (slug, more = {}) => ({ slug, title: slug, kind: "public", count: 0, mentions: 0, quiet: false, current: false, ...more });
const ROOMS = [
  room("lobby", { title: "Lobby", current: true }),
  room("deploys", { title: "Deploys and builds" }),
  room("cafe", { title: "Café", count: 3 }),
  room("help", { title: "Customer help", count: 1, mentions: 1 }),
  room("old-builds", { title: "Archive" }),
];
/** @param {{slug: string}[]} rooms */
const slugs = (rooms) => rooms.map(({ slug }) => slug);

test("every key has its action, and no other chord has one", () => {
  assert.equal(action("k", { ctrlKey: true }), "switch");
  assert.equal(action("K", { metaKey: true }, true), "switch");
  assert.equal(action("F", { ctrlKey: true, shiftKey: true }, true), "search");
  assert.equal(action("f", { metaKey: true, shiftKey: true }), "search");
  assert.equal(action("f", { ctrlKey: true }), null, "the browser's own");
  assert.equal(action("ArrowDown", { altKey: true }, true), "next");
  assert.equal(action("ArrowUp", { altKey: true }), "previous");
  assert.equal(action("Escape", {}, true), "close");
  for (const held of [{ ctrlKey: true, shiftKey: true }, { ctrlKey: true, altKey: true }, {}]) assert.equal(action("k", held), null);
  for (const held of [{}, { altKey: true, ctrlKey: true }, { altKey: true, shiftKey: true }]) assert.equal(action("ArrowUp", held), null);
});

test("a question mark in a text is a question mark", () => {
  assert.equal(action("?", { shiftKey: true }), "help");
  assert.equal(action("?", { shiftKey: true }, true), null);
  assert.equal(action("?", { ctrlKey: true }), null);
});

test("an input method keeps its keys", () => {
  assert.equal(action("Escape", { isComposing: true }, true), null);
  assert.equal(action("k", { ctrlKey: true, isComposing: true }, true), null);
});

test("without a word the rooms with mentions come first, then unread ones, and the current one last", () => {
  assert.deepEqual(slugs(findRooms(ROOMS, "")), ["help", "cafe", "deploys", "old-builds", "lobby"]);
  assert.deepEqual(slugs(findRooms(ROOMS, "  ")), slugs(findRooms(ROOMS, "")));
});

test("parts of words find a room, in the title and in the address, whatever case and accents", () => {
  assert.deepEqual(slugs(findRooms(ROOMS, "CAFE")), ["cafe"]);
  assert.deepEqual(slugs(findRooms(ROOMS, "ploy")), ["deploys"]);
  assert.deepEqual(slugs(findRooms(ROOMS, "ui")), ["deploys", "old-builds"]);
  assert.deepEqual(slugs(findRooms(ROOMS, "bui dep")), ["deploys"], "each word somewhere, in any order");
  assert.deepEqual(slugs(findRooms(ROOMS, "nowhere")), []);
});

test("a title that begins with what is typed comes before one that only holds it", () => {
  const rooms = [room("a", { title: "Reports" }), room("b", { title: "Sales reports" }), room("c", { title: "Report cards" }), room("d", { title: "Xreport" })];
  assert.deepEqual(slugs(findRooms(rooms, "report")), ["a", "c", "b", "d"]);
});

test("the next unread room is found round and round, in both directions", () => {
  assert.equal(nextRoom(ROOMS, 1)?.slug, "cafe");
  assert.equal(nextRoom(ROOMS, -1)?.slug, "help");
  const last = ROOMS.map((one, index) => ({ ...one, current: index === 4 }));
  assert.equal(nextRoom(last, 1)?.slug, "cafe");
});

test("where nothing is unread it is the neighbour", () => {
  const read = ROOMS.map((one) => ({ ...one, count: 0, mentions: 0 }));
  assert.equal(nextRoom(read, 1)?.slug, "deploys");
  assert.equal(nextRoom(read, -1)?.slug, "old-builds");
  assert.equal(nextRoom([room("lobby", { current: true, count: 9 })], 1), undefined);
  assert.equal(nextRoom([], 1), undefined);
});

test("a name with an @ is a mention where a word begins and ends", () => {
  /** @type {(text: string, name?: string) => string[]} */
  const named = (text, name = "Ada") => mentionsOf(text, name).map(({ start, end }) => text.slice(start, end));
  assert.deepEqual(named("@Ada, @ada! (@ADA) @Ada"), ["@Ada", "@ada", "@ADA", "@Ada"]);
  for (const text of ["Ada", "@Adam", "@Ada_", "@Adá", "me@Ada", "@ Ada", "@", ""]) assert.deepEqual(named(text), [], text);
  assert.deepEqual(named("thanks @Grace Hopper's", "grace hopper"), ["@Grace Hopper"]);
  assert.deepEqual(named("@ß und @SS", "ß"), ["@ß"]);
  assert.deepEqual(named("@マサさん @マサ", "マサ"), ["@マサ"]);
});
