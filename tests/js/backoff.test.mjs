import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../static/js/net/backoff.js";
import { verdict } from "../../static/js/net/closing.js";

/** @param {number} code */
function retry(code) {
  const meaning = verdict(code);
  assert.equal(meaning.then, "retry");
  return /** @type {Extract<typeof meaning, {then: "retry"}>} */ (meaning);
}

test("the range doubles with every failure and ends at ten seconds", () => {
  const backoff = new Backoff(() => 1);
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7].map(() => backoff.next()), [500, 1000, 2000, 4000, 8000, 10000, 10000]);
});

test("jitter is full: the wait may be anything down to nothing", () => {
  const draws = [0, 0.25, 0.999];
  const backoff = new Backoff(() => draws.shift() ?? 0);
  assert.deepEqual([backoff.next(), backoff.next(), Math.floor(backoff.next())], [0, 250, 1998]);
});

test("a success starts it anew", () => {
  const backoff = new Backoff(() => 1);
  for (let attempt = 0; attempt < 5; attempt += 1) backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 500);
});

test("a restart of the server spreads the first try", () => {
  assert.equal(new Backoff(() => 1).next(retry(1012).spreadMs), 5000);
});

test("every close code of the contract has its meaning", () => {
  for (const code of [1002, 1003, 1007, 1008, 1009, 4403]) assert.equal(verdict(code).then, "stop", String(code));
  for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 4408, 4429]) assert.equal(verdict(code).then, "retry", String(code));
  assert.equal(verdict(4401).then, "sign-in");
  assert.ok(retry(4429).lateMs >= 10_000);
});
