import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../../static/js/net/outbox.js";
import { FakeStore } from "./fakes.mjs";
import { change, history, makeWorld, ME, message } from "./world.mjs";

/** @typedef {import("./fakes.mjs").FakeSocket} Wire */
const texts = (/** @type {Wire} */ wire) => wire.of("message").map(({ text }) => text);
const nonces = (/** @type {Wire} */ wire) => wire.of("message").map(({ nonce }) => nonce);

/** @typedef {import("./world.mjs").World} World */

/**
 * Acknowledges the newest message that was sent.
 * @param {World} world
 */
function acknowledge(world) {
  const { nonce, room } = world.wire.of("message").at(-1);
  world.wire.say({ type: "ack", nonce, room, id: `id-${nonce}`, seq: 11 });
  return nonce;
}

/**
 * Refuses the newest message that was sent.
 * @param {World} world
 * @param {string} code
 * @param {object} fields
 */
function refuse(world, code, fields = {}) {
  const { nonce, room } = world.wire.of("message").at(-1);
  world.wire.say({ type: "error", code, message: "No.", nonce, room, ...fields });
  return nonce;
}

test("a message is sent at once with a nonce and ends with its ack", () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("hello");
  assert.deepEqual(world.wire.of("message"), [{ type: "message", room: "lobby", text: "hello", nonce }]);
  world.wire.say({ type: "ack", nonce, room: "lobby", id: "m11", seq: 11 });
  assert.equal(world.outbox.size, 0);
  assert.equal(world.chat.current.log.position, 10, "an ack moves no position");
});

test("the message itself may come before its ack", () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("hello");
  world.wire.say(change(11, { userId: ME.id, nonce }));
  assert.equal(world.outbox.size, 0);
  world.wire.say({ type: "ack", nonce, room: "lobby", id: "m11", seq: 11 });
  assert.equal(world.chat.current.log.position, 11);
});

test("somebody else's message with the same nonce ends nothing", () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("hello");
  world.wire.say(change(11, { userId: "other", nonce }));
  assert.equal(world.outbox.size, 1);
});

test("what is typed without a line waits, and goes in order after the history", () => {
  const world = makeWorld();
  world.chat.post("one");
  world.chat.post("two");
  world.socket.connect();
  world.greet();
  assert.deepEqual(texts(world.wire), []);
  world.wire.say(history("resumed", 11, [message(11)], { more: true }));
  assert.deepEqual(texts(world.wire), [], "the history goes on");
  world.wire.say(history("resumed", 12, [message(12)]));
  acknowledge(world);
  assert.deepEqual(texts(world.wire), ["one", "two"]);
});

test("an unknown outcome is sent again with the same nonce, in the same order", async () => {
  const world = makeWorld();
  world.online();
  world.chat.post("one");
  world.chat.post("two");
  const [first] = nonces(world.wire);
  world.wire.end(1006);
  await world.clock.advance(1_000);
  world.greet();
  world.wire.say(history("resumed", 10));
  assert.deepEqual(nonces(world.wire), [first]);
  assert.ok(world.outbox.list().every((entry) => entry.state === "waiting"));
  acknowledge(world);
  assert.deepEqual(texts(world.wire), ["one", "two"]);
});

test("what the history shows as stored is not sent again", async () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("one");
  world.chat.post("two");
  world.wire.end(1006);
  await world.clock.advance(1_000);
  world.greet();
  world.wire.say(history("resumed", 11, [message(11, { userId: ME.id, nonce })]));
  assert.deepEqual(texts(world.wire), ["two"]);
});

test("the outbox survives a reload with its nonces and order", () => {
  const store = new FakeStore();
  const before = makeWorld({ store });
  before.chat.post("one");
  before.chat.post("two");
  const kept = before.outbox.list().map(({ nonce }) => nonce);
  const after = makeWorld({ store });
  after.online();
  acknowledge(after);
  assert.deepEqual(nonces(after.wire), kept);
});

