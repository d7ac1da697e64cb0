import assert from "node:assert/strict";
import { test } from "node:test";

import { Drafts } from "../../static/js/state/drafts.js";
import { Throttle } from "../../static/js/state/throttle.js";
import { allowedOn } from "../../static/js/state/permissions.js";
import { Standing } from "../../static/js/state/standing.js";
import { FakeClock, FakeStore } from "./fakes.mjs";
import { change, history, makeWorld, ME, message } from "./world.mjs";

const seqs = (/** @type {import("./world.mjs").World} */ world) => world.chat.current.log.messages.map(({ seq }) => seq);

test("a gap is resumed once, and what came meanwhile is not doubled", () => {
  const world = makeWorld();
  world.online();
  world.wire.say(change(13));
  world.wire.say(change(14));
  assert.deepEqual(world.wire.of("join"), [{ type: "join", room: "lobby", since: 10, epoch: "e1" }]);
  world.wire.say(history("resumed", 14, [11, 12, 13, 14].map((seq) => message(seq))));
  world.wire.say(change(15));
  assert.deepEqual(seqs(world), [10, 11, 12, 13, 14, 15]);
});

test("a heartbeat that knows more than this page makes it resume", () => {
  const world = makeWorld();
  world.online();
  world.wire.say({ type: "heartbeat", heads: { lobby: 10 } });
  assert.equal(world.wire.of("join").length, 0);
  world.wire.say({ type: "heartbeat", heads: { lobby: 12 } });
  assert.equal(world.wire.of("join").length, 1);
});

test("the position has moved before anybody is told", () => {
  const world = makeWorld();
  world.online();
  /** @type {(number | null)[]} */
  const positions = [];
  world.chat.on("put", ({ room }) => positions.push(room.log.position));
  world.wire.say(change(11));
  assert.deepEqual(positions, [11]);
});

test("reset draws the room anew", () => {
  const world = makeWorld();
  world.online();
  world.events();
  world.wire.say(history("reset", 5000, [message(5000)]));
  assert.ok(world.events().includes("shown"));
  assert.deepEqual(seqs(world), [5000]);
});

test("switching joins the new room, leaves the old one and keeps what is known of it", () => {
  const world = makeWorld();
  world.online();
  world.chat.enter("deploys", "Deploys");
  assert.deepEqual(world.wire.of("join"), [{ type: "join", room: "deploys" }]);
  assert.deepEqual(world.wire.of("leave"), [{ type: "leave", room: "lobby" }]);
  world.wire.say(history("latest", 2, [message(1, { room: "deploys" })], { room: "deploys" }));
  world.chat.enter("lobby", "Lobby");
  assert.deepEqual(seqs(world), [10]);
  assert.deepEqual(world.wire.of("join").at(-1), { type: "join", room: "lobby", since: 10, epoch: "e1" });
});

test("a reconnect goes on in the room that is looked at", async () => {
  const world = makeWorld();
  world.online();
  world.chat.enter("deploys", "Deploys");
  world.wire.say(history("latest", 2, [message(2, { room: "deploys" })], { room: "deploys", epoch: "d1" }));
  world.wire.end(1012);
  await world.clock.advance(5_000);
  assert.equal(world.wire.address, "/chat?room=deploys&since=2&epoch=d1");
});

test("a room switched to while connecting is joined as soon as the line is there", () => {
  const world = makeWorld();
  world.socket.connect();
  world.chat.enter("deploys", "Deploys");
  world.greet();
  world.wire.say(history("resumed", 10));
  assert.deepEqual(world.wire.of("join"), [{ type: "join", room: "deploys" }]);
});

test("unread is the server's count elsewhere, and one's own count here", () => {
  const world = makeWorld();
  world.chat.current.reading.start(10);
  world.online();
  world.wire.say({ type: "unread", room: "deploys", count: 4, mentions: 1 });
  assert.deepEqual([world.chat.room("deploys").reading.count, world.chat.room("deploys").reading.mentions], [4, 1]);
  world.wire.say({ type: "read", room: "deploys", seq: 9 });
  assert.equal(world.chat.room("deploys").reading.count, 0);
  world.wire.say(change(11));
  assert.equal(world.chat.current.reading.count, 1);
  world.chat.attend(true);
  world.wire.say(change(12));
  assert.equal(world.chat.current.reading.count, 1);
  world.chat.read();
  assert.deepEqual(world.wire.of("read"), [{ type: "read", room: "lobby", seq: 12 }]);
  assert.equal(world.chat.current.reading.count, 0);
});

