// Going to a message, however old: in view where it is shown, else in its context; and from there on, and back.

import { find } from "../dom/find.js";
import { readPermalink } from "../state/permalinks.js";
import { t } from "../words.js";
import { Later, Past } from "./edges.js";

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../state/room.js").Room} Room */

export class Look {
  #list = find("#messages", HTMLElement);
  #chat;
  #looking;
  #timeline;
  #calls;
  #past = new Past(() => this.older());
  #later = new Later(() => this.later());

  /**
   * @param {object} parts
   * @param {import("../state/chat.js").Chat} parts.chat
   * @param {import("../state/looking.js").Looking} parts.looking
   * @param {import("./timeline.js").Timeline} parts.timeline
   * @param {(room: Room, adopted: boolean) => void} parts.onDraw the current room has to be drawn
   * @param {(at: number) => void} parts.onLooked a context was opened
   * @param {() => void} parts.onReturned the end is shown again
   * @param {(slug: string, title: string) => void} parts.onEnter
   * @param {(failure: string) => void} parts.onFail
   */
  constructor({ chat, looking, timeline, ...calls }) {
    this.#chat = chat;
    this.#looking = looking;
    this.#timeline = timeline;
    this.#calls = calls;
  }

  connect() {
    this.#list.addEventListener("click", this.#clicked);
    this.#past.connect();
    this.#later.connect();
  }

  disconnect() {
    this.#list.removeEventListener("click", this.#clicked);
    this.#past.disconnect();
    this.#later.disconnect();
  }

  /**
   * The page begins with a context.
   * @param {number} at
   * @param {import("../state/context.js").Surroundings} page
   */
  begin(at, page) {
    this.#looking.begin(at, page);
  }

  /** @param {Room} room what lies before and after what is shown */
  showEdges(room) {
    this.#past.show(room);
    this.#later.show(room);
  }

  /**
   * @param {number} seq of a message of the current room
   * @param {boolean} byAddress the browser went there itself
   */
  async jump(seq, byAddress = false) {
    if (this.#timeline.mark(seq) !== null) return;
    const outcome = await this.#looking.open(seq);
    if (outcome === "failed") return this.#calls.onFail(t("This message could not be shown."));
    if (outcome === "gone") return;
    this.#calls.onDraw(this.#chat.current, false);
    if (!byAddress) this.#calls.onLooked(seq);
    this.#timeline.mark(seq);
  }

  /** Back to the end of the room. */
  end() {
    const { current } = this.#chat;
    if (current.context !== null) {
      this.#looking.close();
      this.#calls.onDraw(current, false);
    }
    this.#calls.onReturned();
    this.#timeline.toEnd();
  }

  /** The log has come to what it had not before: it may meet the context now. */
  met() {
    if (this.#looking.join()) this.#calls.onDraw(this.#chat.current, true);
  }

  /** @returns {Promise<boolean>} whether it could be had */
  async older() {
    const { current } = this.#chat;
    if (current.context === null) return this.#chat.loadOlder();
    if (this.#looking.busy) return true; // what is drawn asks again
    const put = await this.#looking.older();
    if (put === null || current !== this.#chat.current) return put !== null;
    this.#timeline.hold(() => {
      this.#timeline.prepend(put);
      this.showEdges(current);
    });
    return true;
  }

  /** @returns {Promise<boolean>} whether it could be had */
  async later() {
    const { current } = this.#chat;
    if (this.#looking.busy) return true;
    const put = await this.#looking.later();
    if (put === null || current !== this.#chat.current) return put !== null;
    this.#timeline.put(put, false);
    this.showEdges(current);
    this.met();
    return true;
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const place = link === null || !plain ? null : readPermalink(link.href, location.origin);
    const room = place === null ? undefined : this.#chat.rooms.find(({ slug }) => slug === place.slug);
    if (place === null || room === undefined) return;
    event.preventDefault();
    if (room !== this.#chat.current) this.#calls.onEnter(room.slug, room.title);
    void this.jump(place.seq);
  };
}
