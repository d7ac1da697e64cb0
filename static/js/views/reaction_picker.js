// A small picker of emoji: a dozen that are often wanted, and a field for any other.

import { find } from "../dom/find.js";
import { standBy } from "../dom/stand.js";

export class ReactionPicker {
  #picker = find("#reaction-picker", HTMLElement);
  #form = find("form", HTMLFormElement, this.#picker);
  #field = find("input", HTMLInputElement, this.#picker);
  #onChoose;
  #id = "";

  /** @param {(id: string, emoji: string) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
  }

  connect() {
    this.#picker.addEventListener("click", this.#clicked);
    this.#picker.addEventListener("keydown", this.#pressed);
    this.#form.addEventListener("submit", this.#submitted);
  }

  disconnect() {
    this.#picker.removeEventListener("click", this.#clicked);
    this.#picker.removeEventListener("keydown", this.#pressed);
    this.#form.removeEventListener("submit", this.#submitted);
  }

  /**
   * @param {string} id of the message
   * @param {HTMLElement} beside the focus goes back to what had it
   */
  open(id, beside) {
    this.#id = id;
    this.#field.value = "";
    this.#picker.showPopover();
    standBy(this.#picker, beside);
    find("[data-emoji]", HTMLElement, this.#picker).focus();
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-emoji]") : null;
    if (button instanceof HTMLElement) this.#choose(button.dataset.emoji ?? "");
  };

  /** @param {SubmitEvent} event */
  #submitted = (event) => {
    event.preventDefault();
    const emoji = this.#field.value.trim();
    if (emoji !== "") this.#choose(emoji);
  };

  /** @param {string} emoji whether it is one the server knows */
  #choose(emoji) {
    this.#picker.hidePopover();
    this.#onChoose(this.#id, emoji);
  }

  /** @param {KeyboardEvent} event the arrows go through the emoji as they stand, six in a line */
  #pressed = (event) => {
    const buttons = /** @type {HTMLElement[]} */ ([...this.#picker.querySelectorAll("[data-emoji]")]);
    const index = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 6, ArrowUp: -6 }[event.key];
    if (index < 0 || step === undefined) return;
    event.preventDefault();
    buttons.at((index + step) % buttons.length)?.focus();
  };
}
