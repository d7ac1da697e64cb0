import assert from "node:assert/strict";
import test from "node:test";

/** @type {object[]} */
let asked = [];
/** @type {{ postMessage: (message: object) => void } | null} */
let controller = null;
let workerStart = 0;
const ready = new Promise(() => {});
const serviceWorker = {
  get controller() {
    return controller;
  },
  ready,
  addEventListener() {},
  removeEventListener() {},
  register: async () => {},
};
/** @type {Record<string, unknown>} */
const world = {
  navigator: { serviceWorker },
  location: { pathname: "/rooms/lobby" },
  document: { addEventListener() {}, removeEventListener() {}, visibilityState: "visible" },
  performance: { getEntriesByType: () => [{ workerStart }] },
};
for (const [name, value] of Object.entries(world)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

const { KeptPage } = await import("../../static/js/dom/kept_page.js");

/** @param {{ claimed: boolean, came: number }} page how it got here */
function connected({ claimed, came }) {
  asked = [];
  controller = claimed ? { postMessage: (message) => asked.push(message) } : null;
  workerStart = came;
  new KeptPage(() => "/rooms/lobby").connect();
  return asked;
}

test("a page that came past the worker, which has it already, is asked to be kept", () => {
  assert.deepEqual(connected({ claimed: true, came: 0 }), [{ keep: "/rooms/lobby" }]);
});

test("one that came through it is kept by that, and one without a worker waits for it", () => {
  assert.deepEqual(connected({ claimed: true, came: 12 }), []);
  assert.deepEqual(connected({ claimed: false, came: 0 }), []);
});
