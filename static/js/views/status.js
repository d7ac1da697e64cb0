// The one quiet line about the connection. What lasts less than five seconds is not worth a word.

import { find } from "../dom/find.js";
import { t } from "../words.js";

/** @typedef {import("../net/socket.js").Line} Line */

const QUIET_MS = 5_000;

export class StatusLine {
  #status = find("#status", HTMLElement);
  #text = find("#status-text", HTMLElement);
  #tryNow = find("#try-now", HTMLButtonElement);
  #switch = find("#line-switch", HTMLButtonElement);
  #onTryNow;
  #onSwitch;
  #timer = 0;
  /** @type {Line | null} */
  #line = null;

  /**
   * @param {object} calls
   * @param {() => void} calls.onTryNow
   * @param {() => void} calls.onSwitch goes offline or online on purpose
   */
  constructor({ onTryNow, onSwitch }) {
    this.#onTryNow = onTryNow;
    this.#onSwitch = onSwitch;
  }

  connect() {
    this.#tryNow.addEventListener("click", this.#onTryNow);
    this.#switch.addEventListener("click", this.#onSwitch);
    this.#timer = window.setInterval(() => this.#draw(), 500);
  }

  disconnect() {
    this.#tryNow.removeEventListener("click", this.#onTryNow);
    this.#switch.removeEventListener("click", this.#onSwitch);
    clearInterval(this.#timer);
  }

  /** @param {Line} line */
  show(line) {
    this.#line = line;
    this.#draw();
  }

  #draw() {
    const line = this.#line;
    if (line === null) return;
    const away = line.awaySince === null ? 0 : Date.now() - line.awaySince;
    const passing = line.name === "connecting" || line.name === "waiting";
    if (passing && away < QUIET_MS) return;
    const seconds = Math.max(1, Math.ceil(((line.retryAt ?? 0) - Date.now()) / 1000));
    const words = {
      connecting: t("Connecting…"),
      online: t("Online"),
      waiting: t("Offline · back in %(seconds)s s", { seconds }),
      offline: t("Offline · messages wait here"),
      stopped: line.reason,
    };
    this.#status.dataset.state = line.name;
    if (this.#text.textContent !== words[line.name]) this.#text.textContent = words[line.name];
    this.#text.title = line.reason;
    this.#status.ariaLive = line.name === "waiting" ? "off" : "polite"; // a countdown is not read out
    if (line.name !== "waiting" && document.activeElement === this.#tryNow) this.#switch.focus();
    this.#tryNow.hidden = line.name !== "waiting";
    const on = line.name === "offline" || line.name === "stopped";
    this.#switch.classList.toggle("icon-button--on", on);
    this.#switch.title = on ? t("Go online") : t("Go offline");
    this.#switch.ariaLabel = this.#switch.title;
  }
}
