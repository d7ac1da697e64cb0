// Ctrl/Cmd-K: a room by a part of its name. A combobox whose list is always open, in a dialog.

import { find, stamp } from "../dom/find.js";
import { findRooms } from "../state/choices.js";
import { fillBadge, roomMark } from "./badges.js";

/** @typedef {import("../state/choices.js").Choice} Choice */

export class Switcher {
  #dialog = find("#switcher", HTMLDialogElement);
  #input = find("#switcher-input", HTMLInputElement);
  #list = find("#switcher-list", HTMLElement);
  #none = find("#switcher-none", HTMLElement);
  #rooms;
  #onChoose;
  /** @type {Choice[]} */
  #found = [];
  #active = 0;

  /**
   * @param {object} calls
   * @param {() => Choice[]} calls.rooms in the order of the list
   * @param {(slug: string, title: string) => void} calls.onChoose
   */
  constructor({ rooms, onChoose }) {
    this.#rooms = rooms;
    this.#onChoose = onChoose;
  }

  connect() {
    this.#input.addEventListener("input", this.#typed);
    this.#input.addEventListener("keydown", this.#pressed);
    this.#list.addEventListener("click", this.#clicked);
    this.#dialog.addEventListener("click", this.#backdrop);
  }

  disconnect() {
    this.#input.removeEventListener("input", this.#typed);
    this.#input.removeEventListener("keydown", this.#pressed);
    this.#list.removeEventListener("click", this.#clicked);
    this.#dialog.removeEventListener("click", this.#backdrop);
  }

  /**
   * The dialog was opened: what was typed already counts.
   * @param {KeyboardEvent[]} early and what was pressed
   */
  fill(early) {
    if (!this.#dialog.open) return; // it was closed before this was there
    this.#typed();
    early.forEach(this.#pressed);
  }

  #typed = () => {
    this.#found = findRooms(this.#rooms(), this.#input.value);
    this.#list.replaceChildren(...this.#found.map(option));
    this.#none.hidden = this.#found.length > 0;
    this.#mark(0);
  };

  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && !event.altKey) {
      event.preventDefault();
      this.#mark((this.#active + step + this.#found.length) % Math.max(1, this.#found.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.#choose(this.#active);
    }
  };

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const chosen = event.target instanceof Element ? event.target.closest("[role='option']") : null;
    if (chosen !== null) this.#choose([...this.#list.children].indexOf(chosen));
  };

  /** @param {MouseEvent} event */
  #backdrop = (event) => {
    if (event.target === this.#dialog) this.#dialog.close();
  };

  /** @param {number} index */
  #choose(index) {
    const room = this.#found[index];
    if (room === undefined) return;
    this.#dialog.close();
    this.#onChoose(room.slug, room.title);
  }

  /** @param {number} index */
  #mark(index) {
    this.#active = index;
    [...this.#list.children].forEach((one, at) => one.setAttribute("aria-selected", String(at === index)));
    const active = this.#list.children[index];
    if (active === undefined) this.#input.removeAttribute("aria-activedescendant");
    else this.#input.setAttribute("aria-activedescendant", active.id);
    active?.scrollIntoView({ block: "nearest" });
  }
}

/**
 * @param {Choice} room
 * @param {number} index
 */
function option(room, index) {
  const element = stamp("#switcher-option");
  element.id = `switcher-option-${index}`;
  find(".room-link__title", HTMLElement, element).textContent = room.title;
  find(".switcher__here", HTMLElement, element).hidden = !room.current;
  find(".room-mark", HTMLElement, element).replaceWith(roomMark(room.kind, room.title));
  fillBadge(element, room);
  return element;
}
