// The list of rooms with what is unread in them.

import { find, stamp } from "../dom/find.js";
import { fillBadge } from "./badges.js";

/** @typedef {import("../state/room.js").Room} Room */

export class RoomList {
  #list = find("#rooms", HTMLElement);
  #onEnter;
  #onTitle;
  #fetchRooms;

  /**
   * @param {object} calls
   * @param {(slug: string, title: string) => void} calls.onEnter
   * @param {(slug: string, title: string) => void} calls.onTitle the title of a room was learnt
   * @param {() => Promise<string>} calls.fetchRooms the page of rooms
   */
  constructor({ onEnter, onTitle, fetchRooms }) {
    this.#onEnter = onEnter;
    this.#onTitle = onTitle;
    this.#fetchRooms = fetchRooms;
  }

  connect() {
    this.#list.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.#list.removeEventListener("click", this.#clicked);
  }

  /** The rooms the server listed, with their counts. */
  read() {
    return [...this.#list.querySelectorAll("a")].map((link) => ({
      slug: link.dataset.room ?? "",
      title: link.dataset.title ?? "",
      count: Number(link.dataset.unread),
      mentions: Number(link.dataset.mentions),
    }));
  }

  /** @param {Room} room */
  badge(room) {
    fillBadge(this.#link(room), room.reading.count, room.reading.mentions);
  }

  /** @param {Room} room */
  mark(room) {
    this.#link(room);
    for (const link of this.#list.querySelectorAll("a")) {
      if (link.dataset.room === room.slug) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  /** @param {Room} room */
  drop(room) {
    this.#link(room).closest("li")?.remove();
  }

  /**
   * The room's link, made when the room is newer than this page.
   * @param {Room} room
   */
  #link(room) {
    for (const link of this.#list.querySelectorAll("a")) if (link.dataset.room === room.slug) return link;
    const entry = stamp("#room-link-template");
    const link = find("a", HTMLAnchorElement, entry);
    link.href = `/rooms/${room.slug}`;
    link.dataset.room = room.slug;
    link.dataset.title = room.title;
    find(".room-link__title", HTMLElement, link).textContent = room.title;
    this.#list.append(entry);
    void this.#learnTitles();
    return link;
  }

  /** A room made meanwhile is known by its slug only; the page of rooms tells how it is called. */
  async #learnTitles() {
    const page = await this.#fetchRooms().catch(() => "");
    const titles = new DOMParser().parseFromString(page, "text/html").querySelectorAll("#rooms a");
    for (const { dataset } of /** @type {NodeListOf<HTMLElement>} */ (titles)) {
      for (const link of this.#list.querySelectorAll("a")) {
        if (link.dataset.room !== dataset.room || dataset.title === undefined) continue;
        link.dataset.title = dataset.title;
        find(".room-link__title", HTMLElement, link).textContent = dataset.title;
        this.#onTitle(dataset.room ?? "", dataset.title);
      }
    }
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (link === null || !plain) return; // a new tab or window is the browser's business
    event.preventDefault();
    this.#onEnter(link.dataset.room ?? "", link.dataset.title ?? "");
  };
}
