// What came while somebody was away, in one line.

/** @typedef {import("./room.js").Room} Room */
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
