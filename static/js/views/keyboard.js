// The keys that work everywhere on a room's page, and the page that tells of them.

import { find } from "../dom/find.js";
import { actionOf } from "../state/keys.js";

const FIELDS = "input, textarea, select, [contenteditable]";
const OPEN = "dialog[open], [popover]:popover-open"; // the browser closes these itself, one at a time

export class Keyboard {
  #help = find("#shortcuts", HTMLDialogElement);
  #switcher = find("#switcher", HTMLDialogElement);
  #calls;

  /**
   * @param {object} calls
   * @param {() => import("../state/choices.js").Choice[]} calls.rooms in the order of the list
   * @param {(slug: string, title: string) => void} calls.onEnter
   * @param {() => Promise<import("./switcher.js").Switcher>} calls.switcher
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
    if (action === "switch") return void this.#switch();
    if (action === "search") return this.#calls.onSearch();
    if (action === "help") return this.#help.showModal();
    void this.#go(action === "next" ? 1 : -1);
  };

  /** @param {1 | -1} step */
  async #go(step) {
    const { nextRoom } = await import("../state/choices.js");
    const room = nextRoom(this.#calls.rooms(), step);
    if (room !== undefined) this.#calls.onEnter(room.slug, room.title);
  }

  /** The dialog opens at once, so that what is typed next goes there; what fills it is loaded, and gets the keys pressed before. */
  async #switch() {
    if (this.#switcher.open) return this.#switcher.close();
    const input = find("input", HTMLInputElement, this.#switcher);
    const early = /** @type {KeyboardEvent[]} */ ([]);
    /** @param {KeyboardEvent} event */
    const keep = (event) => void early.push(event);
    input.value = "";
    input.addEventListener("keydown", keep);
    this.#switcher.showModal();
    const switcher = await this.#calls.switcher().catch(() => null);
    input.removeEventListener("keydown", keep);
    if (switcher === null) return this.#switcher.close();
    switcher.fill(early);
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    if (event.target === this.#help) this.#help.close(); // beside it
    const button = event.target instanceof Element ? event.target.closest("[data-shortcuts], [data-switcher]") : null;
    if (button?.matches("[data-switcher]")) void this.#switch();
    else if (button != null) this.#help.showModal();
  };
}
