// Whether somebody reads the end of the current room, and telling the server how far.

import { isAttended } from "../dom/attention.js";
import { Throttle } from "../state/throttle.js";

const READ_MS = 1_000;

export class Reader {
  #chat;
  #atEnd;
  #telling;

  /**
   * @param {import("../state/chat.js").Chat} chat
   * @param {import("../net/clock.js").Clock} clock
   * @param {() => boolean} atEnd whether the end of the room is in view
   */
  constructor(chat, clock, atEnd) {
    this.#chat = chat;
    this.#atEnd = atEnd;
    this.#telling = new Throttle(clock, READ_MS, () => this.#reads && chat.read());
  }

  /** The page came to or lost the attention of its reader, or its end came into view. */
  attend() {
    const reads = this.#reads;
    this.#chat.attend(reads);
    if (reads) this.#telling.soon();
  }

  get #reads() {
    return isAttended() && this.#atEnd();
  }
}
