// "While you were away": one quiet line over the messages when somebody comes back, until it is closed or nothing is left.

import { find } from "../dom/find.js";
import { missedIn } from "../state/digest.js";
import { t, tn } from "../words.js";

/** @typedef {import("../state/room.js").Room} Room */

const AWAY_MS = 30 * 60_000;
const LINKS = 3;
const CLOSED = "roomlog:digest-closed"; // for this tab, until somebody was away again

export class Digest {
  #line = find("#digest", HTMLElement);
  #text = find("#digest-text", HTMLElement);
  #links = find("#digest-links", HTMLElement);
  #close = find("#digest-close", HTMLButtonElement);
  #calls;
  #shown = false;
  /** @type {number | null} */
  #hiddenAt = null;

  /**
   * @param {object} calls
   * @param {() => {rooms: Room[], current: Room}} calls.look
   * @param {(slug: string, title: string) => void} calls.onEnter
   * @param {() => number} calls.now
   */
  constructor(calls) {
    this.#calls = calls;
  }

  connect() {
    this.#close.addEventListener("click", this.#closed);
    this.#links.addEventListener("click", this.#clicked);
    document.addEventListener("visibilitychange", this.#turned);
    if (sessionStorage.getItem(CLOSED) === null) this.#open();
  }

  disconnect() {
    this.#close.removeEventListener("click", this.#closed);
    this.#links.removeEventListener("click", this.#clicked);
    document.removeEventListener("visibilitychange", this.#turned);
  }

  /** Something was read or came: a line that is there tells the truth, and goes with the last of it. */
  follow() {
    if (this.#shown) this.#draw();
  }

  #open() {
    this.#shown = true;
    this.#draw();
    this.#shown = !this.#line.hidden;
  }

  #draw() {
    const { rooms, current } = this.#calls.look();
    const missed = missedIn(rooms, current);
    this.#line.hidden = missed === null;
    if (missed === null) return void (this.#shown = false);
    const values = {
      messages: tn("%(count)s message", "%(count)s messages", missed.messages),
      rooms: tn("%(count)s room", "%(count)s rooms", missed.rooms.length),
      mentions: tn("%(count)s mention", "%(count)s mentions", missed.mentions),
    };
    this.#text.textContent =
      missed.mentions > 0
        ? t("While you were away: %(messages)s in %(rooms)s, %(mentions)s", values)
        : t("While you were away: %(messages)s in %(rooms)s", values);
    this.#links.replaceChildren(...missed.rooms.slice(0, LINKS).map(linkTo));
  }

  #turned = () => {
    if (document.visibilityState === "hidden") this.#hiddenAt = this.#calls.now();
    else if (this.#hiddenAt !== null && this.#calls.now() - this.#hiddenAt > AWAY_MS) {
      sessionStorage.removeItem(CLOSED);
      this.#open();
    }
  };

  #closed = () => {
    sessionStorage.setItem(CLOSED, "1");
    this.#shown = false;
    this.#line.hidden = true;
  };

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.#calls.onEnter(link.dataset.room ?? "", link.textContent ?? "");
  };
}

/** @param {Room} room */
function linkTo({ slug, title }) {
  const link = document.createElement("a");
  link.href = `/rooms/${slug}`;
  link.dataset.room = slug;
  link.textContent = title;
  return link;
}
