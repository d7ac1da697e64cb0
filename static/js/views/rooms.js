// The list of rooms, its badges, and what the title and the icon of the page tell about them.

import { find, stamp } from "../dom/find.js";

/** @typedef {import("../state/room.js").Room} Room */

export class RoomList {
  #list = find("#rooms", HTMLElement);
  #elsewhere = find("#elsewhere", HTMLElement);
  #icon = find("#favicon", HTMLLinkElement);
  #plainIcon = this.#icon.href;
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
      count: Number(link.querySelector(".badge__count")?.textContent),
      mentions: link.querySelector(".badge--mention") === null ? 0 : 1,
    }));
  }

  /** @param {Room} room */
  badge(room) {
    const { count, mentions } = room.reading;
    const badge = find(".badge", HTMLElement, this.#link(room));
    badge.hidden = count === 0;
    badge.classList.toggle("badge--mention", mentions > 0);
    find(".badge__count", HTMLElement, badge).textContent = count > 99 ? "99+" : String(count);
  }

  /**
   * @param {Room} current
   * @param {Room[]} rooms
   */
  title(current, rooms) {
    const count = rooms.reduce((sum, room) => sum + room.reading.count, 0);
    document.title = `${count > 0 ? `(${count > 99 ? "99+" : count}) ` : ""}${current.title} · Roomlog`;
    const icon = count > 0 ? (this.#icon.dataset.unreadHref ?? this.#plainIcon) : this.#plainIcon;
    if (this.#icon.href !== icon) this.#icon.href = icon;
    this.#elsewhere.hidden = !rooms.some((room) => room !== current && room.reading.count > 0);
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
