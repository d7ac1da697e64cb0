// The head of the room that is looked at: what it is called and about, and the menu of what one may do about it.

import { find } from "../dom/find.js";
import { roomMark } from "./badges.js";

/** @typedef {import("../state/room.js").Room} Room */

export class RoomHead {
  #mark = find("#room-mark", HTMLElement);
  #archived = find("#room-archived", HTMLElement);
  #topic = find("#room-topic", HTMLElement);
  #menu = find("#room-menu", HTMLElement);
  #search = find("#room-search", HTMLAnchorElement);
  #settings = find("#room-settings", HTMLAnchorElement);
  #pins = find(".room-menu__pins", HTMLAnchorElement);
  #notify = find("#room-notify", HTMLFormElement);
  #here = find("#notify-here", HTMLButtonElement);
  #onNotify;

  /** @param {(notify: string) => Promise<boolean>} onNotify somebody chose what of the room they want to hear; false: it was not stored */
  constructor(onNotify) {
    this.#onNotify = onNotify;
  }

  connect() {
    this.#notify.addEventListener("submit", this.#chosen);
  }

  disconnect() {
    this.#notify.removeEventListener("submit", this.#chosen);
  }

  /**
   * Whether this browser may be asked to show notifications, in the menu.
   * @param {boolean} open
   * @param {() => void} [onAsk]
   */
  offer(open, onAsk) {
    this.#here.hidden = !open;
    if (onAsk !== undefined) this.#here.addEventListener("click", onAsk);
  }

  /** Where the room is searched. */
  get searchAddress() {
    return this.#search.href;
  }

  /** @param {Room} room */
  show({ slug, title, facts }) {
    for (const element of document.querySelectorAll("#room-title, [data-room-title]")) element.textContent = title;
    this.#mark.replaceChildren(roomMark(facts.kind, title));
    this.#archived.hidden = !facts.archived;
    this.#topic.hidden = facts.topic === "";
    find(".topic__text", HTMLElement, this.#topic).textContent = facts.topic;
    this.#search.href = `/search?in=${slug}`;
    this.#settings.href = `/rooms/${slug}/settings`;
    this.#pins.href = `/rooms/${slug}/pins`;
    this.#notify.action = `/rooms/${slug}/notify`;
    for (const button of this.#choices) button.ariaPressed = String(button.value === facts.notify);
  }

  get #choices() {
    return [...this.#notify.querySelectorAll("button")].filter((button) => button.name === "notify");
  }

  /** @param {SubmitEvent} event */
  #chosen = async (event) => {
    const { submitter } = event;
    if (!(submitter instanceof HTMLButtonElement)) return;
    event.preventDefault();
    if (await this.#onNotify(submitter.value)) this.#menu.hidePopover();
    else this.#notify.dataset.failed = "true";
  };
}
