// Names to choose from while one is typed after an @: works like a combobox (ARIA Authoring Practices), whose role a field of
// several lines must not have; its list opens by itself, and how many names it has is said.

import { find } from "../dom/find.js";
import { isHopeless, namingAt } from "../state/naming.js";
import { t, tn } from "../words.js";

/** @typedef {import("../net/messages.js").Named} Named */
/** @typedef {import("../state/naming.js").Naming} Naming */

const PAUSE_MS = 120;

export class Completion {
  #form = find("#composer", HTMLFormElement);
  #text = find("#composer-text", HTMLTextAreaElement);
  #list = find("#completion", HTMLElement);
  #count = find("#completion-count", HTMLElement);
  #clock;
  #fetchNames;
  #mayCallHere;
  /** @type {unknown} */
  #timer = null;
  #asking = new AbortController();
  /** @type {Naming | null} */
  #naming = null;
  /** Where nobody was found. @type {Naming | null} */
  #empty = null;
  /** The place of an @ whose list was closed or that is done. */
  #done = -1;
  #active = 0;

  /**
   * @param {object} parts
   * @param {import("../net/clock.js").Clock} parts.clock
   * @param {(query: string, signal: AbortSignal) => Promise<Named[] | null>} parts.fetchNames
   * @param {() => boolean} parts.mayCallHere
   */
  constructor({ clock, fetchNames, mayCallHere }) {
    this.#clock = clock;
    this.#fetchNames = fetchNames;
    this.#mayCallHere = mayCallHere;
  }

  connect() {
    this.#text.addEventListener("input", this.#looked);
    this.#text.addEventListener("click", this.#looked);
    this.#text.addEventListener("blur", this.#left);
    this.#form.addEventListener("keydown", this.#pressed, { capture: true }); // before the field takes Enter for sending
    this.#form.addEventListener("submit", this.#left);
    this.#list.addEventListener("mousedown", this.#chosen);
    if (document.activeElement === this.#text) this.#looked(); // it was loaded because there is an @
  }

  disconnect() {
    this.#text.removeEventListener("input", this.#looked);
    this.#text.removeEventListener("click", this.#looked);
    this.#text.removeEventListener("blur", this.#left);
    this.#form.removeEventListener("keydown", this.#pressed, { capture: true });
    this.#form.removeEventListener("submit", this.#left);
    this.#list.removeEventListener("mousedown", this.#chosen);
  }

  #left = () => this.#close();

  #looked = () => {
    const naming = namingAt(this.#text.value, this.#text.selectionEnd);
    if (this.#text.value[this.#done] !== "@") this.#done = -1;
    if (naming === null) this.#empty = null;
    this.#naming = naming;
    this.#stop();
    if (naming === null || naming.start === this.#done || isHopeless(naming, this.#empty)) return this.#close();
    this.#timer = this.#clock.after(() => void this.#ask(naming), PAUSE_MS);
  };

  #stop() {
    this.#clock.cancel(this.#timer);
    this.#asking.abort();
  }

  /** @param {Naming} naming */
  async #ask(naming) {
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const names = await this.#fetchNames(naming.query, signal);
    if (signal.aborted || names === null) return;
    const options = names.map(({ name, here }) => option(name, here ? t("here") : ""));
    if (this.#mayCallHere() && "here".startsWith(naming.query.toLowerCase())) options.push(option("here", t("everybody here now")));
    if (options.length === 0) this.#empty = naming;
    if (options.length === 0) return this.#close();
    options.forEach((one, index) => (one.id = `completion-${index}`));
    this.#list.replaceChildren(...options);
    this.#list.hidden = false;
    this.#count.textContent = tn("One name to choose", "%(count)s names to choose from", options.length);
    this.#mark(0);
  }

  #close() {
    this.#stop();
    if (this.#list.hidden) return;
    this.#list.hidden = true;
    this.#count.textContent = "";
    this.#text.removeAttribute("aria-activedescendant");
  }

  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    if (this.#list.hidden || event.isComposing || event.target !== this.#text || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const { length } = this.#list.children;
    if (step !== undefined) this.#mark((this.#active + step + length) % length);
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) this.#take(this.#active);
    else if (event.key === "Escape") this.#giveUp();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  #giveUp() {
    this.#done = this.#naming?.start ?? -1;
    this.#close();
  }

  /** @param {MouseEvent} event */
  #chosen = (event) => {
    event.preventDefault(); // the field keeps the focus
    const chosen = event.target instanceof Element ? event.target.closest("[role='option']") : null;
    if (chosen !== null) this.#take([...this.#list.children].indexOf(chosen));
  };

  /** @param {number} index */
  #take(index) {
    const name = /** @type {HTMLElement | undefined} */ (this.#list.children[index])?.dataset.name;
    if (name === undefined || this.#naming === null) return;
    const { start } = this.#naming;
    this.#close();
    this.#done = start;
    this.#text.setRangeText(`@${name} `, start, this.#text.selectionEnd, "end");
    this.#text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** @param {number} index */
  #mark(index) {
    this.#active = index;
    [...this.#list.children].forEach((one, at) => one.setAttribute("aria-selected", String(at === index)));
    this.#text.setAttribute("aria-activedescendant", `completion-${index}`);
    this.#list.children[index]?.scrollIntoView({ block: "nearest" });
  }
}

/**
 * @param {string} name
 * @param {string} hint
 */
function option(name, hint) {
  const element = document.createElement("li");
  element.className = "completion__option";
  element.setAttribute("role", "option");
  element.dataset.name = name;
  const label = document.createElement("bdi");
  label.textContent = name;
  const note = document.createElement("span");
  note.className = "completion__hint";
  note.textContent = hint;
  element.append(label, " ", note);
  return element;
}
