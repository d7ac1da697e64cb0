import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { makeWorld, message } from "./world.mjs";

// tests/faults/test_client.py plays the same to the client that the fault tests rely on.
const vectors = JSON.parse(readFileSync(new URL("../vectors/log.json", import.meta.url), "utf8"));

/** @param {{type: string, messages?: [string, number][]}} vector */
function frameOf({ messages = [], ...fields }) {
  const frame = { room: "lobby", ...fields };
  const made = messages.map(([id, seq]) => message(seq, { id }));
  if (frame.type === "history") return { epoch: "e1", more: false, ...frame, messages: made };
  return made.length > 0 ? { ...frame, message: made[0] } : frame;
}

for (const vector of vectors) {
  test(`a log: ${vector.name}`, () => {
    const world = makeWorld({ start: null });
    world.socket.connect();
    world.greet();
    for (const frame of vector.frames) world.wire.say(frameOf(frame));
    const { log } = world.chat.current;
    assert.equal(log.position, vector.position);
    assert.deepEqual(log.messages.map(({ id }) => id), vector.shown);
    assert.deepEqual(world.wire.of("join").map(({ since }) => since), vector.asked);
  });
}