test("a message that names oneself counts as a mention here too", () => {
  const world = makeWorld();
  world.online();
  world.wire.say(change(11, { text: "ask @Masa", mentions: [ME.id] }));
  world.wire.say(change(12, { text: "ask @masato", mentions: ["x"] }));
  world.wire.say(change(13, { text: "@here", here: true }));
  assert.deepEqual([world.chat.current.reading.count, world.chat.current.reading.mentions], [3, 2]);
  world.chat.read();
  assert.equal(world.chat.current.reading.mentions, 0);
});

test("only what comes just now is news, not what a reconnect brings, and no edit", () => {
  const world = makeWorld();
  world.online();
  /** @type {boolean[]} */
  const news = [];
  world.chat.on("put", (put) => news.push(put.news));
  world.wire.say(change(11));
  world.wire.say(change(12, { messageSeq: 11, id: "m11", text: "edited" }, "edited"));
  world.wire.say(history("resumed", 13, [message(13)]));
  assert.deepEqual(news, [true, false, false]);
});

test("nothing new is not told as read again", () => {
  const world = makeWorld();
  world.chat.current.reading.start(10);
  world.online();
  world.chat.read();
  assert.equal(world.wire.of("read").length, 0);
});

test("the line of the unread stands where the reader left, and goes with an answer", () => {
  const world = makeWorld();
  const { reading, log } = world.chat.current;
  reading.start(10);
  world.online();
  reading.open(log.messages);
  assert.equal(reading.lineAfter, null);
  world.wire.say(change(11));
  world.wire.say(change(12));
  assert.equal(reading.lineAfter, 10);
  world.chat.read();
  world.wire.say(change(13));
  assert.equal(reading.lineAfter, 12, "what was read is behind the line");
  world.wire.say(change(14, { userId: ME.id }));
  assert.equal(reading.lineAfter, null);
});

test("a room entered by its badge gets its line from the count", () => {
  const world = makeWorld();
  world.online();
  world.wire.say({ type: "unread", room: "deploys", count: 2, mentions: 0 });
  world.chat.enter("deploys", "Deploys");
  const messages = [1, 2, 3, 4].map((seq) => message(seq, { room: "deploys" }));
  world.wire.say(history("latest", 4, messages, { room: "deploys" }));
  assert.equal(world.chat.current.reading.lineAfter, 2);
});

test("who is here follows the frames, a person once", () => {
  const world = makeWorld();
  world.online();
  world.wire.say({ type: "presence", room: "lobby", online: 2, users: ["masa", "jo"], joined: [], left: [] });
  world.wire.say({ type: "presence", room: "lobby", online: 2, joined: ["li"], left: ["jo"] });
  assert.deepEqual([world.chat.current.people.names, world.chat.current.people.online], [["li", "masa"], 2]);
});

test("whether it is known who is here follows the latest frame", () => {
  const world = makeWorld();
  world.online();
  const partial = () => world.chat.current.people.partial;
  world.wire.say({ type: "presence", room: "lobby", online: 1, users: ["masa"], joined: [], left: [] });
  assert.equal(partial(), false);
  world.wire.say({ type: "presence", room: "lobby", online: 1, joined: [], left: [], partial: true });
  assert.equal(partial(), true);
  world.wire.say({ type: "presence", room: "lobby", online: 2, joined: ["jo"], left: [] });
  assert.equal(partial(), false);
});

test("typing is forgotten after five seconds, or with the message", async () => {
  const world = makeWorld();
  world.online();
  const names = () => world.chat.current.typing.current(world.clock.now()).names;
  world.wire.say({ type: "typing", room: "lobby", users: ["jo", "masa"] });
  assert.deepEqual(names(), ["jo"], "oneself is not told");
  await world.clock.advance(4_999);
  assert.deepEqual(names(), ["jo"]);
  await world.clock.advance(1);
  assert.deepEqual(names(), []);
  world.wire.say({ type: "typing", room: "lobby", users: ["jo"] });
  world.wire.say(change(11));
  assert.deepEqual(names(), []);
});

test("older messages come a page at a time", async () => {
  const world = makeWorld({ older: { messages: [message(8), message(9)], more: false } });
  world.online();
  await world.chat.loadOlder();
  assert.deepEqual(seqs(world), [8, 9, 10]);
  assert.equal(world.chat.current.log.more, false);
});

test("a page that could not be had leaves everything as it was", async () => {
  const world = makeWorld({ older: null });
  assert.equal(await world.chat.loadOlder(), false);
  assert.deepEqual([seqs(world), world.chat.current.log.more], [[10], true]);
});

