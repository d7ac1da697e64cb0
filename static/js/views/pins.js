// What is pinned in the room, as a list in a dialog; pins_link.js loads it.

import { find } from "../dom/find.js";
import { localiseTime } from "../dom/time.js";
import { excerptOf } from "../state/excerpts.js";
import { permalink } from "../state/permalinks.js";
import { t } from "../words.js";

/** @typedef {import("../net/frames.js").Message} Message */

export class Pins {
  #dialog = find("#pins", HTMLDialogElement);
  #list = find("#pins-list", HTMLElement);
  #note = find("#pins-note", HTMLElement);
  #calls;

  /**
   * @param {object} calls
   * @param {() => Promise<Message[] | null>} calls.fetchPins of the current room
   * @param {(seq: number) => void} calls.onJump
   */
  constructor(calls) {
    this.#calls = calls;
  }

  connect() {
    this.#dialog.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.#dialog.removeEventListener("click", this.#clicked);
  }

  /** Messages changed: an open list may be another now. */
  refresh() {
    if (this.#dialog.open) void this.#fill();
  }

  open() {
    this.#list.replaceChildren();
    this.#note.textContent = "";
    this.#dialog.showModal();
    void this.#fill();
  }

  async #fill() {
    const pinned = await this.#calls.fetchPins();
    if (pinned === null) this.#note.textContent = t("Could not be loaded · try again");
    else this.#note.textContent = pinned.length === 0 ? t("Nothing is pinned here.") : "";
    if (pinned !== null) this.#list.replaceChildren(...pinned.map(item));
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    if (event.target === this.#dialog) return this.#dialog.close(); // beside it
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || event.button !== 0 || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    this.#dialog.close();
    this.#calls.onJump(Number(link.dataset.seq));
  };
}

/** @param {Message} message */
function item(message) {
  const entry = document.createElement("li");
  const link = document.createElement("a");
  link.className = "pin";
  link.href = permalink(message.room, message.seq);
  link.dataset.seq = String(message.seq);
  const author = document.createElement("bdi");
  author.className = "pin__author";
  author.textContent = message.from;
  const time = document.createElement("time");
  time.dateTime = message.sentAt;
  localiseTime(time);
  const text = document.createElement("span");
  text.className = "pin__text";
  text.dir = "auto";
  text.textContent = excerptOf(message);
  link.append(author, " ", time, text);
  entry.append(link);
  return entry;
}
