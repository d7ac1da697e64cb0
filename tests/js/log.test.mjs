import assert from "node:assert/strict";
import { test } from "node:test";

import { RoomLog } from "../../static/js/state/log.js";
import { change, history, message } from "./world.mjs";

function started(seq = 10, messages = [message(9), message(10)]) {
  const log = new RoomLog();
  log.start({ epoch: "e1", seq, messages, more: true });
  return log;
}

const seqs = (/** @type {RoomLog} */ log) => log.messages.map(({ seq }) => seq);

test("the next frame is applied, a lower one dropped, a higher one is a gap", () => {
  const log = started();
  assert.equal(log.change(change(11)).kind, "put");
  assert.equal(log.change(change(11)).kind, "stale");
  assert.equal(log.change(change(13)).kind, "gap");
  assert.equal(log.position, 11);
  assert.deepEqual(seqs(log), [9, 10, 11]);
});

test("the position moves by the frame's seq, not by the message's", () => {
  const log = started();
  log.change(change(11, { messageSeq: 9, id: "m9", text: "edited" }, "edited"));
  assert.equal(log.position, 11);
  assert.equal(log.get("m9")?.text, "edited");
  assert.deepEqual(seqs(log), [9, 10]);
});

test("a kind of change this page does not know moves the position all the same", () => {
  const log = started();
  assert.equal(log.change(change(11, { messageSeq: 10, id: "m10" }, "reacted")).kind, "put");
  assert.equal(log.position, 11);
});

test("what resumed brings is put in or replaced by id, in the order of seq", () => {
  const log = started();
  const { reset } = log.history(history("resumed", 14, [message(9, { text: "edited" }), message(12), message(13)]));
  assert.equal(reset, false);
  assert.deepEqual(seqs(log), [9, 10, 12, 13]);
  assert.equal(log.get("m9")?.text, "edited");
  assert.equal(log.position, 14);
});

test("a change of a message older than the page held is left to the paging", () => {
  const log = started();
  log.history(history("resumed", 11, [message(3, { editedAt: "x" })]));
  assert.deepEqual(seqs(log), [9, 10]);
  assert.equal(log.position, 11);
});

test("resumed in several frames moves on with each", () => {
  const log = started();
  log.history(history("resumed", 11, [message(11)], { more: true }));
  log.history(history("resumed", 12, [message(12)]));
  assert.deepEqual(seqs(log), [9, 10, 11, 12]);
});

test("reset forgets the view and tells that something was missed", () => {
  const log = started();
  const { reset } = log.history(history("reset", 2000, [message(1999), message(2000)]));
  assert.equal(reset, true);
  assert.deepEqual(seqs(log), [1999, 2000]);
  assert.deepEqual([log.more, log.held, log.missed(null), log.position], [true, true, 1988, 2000]);
});

test("what was missed gets less with every page, and the first one asked for ends the waiting for it", () => {
  const log = started();
  log.history(history("reset", 2000, [message(1999), message(2000)]));
  log.older([message(1997), message(1998)], true);
  assert.deepEqual([log.held, log.missed(null)], [false, 1986]);
  log.older([message(10), message(11)], true);
  assert.equal(log.missed(null), 0);
});

test("a reader who had come less far than the page begins has missed what lies between", () => {
  const log = new RoomLog();
  log.start({ epoch: "e1", seq: 300, messages: [message(251), message(300)], more: true });
  assert.deepEqual([log.missed(200), log.missed(250), log.missed(280), log.missed(null)], [50, 0, 0, 0]);
  assert.equal(log.missed(0), 0, "who never read here misses nothing");
  log.trim(1);
  assert.equal(log.missed(200), 0, "what was let go was seen");
});

test("reset to another epoch has missed nothing: it is another log", () => {
  const log = started();
  log.history(history("reset", 5, [message(4), message(5)], { epoch: "e2" }));
  assert.deepEqual([log.held, log.missed(null), log.cursor], [false, 0, { since: 5, epoch: "e2" }]);
});

test("a reset in two frames keeps what the first brought", () => {
  const log = started();
  log.history(history("reset", 1999, [message(1999)], { more: true }));
  log.history(history("reset", 2000, [message(2000)]));
  assert.deepEqual(seqs(log), [1999, 2000]);
});

test("resuming that falls too far behind on its way ends in a reset, which forgets the view", () => {
  const log = started();
  log.history(history("resumed", 11, [message(11)], { more: true }));
  const { reset } = log.history(history("reset", 2000, [message(2000)]));
  assert.equal(reset, true);
  assert.deepEqual([seqs(log), log.missed(null), log.position], [[2000], 1988, 2000]);
});

test("a continuation promised on a lost line is not expected on the next", () => {
  const log = started();
  log.history(history("reset", 1999, [message(1999)], { more: true }));
  log.disconnect();
  log.history(history("reset", 3000, [message(3000)]));
  assert.deepEqual(seqs(log), [3000]);
});

test("the first messages of a room leave nothing to be paged", () => {
  const log = new RoomLog();
  log.history(history("latest", 2, [message(1), message(2)]));
  assert.equal(log.more, false);
  const empty = new RoomLog();
  empty.history(history("latest", 0));
  assert.deepEqual([empty.more, empty.position], [false, 0]);
});

test("a page of the past goes in front and does not move the position", () => {
  const log = started();
  const put = log.older([message(7), message(8), message(9)], true);
  assert.deepEqual(put.map(({ seq }) => seq), [7, 8]);
  assert.deepEqual(seqs(log), [7, 8, 9, 10]);
  assert.deepEqual([log.position, log.more], [10, true]);
});

test("trimming keeps the newest, and the others can be paged again", () => {
  const log = started();
  assert.deepEqual(log.trim(1).map(({ seq }) => seq), [9]);
  assert.deepEqual([seqs(log), log.more], [[10], true]);
});

test("where the server sends no history at all, the past can still be paged", () => {
  const log = new RoomLog();
  log.history(history("latest", 7));
  assert.deepEqual([log.more, log.pagedFrom], [true, 8]);
  log.older([message(6), message(7)], true);
  assert.deepEqual(seqs(log), [6, 7]);
});
