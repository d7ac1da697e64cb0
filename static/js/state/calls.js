// When a room calls for a notification: as soon as more in it is worth one than before.

/** @typedef {import("./room.js").Room} Room */
/** @typedef {import("../net/frames.js").Message} Message */

export class Calls {
  /** By slug: how much called already. @type {Map<string, number>} */
  #known = new Map();

  /** @param {Room} room what it has now is no news */
  seen(room) {
    this.#known.set(room.slug, room.facts.calls(room.reading));
  }

  /**
   * @param {Room} room its counts changed
   * @returns {boolean} whether something came that calls
   */
  came(room) {
    const before = this.#known.get(room.slug) ?? 0;
    this.seen(room);
    return (this.#known.get(room.slug) ?? 0) > before;
  }
}

/**
 * The message that calls: the last one of others, where only mentions count the last that names this account.
 * @param {readonly Message[]} messages oldest first
 * @param {Room} room
 * @param {string} me this account's id
 */
export function callingOne(messages, { facts }, me) {
  return messages.findLast(
    (message) =>
      message.userId !== me &&
      message.text !== undefined &&
      !("notice" in message) &&
      (facts.notify === "all" || names(/** @type {any} */ (message), me)),
  );
}

/**
 * @param {{mentions?: string[], here?: boolean}} message
 * @param {string} me
 */
function names({ mentions = [], here = false }, me) {
  return here || mentions.includes(me);
}
