// Where messages are written. Never disabled: what cannot be sent now waits in the outbox.

import { find } from "../dom/find.js";
import { cleanText, sendable } from "../state/text.js";
import { number, t } from "../words.js";

/** @typedef {import("../net/frames.js").Message} Message */
/**
 * @typedef {object} ComposerCalls
 * @property {(text: string) => void} onPost
 * @property {(id: string, text: string) => void} onEdit
 * @property {(text: string) => void} onInput what stands there now, to be kept as the draft
 * @property {() => void} onTyping
 * @property {() => Message | undefined} lastOwn what ↑ edits
 */

const NEAR_LIMIT = 0.8; // from here on the counter shows

export class Composer {
  #form = find("#composer", HTMLFormElement);
  #text = find("#composer-text", HTMLTextAreaElement);
  #note = find("#composer-note", HTMLElement);
  #banner = find("#editing", HTMLElement);
  #closed = find("#composer-closed", HTMLElement);
  #timeline = find("#timeline", HTMLElement);
  #touch = window.matchMedia("(pointer: coarse)");
  #calls;
  /** @type {{id: string, draft: string} | null} */
  #editing = null;
  #reason = "";

  /**
   * @param {number} limit code points; 0: any number
   * @param {ComposerCalls} calls
   */
  constructor(limit, calls) {
    this.limit = limit;
    this.#calls = calls;
  }

  connect() {
    this.#form.addEventListener("submit", this.#submitted);
    this.#form.addEventListener("click", this.#clicked);
    this.#text.addEventListener("input", this.#typed);
    this.#text.addEventListener("keydown", this.#pressed);
    if (!this.#touch.matches) this.#text.focus();
  }

  disconnect() {
    this.#form.removeEventListener("submit", this.#submitted);
    this.#form.removeEventListener("click", this.#clicked);
    this.#text.removeEventListener("input", this.#typed);
    this.#text.removeEventListener("keydown", this.#pressed);
  }

  /** The id of the message that is being edited. */
  get editing() {
    return this.#editing?.id ?? null;
  }

  /**
   * Another room: its name and what was being typed there.
   * @param {string} title
   * @param {string} draft
   */
  enter(title, draft) {
    this.#editing = null;
    this.#banner.hidden = true;
    this.#text.placeholder = t("Message #%(room)s", { room: title });
    this.#text.ariaLabel = t("Message to %(room)s", { room: title });
    this.#write(draft);
    if (!this.#touch.matches || document.activeElement !== document.body) this.rest(); // not when the page begins
  }

  /** @param {Message} message one's own */
  edit(message) {
    const draft = this.#editing?.draft ?? this.#text.value;
    this.#editing = { id: message.id, draft };
    this.#banner.hidden = false;
    this.#fence();
    this.#write(message.text ?? "");
    this.#text.focus();
  }

  /** The edit is over, done or not: the draft is there again. */
  endEdit() {
    if (this.#editing === null) return;
    const { draft } = this.#editing;
    this.#editing = null;
    this.#banner.hidden = true;
    this.#write(draft);
    this.#fence();
  }

  /**
   * @param {string} text
   * @param {"failure" | ""} tone
   */
  note(text, tone = "") {
    this.#note.textContent = text;
    this.#note.dataset.tone = tone;
    this.#note.ariaLive = "polite";
  }

  /**
   * Where the focus goes when there is nothing nearer: the field, but with a virtual keyboard only when it is asked for.
   * @returns {true}
   */
  rest() {
    if (this.#touch.matches || this.#form.hidden) this.#timeline.focus({ preventScroll: true });
    else this.#text.focus();
    return true;
  }

  /** @param {string} reason why nothing can be written here; "": it can. An edit goes on */
  close(reason) {
    this.#closed.textContent = reason;
    this.#reason = reason;
    this.#fence();
  }

  focus() {
    this.#text.focus();
  }

  #fence() {
    const open = this.#reason === "" || this.#editing !== null;
    this.#form.hidden = !open;
    this.#closed.hidden = open;
  }

  /** @returns {boolean} whether an edit was given up */
  cancel() {
    if (this.#editing === null) return false;
    this.endEdit();
    return this.rest();
  }

  /** @param {SubmitEvent} event */
  #submitted = (event) => {
    event.preventDefault();
    const { text, length, error } = cleanText(sendable(this.#text.value), this.limit);
    this.#text.focus();
    if (error === "empty") return;
    if (error === "too_large") return this.note(t("%(length)s characters are too many: %(limit)s are allowed. Nothing was sent.", { length, limit: this.limit }), "failure");
    if (this.#editing !== null) return this.#calls.onEdit(this.#editing.id, text);
    this.#write("");
    this.#calls.onInput("");
    this.#calls.onPost(text);
  };

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    if (event.target instanceof Element && event.target.closest("[data-action='cancel-edit']")) this.cancel();
  };

  #typed = () => {
    this.#fit();
    if (this.#editing !== null) return;
    this.#calls.onInput(this.#text.value);
    if (this.#text.value !== "") this.#calls.onTyping();
  };

  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    const composing = event.isComposing || event.keyCode === 229; // Safari ends the composition before this event
    if (composing) return;
    if (event.key === "Enter" && !event.shiftKey && !this.#touch.matches) {
      event.preventDefault();
      this.#form.requestSubmit();
    } else if (event.key === "Escape" && this.#editing !== null) {
      event.preventDefault();
      this.cancel();
    } else if (event.key === "ArrowUp" && !event.altKey && this.#text.value === "" && this.#editing === null) {
      const message = this.#calls.lastOwn();
      if (message === undefined) return;
      event.preventDefault();
      this.edit(message);
    }
  };

  /** @param {string} text */
  #write(text) {
    this.#text.value = text;
    this.#fit();
  }

  #fit() {
    this.#text.style.blockSize = "auto";
    this.#text.style.blockSize = `${this.#text.scrollHeight}px`;
    const { length } = cleanText(this.#text.value, this.limit);
    const near = this.limit > 0 && length >= this.limit * NEAR_LIMIT;
    const over = this.limit > 0 && length > this.limit;
    this.note(near ? `${number(length)} / ${number(this.limit)}` : "", over ? "failure" : "");
    this.#note.ariaLive = "off"; // a counter is not read out with every letter
  }
}
