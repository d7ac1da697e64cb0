// The edges of what is shown: where older messages are, and newer ones of a part of the past, and the way back to the end.

import { find } from "../dom/find.js";
import { t } from "../words.js";

export class Past {
  #older = find("#load-older", HTMLElement);
  #start = find("#start", HTMLElement);
  #box = find("#timeline", HTMLElement);
  #onLoad;

  /** @param {() => Promise<boolean>} onLoad false when it could not be had */
  constructor(onLoad) {
    this.#onLoad = onLoad;
  }

  connect() {
    this.#older.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.#older.removeEventListener("click", this.#clicked);
  }

  /** @param {import("../state/room.js").Room} room */
  show(room) {
    const { more } = room.context ?? room.log;
    const missed = room.context === null ? room.missed : 0;
    if (!more && document.activeElement === this.#older) this.#box.focus();
    this.#older.hidden = !more;
    this.#older.classList.toggle("button--primary", missed > 0);
    this.#older.textContent = missed > 0 ? t("%(count)s missed · load", { count: missed }) : t("Older messages");
    this.#start.hidden = more || (room.context === null && room.log.position === null);
  }

  /** @param {MouseEvent} event */
  #clicked = async (event) => {
    event.preventDefault(); // without scripts it leads to a page of its own
    this.#older.ariaBusy = "true";
    if (!(await this.#onLoad())) this.#older.textContent = t("Could not be loaded · try again");
    this.#older.ariaBusy = "false";
  };
}

export class Later {
  #button = find("#newer", HTMLButtonElement);
  #box = find("#timeline", HTMLElement);
  #onLoad;

  /** @param {() => Promise<boolean>} onLoad false when it could not be had */
  constructor(onLoad) {
    this.#onLoad = onLoad;
  }

  connect() {
    this.#button.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.#button.removeEventListener("click", this.#clicked);
  }

  /** @param {import("../state/room.js").Room} room */
  show({ context }) {
    const newer = context?.newer === true;
    if (!newer && document.activeElement === this.#button) this.#box.focus();
    this.#button.hidden = !newer;
    const words = t("Newer messages");
    if (this.#button.textContent !== words) this.#button.textContent = words; // what is written anew in a log is read out
  }

  #clicked = async () => {
    this.#button.ariaBusy = "true";
    if (!(await this.#onLoad())) this.#button.textContent = t("Could not be loaded · try again");
    this.#button.ariaBusy = "false";
  };
}

export class ToEnd {
  #button = find("#to-end", HTMLButtonElement);
  #words = find("span", HTMLElement, this.#button);
  #away = false;
  #onClick;

  /** @param {() => void} onClick */
  constructor(onClick) {
    this.#onClick = onClick;
  }

  connect() {
    this.#button.addEventListener("click", this.#onClick);
  }

  disconnect() {
    this.#button.removeEventListener("click", this.#onClick);
  }

  /** Something new came below what is in view. */
  announce() {
    this.#words.textContent = t("New messages");
  }

  /**
   * @param {boolean} atEnd
   * @param {boolean} away a part of the past is shown, and the end is not behind it
   */
  show(atEnd, away) {
    if (atEnd || away !== this.#away) this.#words.textContent = away ? t("To the newest messages") : t("To the end");
    this.#away = away;
    this.#button.hidden = atEnd;
  }
}
