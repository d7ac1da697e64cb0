// What surrounds the messages: the list of rooms, the head of the one looked at, and how what is unread elsewhere is told.
// What most visits do not need (the line of what was missed, notifications) is loaded when it is.

import { Tabs } from "../dom/tabs.js";
import { Calls, missedIn } from "../state/calls.js";
import { PageBadge } from "./badges.js";
import { RoomHead } from "./room_head.js";
import { RoomList } from "./rooms.js";

/** @typedef {import("../state/room.js").Room} Room */

const AWAY_MS = 30 * 60_000; // who looked elsewhere for longer is told what was missed

export class Surroundings {
  #chat;
  #socket;
  #tabs;
  #badges = new PageBadge();
  #list;
  #head;
  #calls = new Calls();
  #page;
  #clock;
  #onEnter;
  /** @type {Promise<import("./digest.js").Digest> | null} */
  #digest = null;
  /** @type {Promise<import("./notifier.js").Notifier> | null} */
  #notifier = null;
  /** @type {number | null} */
  #hiddenAt = null;
  #welcomed = false;

  /**
   * @param {object} parts
   * @param {import("../state/chat.js").Chat} parts.chat
   * @param {import("../net/socket.js").ChatSocket} parts.socket
   * @param {import("../net/clock.js").Clock} parts.clock
   * @param {ReturnType<typeof import("../dom/page_data.js").readPage>} parts.page
   * @param {(slug: string, title: string) => void} parts.onEnter
   */
  constructor({ chat, socket, clock, page, onEnter }) {
    this.#chat = chat;
    this.#socket = socket;
    this.#tabs = new Tabs(page.me.id);
    this.#list = new RoomList({ onEnter, fetchRooms: async () => (await asking()).fetchRooms(), onLearnt: (rooms) => this.#learnt(rooms) });
    this.#head = new RoomHead((notify) => storeNotify(chat.current.slug, notify));
    this.#page = page;
    this.#clock = clock;
    this.#onEnter = onEnter;
    chat.current.facts.apply(page.facts);
    for (const { slug, title, kind, notify, count, mentions } of this.#list.read()) {
      const room = chat.room(slug, title);
      room.facts.apply({ kind, notify });
      if (room !== chat.current) room.reading.told(count, mentions);
      this.#calls.seen(room);
    }
  }

  connect() {
    this.#chat.on("badge", (room) => this.badge(room));
    this.#chat.on("described", ({ room }) => this.#described(room));
    this.#chat.on("removed", (room) => this.#removed(room));
    this.#chat.on("welcome", () => this.#welcome());
    this.#socket.on("close", () => this.#tabs.resign());
    document.addEventListener("visibilitychange", () => this.#turned());
    for (const part of [this.#list, this.#head]) part.connect();
    this.#head.offer(mayAsk(), () => void this.#notifying().then((notifier) => notifier.ask()));
    void this.#tell(false);
  }

  /** Where the room that is looked at is searched. */
  get searchAddress() {
    return this.#head.searchAddress;
  }

  /** The rooms in the order of the list, with what is unread in them. */
  get choices() {
    const { current } = this.#chat;
    return this.#list.read().map(({ slug, title, kind }) => ({ slug, title, kind, ...this.#chat.room(slug, title).badge, current: slug === current.slug }));
  }

  /** @param {Room} room is looked at from now on */
  show(room) {
    this.#head.show(room);
    this.#list.mark(room);
    this.#look();
    this.badge(room);
  }

  /** @param {Room} room */
  badge(room) {
    this.#list.badge(room);
    this.#badges.show(this.#chat.current, this.#chat.rooms);
    void this.#digest?.then((digest) => digest.follow());
    if (this.#calls.came(room) && canNotify()) void this.#notifying().then((notifier) => notifier.call(room));
  }

  /** @param {boolean} away somebody was away for long: a line that was closed opens again */
  async #tell(away) {
    if (missedIn(this.#chat.rooms, this.#chat.current) === null) return;
    this.#digest ??= import("./digest.js").then(({ Digest }) => {
      const digest = new Digest({ look: () => missedIn(this.#chat.rooms, this.#chat.current), onEnter: this.#onEnter });
      digest.connect();
      return digest;
    });
    (await this.#digest).open(away);
  }

  #notifying() {
    this.#notifier ??= Promise.all([import("./notifier.js"), asking()]).then(([{ Notifier }, { fetchLatest }]) => {
      const parts = { tabs: this.#tabs, me: this.#page.me.id, store: localStorage, latest: fetchLatest, onEnter: this.#onEnter };
      const notifier = new Notifier({ ...parts, onAsked: () => this.#head.offer(mayAsk()) });
      notifier.connect();
      return notifier;
    });
    return this.#notifier;
  }

  #turned() {
    this.#look();
    const now = this.#clock.now();
    if (document.visibilityState === "hidden") this.#hiddenAt = now;
    else if (this.#hiddenAt !== null && now - this.#hiddenAt > AWAY_MS) void this.#tell(true);
  }

  #look() {
    this.#tabs.show(document.visibilityState === "visible" ? this.#chat.current.slug : "");
  }

  #welcome() {
    this.#tabs.stand();
    if (this.#welcomed) void this.#list.refresh(); // what came or went while there was no line
    this.#welcomed = true;
  }

  /** @param {Room} room */
  #described(room) {
    const current = room === this.#chat.current;
    if (room.facts.archived && !current) this.#list.drop(room.slug);
    else this.#list.describe(room);
    if (current) this.#head.show(room);
    if (current) this.#list.mark(room);
    this.badge(room);
  }

  /** @param {Room} room */
  #removed(room) {
    this.#list.drop(room.slug);
    this.#badges.show(this.#chat.current, this.#chat.rooms);
    void this.#digest?.then((digest) => digest.follow());
    if (room === this.#chat.current) location.assign("/rooms?notice=removed");
  }

  /**
   * @param {import("./rooms.js").Listed[]} rooms
   * @returns {Room[]} what is shown though it is not listed
   */
  #learnt(rooms) {
    const known = new Set(this.#chat.rooms);
    for (const { slug, title, kind, notify, count, mentions } of rooms) {
      const room = this.#chat.room(slug, title);
      room.title = title;
      room.facts.apply({ kind, notify, archived: false });
      if (!known.has(room)) room.reading.told(count, mentions);
      this.#list.describe(room);
    }
    this.#list.mark(this.#chat.current);
    this.#badges.show(this.#chat.current, this.#chat.rooms);
    return [this.#chat.current];
  }
}

function asking() {
  return import("../net/rooms.js");
}

/**
 * @param {string} room
 * @param {string} notify
 * @returns {Promise<boolean>} false: it could not be stored
 */
function storeNotify(room, notify) {
  return asking().then(
    (rooms) => rooms.storeNotify(room, notify),
    () => false,
  );
}

/** Where there are no locks (plain http) no tab knows of the others, and browsers give no permission either. */
function canNotify() {
  return "Notification" in window && navigator.locks !== undefined;
}

function mayAsk() {
  return canNotify() && Notification.permission === "default";
}
