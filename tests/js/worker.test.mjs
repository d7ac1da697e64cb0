import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { createContext, runInContext } from "node:vm";

const source = await readFile(new URL("../../static/worker.js", import.meta.url), "utf8");

class Cache {
  /** @type {Map<string, Response>} */
  entries = new Map();

  async addAll() {}

  /** @param {string} path @param {Response} response */
  async put(path, response) {
    this.entries.set(path, response);
  }

  /** @param {string} path */
  async delete(path) {
    return this.entries.delete(path);
  }

  async keys() {
    return [...this.entries.keys()].map((path) => ({ url: `http://chat${path}` }));
  }
}

/** The browser around a worker: what it keeps, and how long it takes to say what there is. */
class World {
  /** @type {Record<string, (event: object) => void>} */
  handlers = {};
  /** @type {Map<string, Cache>} */
  kept = new Map();
  listing = Promise.resolve();
  answering = Promise.resolve();

  constructor() {
    const clients = { claim: async () => {}, matchAll: async () => [] };
    const caches = {
      keys: async () => {
        await this.listing;
        return [...this.kept.keys()];
      },
      open: async (/** @type {string} */ name) => this.kept.get(name) ?? this.kept.set(name, new Cache()).get(name),
      delete: async (/** @type {string} */ name) => this.kept.delete(name),
    };
    const self = {
      clients,
      skipWaiting: async () => {},
      addEventListener: (/** @type {string} */ type, /** @type {(event: object) => void} */ handler) => {
        this.handlers[type] = handler;
      },
    };
    const fetch = async () => {
      await this.answering;
      return new Response('<div id="chat" data-user-id="ada">');
    };
    runInContext(source, createContext({ VERSION: "1", FILES: [], self, caches, fetch, Response, URL, location: { origin: "http://chat" } }));
  }

  /**
   * @param {string} type
   * @param {object} event
   * @returns {Promise<unknown>} until the worker says that it is done
   */
  tell(type, event = {}) {
    /** @type {Promise<unknown>[]} */
    const waited = [];
    this.handlers[type]?.({ ...event, waitUntil: (/** @type {Promise<unknown>} */ promise) => waited.push(promise) });
    return Promise.all(waited);
  }
}

/** @param {World} world */
const pages = (world) => [...(world.kept.get("roomlog-pages-1-ada")?.entries.keys() ?? [])];

for (const first of ["activate", "message"]) {
  test(`a page that is to be kept while the worker takes over stays, however slow the browser is: ${first} first`, async () => {
    const world = new World();
    const keep = () => world.tell("message", { data: { claim: true, keep: "/rooms/lobby" } });
    if (first === "message") await keep();
    let list = () => {};
    world.listing = new Promise((resolve) => {
      list = () => resolve(undefined);
    });
    const activated = world.tell("activate");
    world.listing = Promise.resolve();
    if (first === "activate") await keep();
    assert.deepEqual(pages(world), ["/rooms/lobby"]);
    list();
    await activated;
    assert.deepEqual(pages(world), ["/rooms/lobby"]);
  });
}

const kept = (/** @type {string[]} */ ...names) => new Map(names.map((name) => [name, new Cache()]));

test("what an earlier version kept goes as the worker takes over", async () => {
  const world = new World();
  world.kept = kept("roomlog-pages-ada", "roomlog-pages-0-ada", "roomlog-files-0", "roomlog-files-1", "roomlog-pages-1-ada", "others");
  await world.tell("activate");
  assert.deepEqual([...world.kept.keys()], ["roomlog-files-1", "roomlog-pages-1-ada", "others"]);
});

test("a page that was asked for before somebody signed out is not kept when it comes at last", async () => {
  const world = new World();
  let answer = () => {};
  world.answering = new Promise((resolve) => {
    answer = () => resolve(undefined);
  });
  const asked = world.tell("message", { data: { keep: "/rooms/lobby" } });
  await world.tell("fetch", { request: { method: "POST", mode: "navigate", url: "http://chat/logout" } });
  answer();
  await asked;
  assert.deepEqual([...world.kept.keys()], []);
  await world.tell("message", { data: { keep: "/rooms/lobby" } });
  assert.deepEqual(pages(world), ["/rooms/lobby"]);
});

test("who signs out leaves no page, of no version", async () => {
  const world = new World();
  world.kept = kept("roomlog-pages-0-ada", "roomlog-pages-1-ada", "roomlog-pages-1-kim", "roomlog-files-1");
  await world.tell("fetch", { request: { method: "POST", mode: "navigate", url: "http://chat/logout" } });
  assert.deepEqual([...world.kept.keys()], ["roomlog-files-1"]);
});
