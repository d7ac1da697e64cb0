import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { cleanText, sendable } from "../../static/js/state/text.js";

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

test("what no message may carry is left out, what belongs to a text stays", () => {
  assert.equal(sendable("a\u0000b\u001b[1mc\ud800d\u0085"), "ab[1mcd");
  assert.equal(sendable("tab\tline\r\n😀\u200d"), "tab\tline\r\n😀\u200d");
});