test("a room one was removed from is forgotten", () => {
  const world = makeWorld();
  world.online();
  world.wire.say({ type: "removed", room: "lobby" });
  assert.ok(world.events().includes("removed"));
});

test("an error that belongs to no message is passed on", () => {
  const world = makeWorld();
  world.online();
  world.wire.say({ type: "error", code: "forbidden", message: "Only your own.", room: "lobby" });
  assert.ok(world.events().includes("refused"));
});

test("edits and deletions name their room", () => {
  const world = makeWorld();
  world.online();
  assert.equal(world.chat.edit("m10", "new"), true);
  assert.equal(world.chat.delete("m10"), true);
  assert.deepEqual(world.wire.sent.slice(-2), [
    { type: "edit", room: "lobby", id: "m10", text: "new" },
    { type: "delete", room: "lobby", id: "m10" },
  ]);
});

test("what is offered on a message depends on whose it is, how old, and what one may in the room", () => {
  const at = Date.parse("2026-01-01T00:00:00Z");
  const own = message(1, { userId: ME.id });
  const offered = (/** @type {import("./world.mjs").Message} */ one, now = at, standing = new Standing()) => {
    return Object.entries(allowedOn(one, ME, now, standing)).filter(([, yes]) => yes).map(([name]) => name).join(" ");
  };
  assert.equal(offered(own), "edit delete react reply");
  assert.equal(offered(own, at + 24 * 3_600_000), "delete react reply");
  assert.equal(offered(message(1)), "react reply");
  assert.equal(offered(message(1), at, new Standing("moderator")), "delete react pin reply");
  const archived = new Standing("moderator");
  archived.apply({ may: ["moderate"], archived: true });
  assert.equal(offered(own, at, archived), "delete");
  assert.equal(offered({ ...own, deletedAt: "x" }), "");
  assert.equal(offered({ ...own, notice: { kind: "left", value: "" } }), "");
});

test("a room frame says what may be done in it", () => {
  const world = makeWorld();
  world.online();
  assert.equal(world.chat.current.standing.may("post"), true);
  world.wire.say({ type: "room", room: "lobby", title: "Hall", kind: "public", topic: "", archived: true, posting: "everyone", may: [] });
  assert.deepEqual([world.chat.current.title, world.chat.current.standing.may("post"), world.chat.current.standing.archived], ["Hall", false, true]);
  assert.ok(world.events().includes("described"));
});

test("a notice is in the log, but nobody's unread message", () => {
  const world = makeWorld();
  world.online();
  world.wire.say(change(11, { notice: { kind: "topic", value: "x" } }));
  assert.deepEqual(seqs(world), [10, 11]);
  assert.deepEqual([world.chat.current.reading.count, world.chat.current.reading.lineAfter], [0, null]);
});

test("reactions and pins name their room", () => {
  const world = makeWorld();
  world.online();
  world.chat.react("m10", "👍", false);
  world.chat.pin("m10", true);
  world.chat.pin("m10", false);
  assert.deepEqual(world.wire.sent.slice(-3), [
    { type: "react", room: "lobby", id: "m10", emoji: "👍", remove: false },
    { type: "pin", room: "lobby", id: "m10" },
    { type: "unpin", room: "lobby", id: "m10" },
  ]);
});

test("drafts keep what they answer", () => {
  const store = new FakeStore();
  const reply = { id: "m1", seq: 1, from: "jo", userId: "x" };
  new Drafts(store, "a").answer("lobby", reply);
  assert.deepEqual(new Drafts(store, "a").reply("lobby"), reply);
  assert.equal(new Drafts(store, "a").get("lobby"), "");
  assert.equal(new Drafts(store, "a").reply("den"), null);
  new Drafts(store, "a").answer("lobby", null);
  assert.equal(store.length, 0);
});

test("drafts are kept by account and room", () => {
  const store = new FakeStore();
  new Drafts(store, "a").set("lobby", "half a sent");
  assert.equal(new Drafts(store, "a").get("lobby"), "half a sent");
  assert.equal(new Drafts(store, "b").get("lobby"), "");
  new Drafts(store, "a").set("lobby", "");
  assert.equal(store.length, 0);
});

test("a throttled call goes through once per interval, the last one late", async () => {
  const clock = new FakeClock();
  let calls = 0;
  const throttle = new Throttle(clock, 1000, () => (calls += 1));
  for (let call = 0; call < 5; call += 1) throttle.soon();
  assert.equal(calls, 1);
  await clock.advance(1000);
  assert.equal(calls, 2);
  throttle.orNever();
  assert.equal(calls, 2);
});
