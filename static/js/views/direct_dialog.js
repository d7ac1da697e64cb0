// "New message": people by the beginning of a name, several of them, then the one conversation they have.

import { fillAvatar } from "../dom/avatar.js";
import { find, stamp } from "../dom/find.js";
import { Recipients } from "../state/recipients.js";
import { t, tn } from "../words.js";

/** @typedef {import("../state/recipients.js").Person} Person */

export class DirectDialog {
  #dialog = find("#direct-dialog", HTMLDialogElement);
  #form = find("#direct-form", HTMLFormElement);
  #names = find("#direct-names", HTMLInputElement);
  #input = find("#direct-input", HTMLInputElement);
  #list = find("#direct-list", HTMLElement);
  #chips = find("#direct-chosen", HTMLElement);
  #note = find("#direct-note", HTMLElement);
  #recipients;
  #fetchNames;
  /** @type {Person[]} */
  #found = [];
  #active = -1;
  #asked = 0;

  /**
   * @param {string} me this account's id
   * @param {(query: string) => Promise<Person[]>} fetchNames
   */
  constructor(me, fetchNames) {
    this.#recipients = new Recipients(me);
    this.#fetchNames = fetchNames;
  }

  connect() {
    document.addEventListener("click", this.#clicked);
    this.#input.addEventListener("input", this.#typed);
    this.#input.addEventListener("keydown", this.#pressed);
    this.#form.addEventListener("submit", this.#submitted);
  }

  disconnect() {
    document.removeEventListener("click", this.#clicked);
    this.#input.removeEventListener("input", this.#typed);
    this.#input.removeEventListener("keydown", this.#pressed);
    this.#form.removeEventListener("submit", this.#submitted);
  }

  open() {
    this.#recipients.clear();
    this.#input.value = "";
    this.#draw();
    this.#dialog.showModal();
    this.#input.focus();
    void this.#typed();
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (target === this.#dialog) this.#dialog.close();
    const option = target?.closest("#direct-list [role='option']");
    if (option) this.#choose([...this.#list.children].indexOf(option));
    const chip = target?.closest(".chip__remove")?.closest(".chip");
    if (chip instanceof HTMLElement) this.#take(chip.dataset.id ?? "");
  };

  #typed = async () => {
    const asked = (this.#asked += 1);
    const found = this.#recipients.left(await this.#fetchNames(this.#input.value.trim().replace(/^@/, "")));
    if (asked !== this.#asked) return; // more was typed meanwhile
    this.#found = found;
    this.#list.replaceChildren(...found.map(option));
    this.#input.ariaExpanded = String(found.length > 0);
    this.#mark(this.#input.value === "" ? -1 : 0);
    this.#note.textContent = found.length === 0 && this.#input.value !== "" ? t("Nobody has a name that begins so.") : this.#count();
  };

  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      this.#mark((this.#active + step + this.#found.length) % Math.max(1, this.#found.length));
    } else if (event.key === "Enter" && this.#found[this.#active] !== undefined) {
      event.preventDefault();
      this.#choose(this.#active);
    } else if (event.key === "Backspace" && this.#input.value === "" && this.#recipients.removeLast() !== undefined) {
      this.#draw();
      void this.#typed();
    }
  };

  /** @param {SubmitEvent} event */
  #submitted = (event) => {
    const { names } = this.#recipients;
    this.#names.value = names !== "" ? names : this.#input.value; // typed to the end without choosing
    if (this.#names.value.trim() !== "") return;
    event.preventDefault();
    this.#note.textContent = t("Choose somebody first.");
    this.#input.focus();
  };

  /** @param {number} index */
  #choose(index) {
    const person = this.#found[index];
    if (person === undefined || !this.#recipients.add(person)) return;
    this.#input.value = "";
    this.#draw();
    this.#input.focus();
    void this.#typed();
  }

  /** @param {string} id */
  #take(id) {
    this.#recipients.remove(id);
    this.#draw();
    this.#input.focus();
    void this.#typed();
  }

  #draw() {
    this.#chips.replaceChildren(...this.#recipients.chosen.map(chip));
    this.#input.disabled = this.#recipients.full;
    this.#note.textContent = this.#count();
  }

  #count() {
    const { length } = this.#recipients.chosen;
    return length === 0 ? "" : tn("%(count)s person chosen", "%(count)s people chosen", length);
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
 * @param {Person} person
 * @param {number} index
 */
function option({ name, here }, index) {
  const element = stamp("#direct-option");
  element.id = `direct-option-${index}`;
  fillAvatar(find(".avatar", HTMLElement, element), name);
  find(".room-link__title", HTMLElement, element).textContent = name;
  find(".switcher__here", HTMLElement, element).hidden = here !== true;
  return element;
}

/** @param {Person} person */
function chip({ id, name }) {
  const element = stamp("#direct-chip");
  element.dataset.id = id;
  find(".chip__name", HTMLElement, element).textContent = name;
  find(".chip__remove", HTMLButtonElement, element).ariaLabel = t("Remove %(name)s", { name });
  return element;
}
