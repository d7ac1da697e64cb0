// Signing out clears what this browser keeps, so it asks first when something there was not sent.

import { find } from "../dom/find.js";
import { outboxPrefix } from "../net/outbox.js";
import { tn } from "../words.js";

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
    find("[data-unsent-count]", HTMLElement).textContent = tn(
      "One message was not sent yet. Signing out removes what was not sent from this browser.",
      "%(count)s messages were not sent yet. Signing out removes what was not sent from this browser.",
      count,
    );
    const { ask } = await import("../dom/ask.js");
    if (!(await ask("#sign-out-dialog"))) return;
    this.#onLeave();
    form.submit();
  };
}
