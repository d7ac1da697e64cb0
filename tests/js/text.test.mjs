import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { cleanText } from "../../static/js/state/text.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/text.json", import.meta.url), "utf8"));

test("texts are cleaned and counted as the shared vectors say", () => {
  assert.ok(vectors.length > 30);
  for (const vector of vectors) {
    const { text, length, error } = cleanText(vector.in, 500);
    assert.deepEqual({ error, length }, { error: vector.error, length: vector.length }, JSON.stringify(vector.in.slice(0, 40)));
    if (vector.out !== null) assert.equal(text, vector.out);
  }
});

test("a limit of zero is no limit", () => {
  assert.equal(cleanText("x".repeat(5000), 0).error, null);
});
