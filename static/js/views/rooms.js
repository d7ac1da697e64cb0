// The list of rooms by kind, with what is unread in them. What is new comes by `room` frames, or with the page of rooms.

import { find, stamp } from "../dom/find.js";
import { fillBadge, roomMark } from "./badges.js";

/** @typedef {import("../state/room.js").Room} Room */
/** @typedef {import("../state/facts.js").Kind} Kind */
/** @typedef {import("../state/facts.js").Notify} Notify */
/** @typedef {{slug: string, title: string, kind: Kind, notify: Notify, count: number, mentions: number}} Listed as the server listed it */

export class RoomList {
  #list = find("#rooms", HTMLElement);
  #onEnter;
  #onLearnt;
  #fetchRooms;
  /** @type {Promise<void> | null} */
  #learning = null;

  /**
   * @param {object} calls
   * @param {(slug: string, title: string) => void} calls.onEnter
   * @param {(rooms: Listed[]) => Room[]} calls.onLearnt what the page of rooms lists; gives back what stays though it does not
   * @param {() => Promise<string>} calls.fetchRooms the page of rooms
   */
  constructor({ onEnter, onLearnt, fetchRooms }) {
    this.#onEnter = onEnter;
    this.#onLearnt = onLearnt;
    this.#fetchRooms = fetchRooms;
  }

  connect() {
    this.#list.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.#list.removeEventListener("click", this.#clicked);
  }

  /** The rooms in the order of the list, with the counts the server gave. */
  read() {
    return linksIn(this.#list).map(listed);
  }

  /** @param {Room} room one that is not listed is looked for in the page of rooms */
  badge(room) {
    const link = this.#link(room.slug);
    if (link === undefined) return void this.refresh();
    fillBadge(link, room.badge);
  }

  /** @param {Room} room the one that is looked at */
  mark(room) {
    for (const link of linksIn(this.#list)) {
      if (link.dataset.room === room.slug) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  /**
   * Puts it in, or brings what is shown of it up to date.
   * @param {Room} room
   */
  describe(room) {
    const { slug, title, facts } = room;
    const link = this.#link(slug) ?? find("a", HTMLAnchorElement, stamp("#room-link-template"));
    const moved = !link.isConnected || link.dataset.title !== title;
    Object.assign(link.dataset, { room: slug, title, kind: facts.kind, notify: facts.notify });
    link.href = `/rooms/${slug}`;
    find(".room-link__title", HTMLElement, link).textContent = title;
    find(".room-mark", HTMLElement, link).replaceWith(roomMark(facts.kind, title));
    fillBadge(link, room.badge);
    const entry = link.closest("li");
    if (moved && entry !== null) this.#place(entry, facts.kind);
  }

  /** @param {string} slug */
  drop(slug) {
    this.#link(slug)?.closest("li")?.remove();
    this.#hideEmpty();
  }

  /** Asks for the page of rooms: what came or went while nobody told; once at a time. */
  refresh() {
    this.#learning ??= this.#learn().finally(() => (this.#learning = null));
    return this.#learning;
  }

  async #learn() {
    const page = await this.#fetchRooms().catch(() => "");
    const list = new DOMParser().parseFromString(page, "text/html").querySelector("#rooms");
    if (list === null) return;
    const rooms = linksIn(list).map(listed);
    const kept = new Set([...rooms, ...this.#onLearnt(rooms)].map(({ slug }) => slug));
    for (const { slug } of this.read()) if (!kept.has(slug)) this.drop(slug);
  }

  /** @param {string} slug */
  #link(slug) {
    return linksIn(this.#list).find((link) => link.dataset.room === slug);
  }

  /**
   * By title, the lobby first, as the server sorts.
   * @param {Element} entry
   * @param {Kind} kind
   */
  #place(entry, kind) {
    const rooms = find(`[data-group="${kind}"] .rooms`, HTMLElement, this.#list);
    const key = keyOf(entry);
    const next = [...rooms.children].find((other) => other !== entry && keyOf(other) > key);
    rooms.insertBefore(entry, next ?? null);
    this.#hideEmpty();
  }

  #hideEmpty() {
    const group = find("[data-group='private']", HTMLElement, this.#list);
    group.hidden = group.querySelector("a.room-link") === null;
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const link = event.target instanceof Element ? event.target.closest("a.room-link") : null;
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!(link instanceof HTMLElement) || !plain) return; // a new tab or window is the browser's business
    event.preventDefault();
    this.#onEnter(link.dataset.room ?? "", link.dataset.title ?? "");
  };
}

/**
 * @param {Element} list
 * @returns {HTMLAnchorElement[]}
 */
function linksIn(list) {
  return [...list.querySelectorAll("a.room-link")].filter((link) => link instanceof HTMLAnchorElement);
}

/**
 * @param {HTMLElement} link
 * @returns {Listed}
 */
function listed({ dataset }) {
  return {
    slug: dataset.room ?? "",
    title: dataset.title ?? "",
    kind: /** @type {Kind} */ (dataset.kind),
    notify: /** @type {Notify} */ (dataset.notify),
    count: Number(dataset.unread),
    mentions: Number(dataset.mentions),
  };
}

/** @param {Element} entry */
function keyOf(entry) {
  const { slug, title } = listed(find("a", HTMLElement, entry));
  return slug === "lobby" ? "" : `${title.toLowerCase()} ${slug}`;
}
