// What calls somebody who looks elsewhere: when a room is worth a notification, and what was missed in all of them.

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

/** @typedef {{messages: number, mentions: number, rooms: Room[]}} Missed the rooms that call most first */

/**
 * What is unread elsewhere; null when it is nothing, or nothing that counts.
 * @param {readonly Room[]} rooms
 * @param {Room} current
 * @returns {Missed | null}
 */
export function missedIn(rooms, current) {
  const others = rooms.filter((room) => room !== current && room.badge.count > 0);
  if (others.length === 0) return null;
  const sum = (/** @type {"count" | "mentions"} */ name) => others.reduce((total, room) => total + room.badge[name], 0);
  const sorted = [...others].sort((a, b) => b.badge.mentions - a.badge.mentions || b.badge.count - a.badge.count);
  return { messages: sum("count"), mentions: sum("mentions"), rooms: sorted };
}