test("another account's outbox is not touched", () => {
  const store = new FakeStore();
  new Outbox({ store, account: "another", now: () => 1, newNonce: () => "x" }).add("lobby", "not mine");
  const world = makeWorld({ store });
  world.online();
  assert.deepEqual(texts(world.wire), []);
  assert.equal(store.length, 1);
});

test("a refusal keeps the text with the server's reason until it is tried again or discarded", () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("hello");
  world.wire.say({ type: "error", code: "muted", message: "You are muted.", nonce, room: "lobby" });
  const entry = world.outbox.get(nonce);
  assert.deepEqual([entry?.state, entry?.code, entry?.reason, entry?.retryAt], ["refused", "muted", "You are muted.", null]);
  world.sender.retry(nonce);
  assert.deepEqual(nonces(world.wire), [nonce, nonce]);
  world.sender.discard(nonce);
  assert.equal(world.outbox.size, 0);
});

test("a refused message does not hold up the later ones", () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("bad");
  world.wire.say({ type: "error", code: "forbidden", message: "No.", nonce });
  world.chat.post("good");
  assert.deepEqual(texts(world.wire), ["bad", "good"]);
});

test("after the rate limit everything waits, then goes one by one, in order", async () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("one");
  world.chat.post("two");
  refuse(world, "rate_limited", { retryAfter: 3 });
  world.chat.post("three");
  assert.deepEqual(texts(world.wire), ["one"]);
  assert.equal(world.outbox.get(nonce)?.retryAt, world.clock.now() + 3000);
  await world.clock.advance(3_000);
  assert.deepEqual(texts(world.wire), ["one", "one"]);
  acknowledge(world);
  acknowledge(world);
  assert.deepEqual(texts(world.wire), ["one", "one", "two", "three"]);
});

for (const code of ["rate_limited", "busy"]) {
  test(`what was typed first is stored first, though it is answered with ${code} and the next would not be`, async () => {
    const world = makeWorld();
    world.online();
    /** @type {string[]} */
    const stored = [];
    for (const text of ["one", "two", "three"]) world.chat.post(text);
    let refusals = 2;
    for (let answered = 0; answered < 5; answered += 1) {
      const { text } = world.wire.of("message").at(-1);
      if (text === "one" && refusals > 0) {
        refusals -= 1;
        refuse(world, code, { retryAfter: 0.001 });
        await world.clock.advance(50);
      } else {
        stored.push(text);
        acknowledge(world);
      }
    }
    assert.deepEqual(stored, ["one", "two", "three"]);
  });
}

test("a message without an answer holds up its own room only", () => {
  const world = makeWorld();
  world.chat.post("for the lobby");
  world.chat.enter("deploys", "Deploys");
  world.chat.post("for deploys");
  world.socket.connect();
  world.greet();
  world.wire.say(history("latest", 3, [message(3, { room: "deploys" })], { room: "deploys" }));
  world.wire.say(history("resumed", 10));
  assert.deepEqual(texts(world.wire), ["for deploys", "for the lobby"]);
});

test("busy is sent again by itself after its retryAfter", async () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("one");
  world.wire.say({ type: "error", code: "busy", message: "Try again.", nonce, retryAfter: 1 });
  await world.clock.advance(1_000);
  assert.deepEqual(nonces(world.wire), [nonce, nonce]);
});

test("nothing is handed to a browser whose buffer is full", async () => {
  const world = makeWorld();
  world.online();
  world.wire.bufferedAmount = 64 * 1024;
  world.chat.post("one");
  assert.deepEqual(texts(world.wire), []);
  world.wire.bufferedAmount = 0;
  await world.clock.advance(200);
  assert.deepEqual(texts(world.wire), ["one"]);
});

test("no answer on an open line for long: it is sent again, which is harmless", async () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("one");
  await world.clock.advance(15_000);
  assert.deepEqual(nonces(world.wire), [nonce, nonce]);
});

