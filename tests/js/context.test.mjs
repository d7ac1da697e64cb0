import assert from "node:assert/strict";
import { test } from "node:test";

import { Context } from "../../static/js/state/context.js";
import { Looking } from "../../static/js/state/looking.js";
import { isHopeless, namingAt } from "../../static/js/state/naming.js";
import { Originals } from "../../static/js/state/originals.js";
import { permalink, readPermalink } from "../../static/js/state/permalinks.js";
import { excerptOf } from "../../static/js/state/excerpts.js";
import { noticeText } from "../../static/js/state/notices.js";
import { settle } from "./fakes.mjs";
import { change, history, makeWorld, message } from "./world.mjs";

const page = (/** @type {number[]} */ seqs, more = true, newer = true) => ({ messages: seqs.map((seq) => message(seq)), more, newer });
const seqsOf = (/** @type {{messages: {seq: number}[]}} */ one) => one.messages.map(({ seq }) => seq);

/** @param {Record<string, ReturnType<typeof page> | null>} pages by what asks for them */
function lookingAt(pages) {
  const world = makeWorld({ start: 100 });
  world.online();
  const looking = new Looking({
    chat: world.chat,
    fetchAround: async () => pages.around ?? null,
    fetchOlder: async () => pages.older ?? null,
    fetchLater: async () => pages.later ?? null,
  });
  return { ...world, world, looking };
}

test("the surroundings of an old message stand beside the log, which goes on", async () => {
  const { world, looking } = lookingAt({ around: page([4, 5, 6]) });
  assert.equal(await looking.open(5), "there");
  const room = world.chat.current;
  assert.deepEqual(room.context && seqsOf(room.context), [4, 5, 6]);
  world.wire.say(change(101));
  assert.deepEqual(seqsOf(room.log), [100, 101]);
  assert.equal(room.log.position, 101);
  assert.equal(room.find("m5")?.seq, 5);
});

test("an edit of a message in the context arrives there, also one that came while it was fetched", async () => {
  const { world, looking } = lookingAt({ around: page([4, 5, 6]) });
  const opened = looking.open(5);
  world.wire.say(change(101, { messageSeq: 4, text: "early" }, "edited"));
  await opened;
  world.wire.say(change(102, { messageSeq: 6, text: "late" }, "edited"));
  assert.deepEqual(world.chat.current.context?.messages.map(({ text }) => text), ["early", "text 5", "late"]);
});

test("paging forward until the log is met makes the context a part of it", async () => {
  const { world, looking } = lookingAt({ around: page([4, 5, 6]), later: page([7, 100, 101], true, false), older: page([2, 3], false) });
  await looking.open(5);
  assert.deepEqual((await looking.older())?.map(({ seq }) => seq), [2, 3]);
  assert.equal(looking.join(), false);
  assert.deepEqual((await looking.later())?.map(({ seq }) => seq), [7, 100, 101]);
  assert.equal(looking.join(), true);
  const { log, context } = world.chat.current;
  assert.equal(context, null);
  assert.deepEqual(seqsOf(log), [2, 3, 4, 5, 6, 7, 100]);
  assert.equal(log.more, false);
});

test("what reaches into the log is no context, what cannot be had leaves everything as it is", async () => {
  const near = lookingAt({ around: page([98, 99, 100], true, false) });
  assert.equal(await near.looking.open(99), "there");
  assert.equal(near.world.chat.current.context, null);
  assert.deepEqual(seqsOf(near.world.chat.current.log), [98, 99, 100]);
  const away = lookingAt({ around: null });
  assert.equal(await away.looking.open(5), "failed");
  assert.equal(away.world.chat.current.context, null);
});

test("who goes on meanwhile is not taken back", async () => {
  const { world, looking } = lookingAt({ around: page([4, 5, 6]) });
  const opened = looking.open(5);
  world.chat.enter("den", "Den");
  assert.equal(await opened, "gone");
  assert.equal(world.chat.room("lobby").context, null);
});

