import assert from "node:assert/strict";
import { test } from "node:test";

import { Calls, callingOne, missedIn } from "../../static/js/state/calls.js";
import { Recipients, RECIPIENTS_LIMIT } from "../../static/js/state/recipients.js";
import { Room } from "../../static/js/state/room.js";
import { change, makeWorld, ME, message } from "./world.mjs";

/** @type {(slug: string, count: number, mentions: number, said?: import("../../static/js/state/facts.js").Said) => Room} */
function room(slug, count, mentions, said = {}) {
  const made = new Room(slug, slug, ME);
  made.facts.apply(said);
  made.reading.told(count, mentions);
  return made;
}
const DIRECT = /** @type {const} */ ({ kind: "direct", notify: "all" });
const MUTED = /** @type {const} */ ({ notify: "nothing" });

test("everything in a conversation counts as a mention, and what one wants to hear nothing of is only a dot", () => {
  assert.deepEqual(room("a", 3, 1).badge, { count: 3, mentions: 1, quiet: false });
  assert.deepEqual(room("a", 3, 0, DIRECT).badge, { count: 3, mentions: 3, quiet: false });
  assert.deepEqual(room("a", 3, 1, MUTED).badge, { count: 0, mentions: 0, quiet: true });
  assert.deepEqual(room("a", 0, 0, MUTED).badge, { count: 0, mentions: 0, quiet: false });
  assert.deepEqual(room("a", 3, 1, { archived: true }).badge, { count: 0, mentions: 0, quiet: false });
});

test("what is left out of a description stays as it was", () => {
  const one = room("a", 0, 0, { kind: "private", topic: "ships", notify: "all" });
  one.facts.apply({ archived: true });
  const { kind, topic, archived, notify } = one.facts;
  assert.deepEqual({ kind, topic, archived, notify }, { kind: "private", topic: "ships", archived: true, notify: "all" });
});

test("a room calls when more is worth a notification than before, and not again until then", () => {
  const calls = new Calls();
  const one = room("a", 2, 1);
  calls.seen(one);
  assert.equal(calls.came(one), false);
  one.reading.told(3, 1);
  assert.equal(calls.came(one), false, "only mentions are wanted");
  one.reading.told(4, 2);
  assert.equal(calls.came(one), true);
  one.reading.read(9);
  assert.equal(calls.came(one), false);
  one.reading.told(1, 1);
  assert.equal(calls.came(one), true);
  one.facts.apply({ notify: "all" });
  one.reading.told(2, 1);
  assert.equal(calls.came(one), true);
  one.facts.apply(MUTED);
  one.reading.told(9, 9);
  assert.equal(calls.came(one), false);
  assert.equal(calls.came(room("new", 1, 0, DIRECT)), true);
});

test("the message that calls is the last of others that this room is about for its reader", () => {
  const named = /** @type {any} */ ({ mentions: [ME.id] });
  const notice = /** @type {any} */ ({ notice: { kind: "topic", value: "x" }, mentions: [ME.id] });
  const messages = [message(1, named), message(2), message(3, { userId: ME.id, ...named }), message(4, notice)];
  assert.equal(callingOne(messages, room("a", 0, 0), ME.id)?.seq, 1);
  assert.equal(callingOne(messages, room("a", 0, 0, DIRECT), ME.id)?.seq, 2);
  assert.equal(callingOne([message(1, /** @type {any} */ ({ here: true }))], room("a", 0, 0), ME.id)?.seq, 1);
  assert.equal(callingOne([message(2)], room("a", 0, 0), ME.id), undefined);
});

test("what was missed is summed up without the current room and without what counts nowhere", () => {
  const current = room("lobby", 9, 9);
  const rooms = [current, room("a", 2, 0), room("b", 1, 1), room("dm", 3, 0, DIRECT), room("c", 5, 5, MUTED), room("d", 0, 0)];
  const missed = missedIn(rooms, current);
  assert.deepEqual([missed?.messages, missed?.mentions, missed?.rooms.map(({ slug }) => slug)], [6, 4, ["dm", "b", "a"]]);
  assert.equal(missedIn([current, room("c", 5, 5, MUTED)], current), null);
});

test("nobody is chosen twice, nor oneself, nor more than a conversation holds", () => {
  const chosen = new Recipients(ME.id);
  assert.equal(chosen.add({ id: ME.id, name: ME.name }), false);
  assert.equal(chosen.add({ id: "1", name: "Ann" }), true);
  assert.equal(chosen.add({ id: "1", name: "Ann" }), false);
  assert.deepEqual(chosen.left([{ id: "1", name: "Ann" }, { id: "2", name: "Bo" }]).map(({ name }) => name), ["Bo"]);
  for (let id = 2; !chosen.full; id += 1) chosen.add({ id: String(id), name: `P${id}` });
  assert.equal(chosen.chosen.length, RECIPIENTS_LIMIT);
  assert.equal(chosen.add({ id: "99", name: "Zoe" }), false);
  assert.equal(chosen.removeLast()?.name, "P8");
  chosen.remove("1");
  assert.equal(chosen.names, "P2, P3, P4, P5, P6, P7");
  chosen.clear();
  assert.equal(chosen.names, "");
});

test("a room frame says what a room is, before anybody is told, and no position moves", () => {
  const world = makeWorld();
  world.online();
  /** @type {string[]} */
  const told = [];
  world.chat.on("described", ({ room: one }) => told.push(`${one.slug} ${one.title} ${one.facts.kind} ${one.facts.notify}`));
  const frame = { type: "room", room: "dm-1", title: "Ann", kind: "direct", topic: "", archived: false, posting: "everyone", may: [], notify: "all" };
  world.wire.say(frame);
  world.wire.say({ ...frame, room: "lobby", title: "Hall", kind: "public", notify: "mentions" });
  assert.deepEqual(told, ["dm-1 Ann direct all", "lobby Hall public mentions"]);
  world.wire.say(change(11));
  assert.equal(world.chat.current.log.position, 11);
  assert.equal(world.chat.current.title, "Hall");
});
