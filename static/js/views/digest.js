// "While you were away": one quiet line over the messages when somebody comes back, until it is closed or nothing is left.

import { find } from "../dom/find.js";
import { t, tn } from "../words.js";

/** @typedef {import("../state/room.js").Room} Room */

const LINKS = 3;
const CLOSED = "roomlog:digest-closed"; // for this tab, until somebody was away again

export class Digest {
  #line = find("#digest", HTMLElement);
  #text = find("#digest-text", HTMLElement);
  #links = find("#digest-links", HTMLElement);
  #close = find("#digest-close", HTMLButtonElement);
  #calls;
  #shown = false;

  /**
   * @param {object} calls
   * @param {() => import("../state/calls.js").Missed | null} calls.look what is unread elsewhere now
   * @param {(slug: string, title: string) => void} calls.onEnter
   */
  constructor(calls) {
    this.#calls = calls;
  }

  connect() {
    this.#close.addEventListener("click", this.#closed);
    this.#links.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.#close.removeEventListener("click", this.#closed);
    this.#links.removeEventListener("click", this.#clicked);
  }

  /** @param {boolean} anew though it was closed in this tab */
  open(anew) {
    if (anew) sessionStorage.removeItem(CLOSED);
    this.#shown = sessionStorage.getItem(CLOSED) === null;
    this.follow();
  }

  /** Something was read or came: a line that is there tells the truth, and goes with the last of it. */
  follow() {
    const missed = this.#shown ? this.#calls.look() : null;
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