test("a log that begins anew meets a context only where nothing lies between", () => {
  const { world } = lookingAt({});
  const { log } = world.chat.current;
  const context = new Context(5, page([4, 5, 6]));
  assert.equal(context.meets(log), false);
  world.wire.say(history("reset", 5000, [message(5000)]));
  assert.equal(context.meets(log), false);
  context.later(page([7], true, false));
  assert.equal(context.meets(log), true);
});

test("originals are fetched together, once, and followed", async () => {
  const originals = new Originals();
  /** @type {string[][]} */
  const asked = [];
  const fetchSome = async (/** @type {string[]} */ ids) => {
    asked.push(ids);
    return ids.filter((id) => id !== "gone").map((id) => message(1, { id }));
  };
  for (const id of ["a", "b", "gone"]) {
    originals.want(id);
    void originals.bring(fetchSome);
  }
  await settle();
  originals.want("a");
  await originals.bring(fetchSome);
  assert.deepEqual(asked, [["a", "b", "gone"]]);
  originals.follow([message(1, { id: "a", text: "edited" }), message(2, { id: "z" })]);
  assert.deepEqual([originals.get("a")?.text, originals.get("z")], ["edited", undefined]);
});

test("originals that could not be had are asked for again", async () => {
  const originals = new Originals();
  originals.want("a");
  assert.deepEqual(await originals.bring(async () => null), []);
  assert.equal((await originals.bring(async () => [message(1, { id: "a" })])).length, 1);
});

test("a change of an original older than the log arrives with it", () => {
  const world = makeWorld();
  world.online();
  const { originals } = world.chat.current;
  originals.want("old");
  return originals.bring(async () => [message(1, { id: "old" })]).then(() => {
    world.wire.say(change(11, { id: "old", messageSeq: 1, deletedAt: "x" }, "deleted"));
    assert.equal(excerptOf(/** @type {import("./world.mjs").Message} */ (originals.get("old"))), "This message was deleted.");
  });
});

test("a name is being typed from an @ at the start of a word to the caret", () => {
  const cases = /** @type {[string, import("../../static/js/state/naming.js").Naming | null][]} */ ([
    ["@", { start: 0, query: "" }],
    ["hi @Ad", { start: 3, query: "Ad" }],
    ["hi @Ada Lo", { start: 3, query: "Ada Lo" }],
    ["mail@example", null],
    ["@Ada ", null],
    ["@Ada, you", null],
    ["@Ada\nx", null],
    ["@" + "x".repeat(25), null],
    ["no name", null],
  ]);
  for (const [text, expected] of cases) assert.deepEqual(namingAt(text, text.length), expected, text);
  assert.deepEqual(namingAt("@Ada and more", 3), { start: 0, query: "Ad" });
  assert.equal(isHopeless({ start: 0, query: "xyz" }, { start: 0, query: "xy" }), true);
  assert.equal(isHopeless({ start: 4, query: "xyz" }, { start: 0, query: "xy" }), false);
  assert.equal(isHopeless({ start: 0, query: "x" }, { start: 0, query: "xy" }), false);
});

test("a permalink is read as it is written, and nothing else is one", () => {
  const origin = "https://chat.example";
  assert.deepEqual(readPermalink(origin + permalink("den", 12), origin), { slug: "den", seq: 12 });
  for (const href of ["https://other.example/rooms/den?at=1", `${origin}/rooms/den`, `${origin}/rooms/den?at=x`, `${origin}/rooms/den/pins?at=1`, ""]) {
    assert.equal(readPermalink(href, origin), null, href);
  }
});

test("excerpts are one line, notices a sentence, kinds to come what the server says", () => {
  assert.equal(excerptOf(message(1, { text: " two\n\nlines " })), "two lines");
  assert.equal([...excerptOf(message(1, { text: "😀".repeat(200) }))].length, 120);
  const notice = (/** @type {string} */ kind, value = "x") => noticeText(message(1, { notice: { kind, value }, text: "As said." }));
  assert.equal(notice("added"), "jo added x.");
  assert.equal(notice("topic", ""), "jo removed the topic.");
  assert.equal(notice("posting", "moderators"), "jo lets only moderators write here.");
  assert.equal(notice("to come"), "As said.");
});
