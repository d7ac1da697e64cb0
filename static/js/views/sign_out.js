// Signing out clears what this browser keeps, so it asks first when something there was not sent.

import { ask } from "../dom/ask.js";
import { find } from "../dom/find.js";
import { outboxPrefix } from "../net/outbox.js";

export class SignOut {
  #onLeave;

  /** @param {() => void} onLeave closes the line first: its end by the server would lead elsewhere before the answer is here */
  constructor(onLeave) {
    this.#onLeave = onLeave;
  }

  connect() {
    document.addEventListener("submit", this.#submitted);
  }

  disconnect() {
    document.removeEventListener("submit", this.#submitted);
  }

  /** @param {SubmitEvent} event */
  #submitted = async (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.matches("[data-sign-out]")) return;
    const prefix = outboxPrefix(form.dataset.userId ?? "");
    const count = Object.keys(localStorage).filter((key) => key.startsWith(prefix)).length;
    if (count === 0) return this.#onLeave();
    event.preventDefault();
    find("[data-unsent-count]", HTMLElement).textContent = count === 1 ? "One message was" : `${count} messages were`;
    if (!(await ask("#sign-out-dialog"))) return;
    this.#onLeave();
    form.submit();
  };
}
