// One's own reaction beyond the 20 people that a frame names: known after every way in which a message comes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { withChanges } from "../../static/js/state/meanwhile.js";
import { settle } from "./fakes.mjs";
import { ME, change, history, makeWorld, message } from "./world.mjs";

/** @param {number} count @param {number} [named] @param {boolean} [own] */
function party(count, named = Math.min(20, count), own = undefined) {
  const users = Array.from({ length: named }, (_, number) => ({ id: `u${number}`, name: `u${number}` }));
  return [{ emoji: "🎉", count, users, ...(own !== undefined && { own }) }];
}

/** @param {ReturnType<typeof makeWorld>} world */
function own(world, id = "m10") {
  const [reaction] = world.chat.current.find(id)?.reactions ?? [];
  assert.ok(reaction);
  return reaction.users.some(({ id }) => id === ME.id) || (reaction.users.length >= reaction.count ? false : reaction.own);
}

/** @param {ReturnType<typeof makeWorld>} world */
function learnt(world) {
  return world.log.filter(([name]) => name === "learnt").map(([, ids]) => ids);
}

/** @param {number} seq @param {number} count @param {object} whose */
function reacted(seq, count, whose, fields = {}) {
  return { ...change(seq, { messageSeq: 10, reactions: party(count), ...fields }, "reacted"), ...whose };
}

test("who reacts as the 21st, here or in another tab, has reacted, until it is taken away", () => {
  const world = makeWorld({ some: async () => assert.fail("nothing has to be asked") });
  world.chat.current.log.start({ epoch: "e1", seq: 10, messages: [message(10, { reactions: party(20) })], more: false });
  world.online();
  world.wire.say(reacted(11, 21, { userId: ME.id, emoji: "🎉" }));
  assert.equal(own(world), true);
  world.wire.say(reacted(12, 22, { userId: "jo", emoji: "🎉" }));
  world.wire.say(change(13, { messageSeq: 10, reactions: party(22) }, "edited"));
  assert.equal(own(world), true, "what others do changes nothing");
  world.wire.say(reacted(14, 21, { userId: ME.id, emoji: "🎉", remove: true }));
  assert.equal(own(world), false);
  world.wire.say(reacted(15, 21, { userId: ME.id, emoji: "👍" }));
  assert.equal(own(world), false, "another emoji");
});

test("who was among the first and is no longer named has reacted", () => {
  const world = makeWorld({ some: async () => assert.fail("nothing has to be asked") });
  const users = [{ id: ME.id, name: ME.name }];
  world.chat.current.log.start({ epoch: "e1", seq: 10, messages: [message(10, { reactions: [{ emoji: "🎉", count: 1, users }] })], more: false });
  world.online();
  world.wire.say(reacted(11, 21, { userId: "jo", emoji: "🎉" }));
  assert.equal(own(world), true);
});

test("what history does not tell is asked for once, and told to the page", async () => {
  /** @type {string[][]} */
  const asked = [];
  const world = makeWorld({
    start: null,
    some: async (_, ids) => {
      asked.push(ids);
      return [message(10, { reactions: party(22, 20, true) }), message(9, { reactions: party(21, 20, false) })];
    },
  });
  world.socket.connect();
  world.greet();
  const plain = message(8, { reactions: party(20) });
  world.wire.say(history("latest", 10, [plain, message(9, { reactions: party(21) }), message(10, { reactions: party(21) })]));
  assert.equal(own(world), undefined);
  world.wire.say(reacted(11, 22, { userId: "jo", emoji: "🎉" }));
  await settle();
  assert.deepEqual(asked, [["m9", "m10"]]);
  assert.deepEqual([own(world), own(world, "m9"), own(world, "m8")], [true, false, false]);
  assert.deepEqual(learnt(world).at(-1), ["m9", "m10"]);
  world.wire.say(reacted(12, 23, { userId: "jo", emoji: "🎉" }));
  await settle();
  assert.equal(asked.length, 1, "now it is known");
});

test("what is told while the answer is on its way is newer than the answer", async () => {
  const world = makeWorld({ start: null, some: async () => [message(10, { reactions: party(21, 20, false) })] });
  world.socket.connect();
  world.greet();
  world.wire.say(history("latest", 10, [message(10, { reactions: party(21) })]));
  world.wire.say(reacted(11, 22, { userId: ME.id, emoji: "🎉" }));
  await settle();
  assert.equal(own(world), true);
});

test("a frame that does not tell whose reaction it was leaves it to be asked for, as does a lost answer", async () => {
  let answers = 0;
  const world = makeWorld({ some: async () => ((answers += 1) === 1 ? null : [message(10, { reactions: party(22, 20, true) })]) });
  world.chat.current.log.start({ epoch: "e1", seq: 10, messages: [message(10, { reactions: party(20) })], more: false });
  world.online();
  world.wire.say(reacted(11, 21, {}));
  await settle();
  assert.equal(own(world), undefined);
  world.wire.say(reacted(12, 22, { userId: "jo", emoji: "🎉" }));
  await settle();
  assert.deepEqual([own(world), answers], [true, 2]);
});

test("a page that a change overtakes is learnt of too", async () => {
  const world = makeWorld({ start: 20, some: async () => [message(10, { reactions: party(22, 20, true) })] });
  world.online();
  const page = await withChanges(world.chat, async () => {
    world.wire.say(reacted(21, 22, { userId: "jo", emoji: "🎉" }));
    return { messages: [message(10, { reactions: party(21, 20, true) })], more: false };
  });
  await settle();
  assert.deepEqual(page?.messages.map(({ reactions }) => reactions?.map(({ count, own: known }) => [count, known])), [[[22, true]]]);
});

test("an answer about what is no more is not shown", async () => {
  const world = makeWorld({ start: null, some: async () => [message(10, { reactions: party(21, 20, true) })] });
  world.socket.connect();
  world.greet();
  world.wire.say(history("latest", 10, [message(9, { reactions: party(1) }), message(10, { reactions: party(21) })]));
  world.wire.say(change(11, { messageSeq: 10, deletedAt: "2026-01-02T00:00:00Z" }, "deleted"));
  const before = learnt(world).length;
  await settle();
  assert.deepEqual(learnt(world).slice(before).flat(), []);
  assert.equal(world.chat.current.find("m10")?.reactions, undefined);
});

test("what the server rendered of it is taken over", () => {
  const world = makeWorld({ some: async () => assert.fail("nothing has to be asked") });
  world.chat.current.log.start({ epoch: "e1", seq: 10, messages: [message(10, { reactions: party(21, 20, true) })], more: false });
  world.online();
  world.wire.say(reacted(11, 22, { userId: "jo", emoji: "🎉" }));
  assert.equal(own(world), true);
});
