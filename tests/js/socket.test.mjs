import assert from "node:assert/strict";
import { test } from "node:test";

import { askReason } from "../../static/js/net/reason.js";
import { settle } from "./fakes.mjs";
import { makeWorld } from "./world.mjs";

test("the address carries the room and, once known, the position", () => {
  const world = makeWorld();
  world.socket.connect();
  assert.equal(world.wire.address, "/chat?room=lobby&since=10&epoch=e1");
  const fresh = makeWorld({ start: null });
  fresh.socket.connect();
  assert.equal(fresh.wire.address, "/chat?room=lobby");
});

test("a lost line comes back after a random pause", async () => {
  const world = makeWorld();
  world.online();
  world.wire.end(1006);
  assert.equal(world.socket.line.name, "waiting");
  await world.clock.advance(249);
  assert.equal(world.sockets.length, 1);
  await world.clock.advance(1);
  assert.equal(world.sockets.length, 2);
});

test("nothing heard for two and a half heartbeats means the line is dead", async () => {
  const world = makeWorld();
  world.online();
  await world.clock.advance(60_000);
  world.wire.say({ type: "heartbeat", heads: { lobby: 10 } });
  await world.clock.advance(74_999);
  assert.equal(world.socket.line.name, "online");
  await world.clock.advance(1);
  assert.equal(world.sockets[0].closed, 1000);
  assert.equal(world.socket.line.name, "waiting");
});

test("the server's heartbeat counts, not the one the page was made with", async () => {
  const world = makeWorld();
  world.socket.connect();
  world.wire.accept();
  world.wire.say({ type: "system", message: "", clientId: "c", user: { id: "me" }, limits: { heartbeatSeconds: 2 } });
  await world.clock.advance(5_000);
  assert.equal(world.socket.line.name, "waiting");
});

test("the network's return ends the waiting", async () => {
  const world = makeWorld({ random: () => 1 });
  world.online();
  world.wire.end(1006);
  world.chat.probe();
  assert.equal(world.sockets.length, 2);
  assert.equal(world.socket.line.name, "connecting");
});

test("a line that is dead behind an open socket shows itself when it is probed", async () => {
  const world = makeWorld();
  world.online();
  await world.clock.advance(10_000);
  world.chat.probe();
  assert.deepEqual(world.wire.of("join"), [{ type: "join", room: "lobby", since: 10, epoch: "e1" }]);
  await world.clock.advance(3_000);
  assert.equal(world.socket.line.name, "waiting");
});

test("a probed line that answers stays", async () => {
  const world = makeWorld();
  world.online();
  await world.clock.advance(10_000);
  world.chat.probe();
  await world.clock.advance(1_000);
  world.wire.say({ type: "heartbeat", heads: {} });
  await world.clock.advance(3_000);
  assert.equal(world.socket.line.name, "online");
});

test("a socket that never opened asks why: signed out", async () => {
  const world = makeWorld({ why: { kind: "signed-out" } });
  let signedOut = 0;
  world.socket.on("signedOut", () => (signedOut += 1));
  world.socket.connect();
  world.wire.end(1006);
  await settle();
  assert.equal(signedOut, 1);
});

test("a socket that never opened asks why: too many tries wait as long as they are told, whatever hurries", async () => {
  const world = makeWorld({ why: { kind: "wait", milliseconds: 30_000 } });
  world.socket.connect();
  world.wire.end(1006);
  await settle();
  world.socket.hurry();
  await world.clock.advance(30_000);
  assert.equal(world.sockets.length, 1);
  await world.clock.advance(1_000);
  assert.equal(world.sockets.length, 2);
});

test("a room that is gone stops the line and says so", async () => {
  const world = makeWorld({ why: { kind: "gone" } });
  world.socket.connect();
  world.wire.end(1006);
  await settle();
  assert.equal(world.socket.line.name, "stopped");
  assert.match(world.socket.line.reason, /room/);
});

test("an opening that hangs is given up after ten seconds", async () => {
  const world = makeWorld();
  world.socket.connect();
  await world.clock.advance(10_000);
  assert.equal(world.sockets[0].closed, 1000);
  assert.equal(world.socket.line.name, "waiting");
});

test("a disabled account stays out and is told", async () => {
  const world = makeWorld();
  world.online();
  world.wire.end(4403);
  world.chat.probe();
  await world.clock.advance(60_000);
  assert.equal(world.sockets.length, 1);
  assert.match(world.socket.line.reason, /disabled/);
});

test("a session that ended leads to the sign-in page", () => {
  const world = makeWorld();
  let signedOut = 0;
  world.socket.on("signedOut", () => (signedOut += 1));
  world.online();
  world.wire.end(4401);
  assert.equal(signedOut, 1);
});

test("over the frame limit it comes back late, and nothing hurries it", async () => {
  const world = makeWorld();
  world.online();
  world.wire.end(4429);
  world.socket.hurry();
  await world.clock.advance(10_000);
  assert.equal(world.sockets.length, 1);
  await world.clock.advance(1_000);
  assert.equal(world.sockets.length, 2);
});

test("going offline on purpose stays offline until it is taken back", async () => {
  const world = makeWorld();
  world.online();
  world.socket.disconnect();
  world.chat.probe();
  await world.clock.advance(100_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.socket.line.name, "offline");
  world.socket.connect();
  assert.equal(world.sockets.length, 2);
});

test("what a dead socket still says is not heard", () => {
  const world = makeWorld();
  world.online();
  const dead = world.wire;
  world.socket.disconnect();
  world.socket.connect();
  world.events();
  dead.say({ type: "typing", room: "lobby", users: ["jo"] });
  dead.end(4403);
  assert.equal(world.socket.line.name, "connecting");
  assert.deepEqual(world.events(), []);
});

test("frames that are none are passed over", () => {
  const world = makeWorld();
  world.online();
  for (const data of ["", "{", "[]", "null", '"x"', '{"type":1}', '{"type":"brand new"}']) world.wire.say(data);
  assert.equal(world.socket.line.name, "online");
});

test("the reason is read from the statuses of two plain requests", async () => {
  /** @typedef {{status: number, headers: {get(name: string): string | null}}} Answer */
  /** @type {(status: number, retry?: string | null) => Answer} */
  const answer = (status, retry = null) => ({ status, headers: { get: () => retry } });
  /** @type {(session: Answer, messages?: Answer) => ReturnType<typeof askReason>} */
  const asked = async (session, messages = session) => askReason(async (path) => (path === "/session" ? session : messages), "lobby");
  assert.deepEqual(await asked(answer(401)), { kind: "signed-out" });
  assert.deepEqual(await asked(answer(429, "7")), { kind: "wait", milliseconds: 7000 });
  assert.deepEqual(await asked(answer(200), answer(404)), { kind: "gone" });
  assert.deepEqual(await asked(answer(200), answer(200)), { kind: "unknown" });
  assert.deepEqual(await asked(answer(503)), { kind: "unknown" });
  const failing = await askReason(() => Promise.reject(new TypeError("no network")), "lobby");
  assert.deepEqual(failing, { kind: "unknown" });
});
