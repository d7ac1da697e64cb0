// The keys that work everywhere on a room's page, and the page that tells of them.

import { find } from "../dom/find.js";
import { nextRoom } from "../state/choices.js";
import { actionOf } from "../state/keys.js";

const FIELDS = "input, textarea, select, [contenteditable]";
const OPEN = "dialog[open], [popover]:popover-open"; // the browser closes these itself, one at a time

export class Keyboard {
  #help = find("#shortcuts", HTMLDialogElement);
  #calls;

  /**
   * @param {object} calls
   * @param {() => import("../state/choices.js").Choice[]} calls.rooms in the order of the list
   * @param {(slug: string, title: string) => void} calls.onEnter
   * @param {() => void} calls.onSwitch
   * @param {() => void} calls.onSearch
   * @param {(() => boolean)[]} calls.closers what Escape closes: the first that says it closed something ends it
   */
  constructor(calls) {
    this.#calls = calls;
  }

  connect() {
    document.addEventListener("keydown", this.#pressed);
    document.addEventListener("click", this.#clicked);
  }

  disconnect() {
    document.removeEventListener("keydown", this.#pressed);
    document.removeEventListener("click", this.#clicked);
  }

  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    const { target } = event;
    const typing = target instanceof Element && target.matches(FIELDS);
    const action = event.defaultPrevented ? null : actionOf(event, typing);
    const covered = document.querySelector(OPEN);
    if (action === null || (covered !== null && !(action === "switch" && covered.matches("#switcher")))) return;
    if (action === "close") return void this.#calls.closers.find((close) => close());
    event.preventDefault();
    if (action === "switch") return this.#calls.onSwitch();
    if (action === "search") return this.#calls.onSearch();
    if (action === "help") return this.#help.showModal();
    const room = nextRoom(this.#calls.rooms(), action === "next" ? 1 : -1);
    if (room !== undefined) this.#calls.onEnter(room.slug, room.title);
  };

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    if (event.target === this.#help) this.#help.close(); // beside it
    else if (event.target instanceof Element && event.target.closest("[data-shortcuts]")) this.#help.showModal();
  };
}
