// What somebody does with a message that stands there: by its menu, by keys on it, by the chips under it.

import { find } from "../dom/find.js";
import { late } from "../dom/late.js";
import { allowedOn } from "../state/permissions.js";
import { permalink } from "../state/permalinks.js";
import { t } from "../words.js";
import { MessageFocus } from "./message_focus.js";

/** @typedef {import("../net/frames.js").Message} Message */

export class Acting {
  #list = find("#messages", HTMLElement);
  #chat;
  #me;
  #now;
  #writing;
  #menu;
  #picker;

  /**
   * @param {object} parts
   * @param {import("../state/chat.js").Chat} parts.chat
   * @param {{id: string}} parts.me
   * @param {() => number} parts.now
   * @param {import("./writing.js").Writing} parts.writing
   */
  constructor({ chat, me, now, writing }) {
    this.#chat = chat;
    this.#me = me;
    this.#now = now;
    this.#writing = writing;
    this.focus = new MessageFocus({ onMenu: (row) => this.#offer(row, true), onKey: (row, key) => this.#key(row, key) });
    this.#picker = late(async () => {
      const { ReactionPicker } = await import("./reaction_picker.js");
      const picker = new ReactionPicker((id, emoji) => this.#react(id, emoji, false));
      picker.connect();
      return picker;
    });
    this.#menu = late(async () => {
      const { MessageMenu } = await import("./message_menu.js");
      const menu = new MessageMenu({
        find: (id) => chat.current.find(id),
        allowed: (message) => this.allowed(message),
        onReply: (message) => writing.reply(message),
        onReact: ({ id }, row) => this.#pick(id, find("[data-action='menu']", HTMLElement, row)),
        onLink: (message) => void this.#copyLink(message),
        onPin: ({ id }, pinned) => this.#sent(chat.pin(id, pinned)),
        onEdit: (message) => writing.edit(message),
        onDelete: ({ id }, row, byKey) => {
          if (!chat.delete(id)) return writing.note(t("There is no connection: nothing was deleted."));
          if (!byKey || !this.focus.leave(row)) writing.rest();
        },
      });
      menu.connect();
      return menu;
    });
  }

  connect() {
    this.#list.addEventListener("click", this.#clicked);
    for (const name of ["focusin", "pointerover"]) this.#list.addEventListener(name, this.#near, { once: true });
    this.focus.connect();
  }

  disconnect() {
    this.#list.removeEventListener("click", this.#clicked);
    for (const name of ["focusin", "pointerover"]) this.#list.removeEventListener(name, this.#near);
    this.focus.disconnect();
  }

  /** @param {Message} message */
  allowed(message) {
    return allowedOn(message, this.#me, this.#now(), this.#chat.current.standing);
  }

  /**
   * @param {HTMLElement} row
   * @param {string} key
   */
  #key(row, key) {
    const message = this.#chat.current.find(row.dataset.id ?? "");
    if (message === undefined) return false;
    const { reply, react } = this.allowed(message);
    if (key === "r" && reply) this.#writing.reply(message);
    else if (key === "e" && react) this.#pick(message.id, find(".message__body", HTMLElement, row));
    else return false;
    return true;
  }

  /** Somebody comes near the messages: what belongs to them is there before it is wanted. */
  #near = () => void Promise.all([this.#menu(), this.#picker()]).catch(() => {});

  /**
   * @param {HTMLElement} row
   * @param {boolean} byKey
   */
  #offer(row, byKey) {
    void this.#menu().then((menu) => row.isConnected && menu.open(row, byKey));
  }

  /**
   * @param {string} id of the message that gets a reaction
   * @param {HTMLElement} beside
   */
  #pick(id, beside) {
    void this.#picker().then((picker) => beside.isConnected && picker.open(id, beside));
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    const row = button?.closest(".message");
    if (!(button instanceof HTMLElement) || !(row instanceof HTMLElement)) return;
    const { id = "" } = row.dataset;
    if (button.dataset.action === "menu") this.#offer(row, event.detail === 0); // Enter or Space on the button
    if (button.dataset.action === "react") this.#pick(id, button);
    if (button.dataset.action !== "toggle-reaction") return;
    const emoji = button.closest("li")?.dataset.emoji ?? "";
    this.#react(id, emoji, button.ariaPressed === "true");
  };

  /**
   * @param {string} id
   * @param {string} emoji
   * @param {boolean} remove
   */
  #react(id, emoji, remove) {
    this.#sent(this.#chat.react(id, emoji, remove));
  }

  /** @param {boolean} sent a change is not kept for later: what it is about may be another by then */
  #sent(sent) {
    this.#writing.note(sent ? "" : t("There is no connection: nothing was changed."));
  }

  /** @param {Message} message */
  async #copyLink({ room, seq }) {
    await navigator.clipboard?.writeText(new URL(permalink(room, seq), location.origin).href);
  }
}