test("another tab's message is left to it, and sent from here only when it stays", async () => {
  const store = new FakeStore();
  const one = makeWorld({ store });
  const two = makeWorld({ store });
  two.online();
  const entry = one.chat.post("from the first tab");
  const key = store.key(0);
  if (two.outbox.adopt(key, store.getItem(key))) two.sender.leaveToOthers(entry.nonce);
  assert.deepEqual(texts(two.wire), []);
  await two.clock.advance(15_000);
  assert.deepEqual(nonces(two.wire), [entry.nonce]);
});

test("what another tab got through goes from here too", () => {
  const store = new FakeStore();
  const one = makeWorld({ store });
  const entry = one.chat.post("hello");
  const two = makeWorld({ store });
  const key = store.key(0);
  one.sender.delivered(entry.nonce);
  two.outbox.adopt(key, null);
  assert.equal(two.outbox.size, 0);
});

test("a store that is full loses nothing that was typed while the page lives", () => {
  const store = new FakeStore();
  store.setItem = () => {
    throw new Error("QuotaExceededError");
  };
  const world = makeWorld({ store });
  world.online();
  world.chat.post("hello");
  assert.deepEqual(texts(world.wire), ["hello"]);
});

test("what is waiting for another room is sent there, and the room is left again", async () => {
  const world = makeWorld();
  world.chat.post("for the lobby");
  world.chat.enter("deploys", "Deploys");
  world.socket.connect();
  world.greet();
  world.wire.say(history("latest", 3, [message(3, { room: "deploys" })], { room: "deploys" }));
  assert.deepEqual(world.wire.of("join"), [{ type: "join", room: "lobby", since: 10, epoch: "e1" }]);
  world.wire.say(history("resumed", 10));
  const [{ nonce, room }] = world.wire.of("message");
  assert.equal(room, "lobby");
  world.wire.say({ type: "ack", nonce, room: "lobby", id: "x", seq: 11 });
  assert.deepEqual(world.wire.of("leave"), [{ type: "leave", room: "lobby" }]);
});

test("a text too large for any frame is refused here: sent, it would close the line again and again", () => {
  const world = makeWorld();
  world.online();
  const { nonce } = world.chat.post("😀".repeat(5000));
  world.chat.post("small");
  assert.equal(world.outbox.get(nonce)?.code, "too_large");
  assert.deepEqual(texts(world.wire), ["small"]);
});

test("a long backlog goes in its order, each as soon as the one before is answered", () => {
  const world = makeWorld();
  for (let index = 0; index < 45; index += 1) world.chat.post(`message ${index}`);
  world.online();
  assert.equal(texts(world.wire).length, 1);
  for (let index = 0; index < 44; index += 1) acknowledge(world);
  assert.deepEqual(texts(world.wire), [...Array(45).keys()].map((index) => `message ${index}`));
});

test("another tab's message holds up nothing that was typed here", async () => {
  const store = new FakeStore();
  const one = makeWorld({ store });
  await one.clock.advance(1); // two fresh worlds would draw the same nonces
  const two = makeWorld({ store });
  two.online();
  const entry = one.chat.post("from the first tab");
  const key = store.key(0);
  if (two.outbox.adopt(key, store.getItem(key))) two.sender.leaveToOthers(entry.nonce);
  two.chat.post("typed here");
  assert.deepEqual(texts(two.wire), ["typed here"]);
});

test("what a message answers goes with it, over a reload and a resend", () => {
  const store = new FakeStore();
  const reply = { id: "m1", seq: 1, from: "jo", userId: "x" };
  const world = makeWorld({ store });
  const { nonce } = world.chat.post("yes", reply);
  const again = makeWorld({ store });
  assert.deepEqual(again.outbox.get(nonce)?.replyTo, reply);
  again.online();
  again.wire.end();
  again.socket.hurry();
  again.greet();
  again.wire.say(history("resumed", 10));
  assert.deepEqual(again.wire.of("message"), [{ type: "message", room: "lobby", text: "yes", nonce, replyTo: "m1" }]);
});
