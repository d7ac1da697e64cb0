// Notifications of the browser: asked for when somebody says so, one for all tabs, none of what is in view.

import { find } from "../dom/find.js";
import { callingOne } from "../state/calls.js";
import { t } from "../words.js";

/** @typedef {import("../state/room.js").Room} Room */
/** @typedef {import("../net/frames.js").Message} Message */

const TEXT_CHARACTERS = 120;

export class Notifier {
  #offer = find("#notify-offer", HTMLElement);
  #yes = find("#notify-yes", HTMLButtonElement);
  #no = find("#notify-no", HTMLButtonElement);
  #tabs;
  #parts;

  /**
   * @param {object} parts
   * @param {import("../dom/tabs.js").Tabs} parts.tabs
   * @param {string} parts.me this account's id
   * @param {Pick<Storage, "getItem" | "setItem">} parts.store
   * @param {(slug: string) => Promise<Message[]>} parts.latest its newest messages
   * @param {(slug: string, title: string) => void} parts.onEnter
   * @param {() => void} parts.onAsked the browser's answer is there
   */
  constructor(parts) {
    this.#parts = parts;
    this.#tabs = parts.tabs;
  }

  connect() {
    this.#yes.addEventListener("click", this.ask);
    this.#no.addEventListener("click", this.#declined);
  }

  disconnect() {
    this.#yes.removeEventListener("click", this.ask);
    this.#no.removeEventListener("click", this.#declined);
  }

  /** @param {Room} room something came in it that calls */
  async call(room) {
    if (Notification.permission === "default") return this.#propose(room);
    if (Notification.permission !== "granted" || !this.#tabs.leads || (await this.#tabs.isShown(room.slug))) return;
    const known = room.followed ? room.log.messages : await this.#parts.latest(room.slug);
    this.#show(room, callingOne(known, room, this.#parts.me));
  }

  /** Somebody said so: only then a browser is asked. */
  ask = async () => {
    this.#declined();
    await Notification.requestPermission();
    this.#parts.onAsked();
  };

  /**
   * Once, when the first one came that was meant for this account while it looked elsewhere.
   * @param {Room} room
   */
  #propose(room) {
    if (document.visibilityState === "visible" || room.badge.mentions === 0) return;
    if (this.#parts.store.getItem(this.#asked) === null) this.#offer.hidden = false;
  }

  /**
   * @param {Room} room
   * @param {Message | undefined} message
   */
  #show({ slug, title, facts }, message) {
    const name = message?.from ?? title;
    const place = facts.kind === "direct" ? title : `#${title}`;
    const heading = message === undefined ? place : name === title ? name : t("%(name)s in %(room)s", { name, room: place });
    const text = [...(message?.text ?? "").replace(/\s+/g, " ")];
    const body = text.length > TEXT_CHARACTERS ? `${text.slice(0, TEXT_CHARACTERS).join("")}…` : text.join("");
    /** @type {NotificationOptions} */
    const options = { body, tag: `roomlog:${slug}`, icon: find("link[rel='apple-touch-icon']", HTMLLinkElement).href };
    try {
      const notification = new Notification(heading, options);
      notification.onclick = () => {
        window.focus();
        this.#parts.onEnter(slug, title);
        notification.close();
      };
    } catch {
      // On phones only the service worker may show one, and static/worker.js opens the room.
      void navigator.serviceWorker?.ready.then((worker) => worker.showNotification(heading, { ...options, data: { room: slug } }));
    }
  }

  #declined = () => {
    this.#parts.store.setItem(this.#asked, "1");
    this.#offer.hidden = true;
  };

  get #asked() {
    return `roomlog:notify-asked:${this.#parts.me}`;
  }
}
