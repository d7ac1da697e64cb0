// Rooms to choose from: those that match what is typed, and the next one with something unread.

/** @typedef {{slug: string, title: string, kind: import("./facts.js").Kind, count: number, mentions: number, quiet: boolean, current: boolean}} Choice */

/**
 * Rooms in which every typed word stands somewhere, in the title or the address; best first, unread before read.
 * @param {readonly Choice[]} rooms in the order of the list
 * @param {string} typed
 * @returns {Choice[]}
 */
export function findRooms(rooms, typed) {
  const words = fold(typed).split(/\s+/).filter((word) => word !== "");
  return rooms
    .map((room, index) => ({ room, index, rank: rankOf(room, words) }))
    .filter(({ rank }) => rank >= 0)
    .sort((a, b) => urgency(b.room) - urgency(a.room) || b.rank - a.rank || a.index - b.index)
    .map(({ room }) => room);
}

/**
 * The room to go to from the current one: the next unread one in that direction, round and round; where none is, the
 * next room.
 * @param {readonly Choice[]} rooms in the order of the list
 * @param {1 | -1} step
 * @returns {Choice | undefined}
 */
export function nextRoom(rooms, step) {
  const start = rooms.findIndex((room) => room.current);
  const round = rooms.map((_, index) => /** @type {Choice} */ (rooms.at((start + step * (index + 1)) % rooms.length)));
  const others = round.filter((room) => !room.current);
  return others.find((room) => room.count > 0) ?? others[0];
}

/** @param {Choice} room */
function urgency({ count, mentions, current }) {
  if (current) return -1; // one is there already
  return mentions > 0 ? 2 : count > 0 ? 1 : 0;
}

/**
 * @param {Choice} room
 * @param {string[]} words
 * @returns {number} -1: no match
 */
function rankOf({ slug, title }, words) {
  const name = fold(title);
  const all = `${name} ${fold(slug)}`;
  if (!words.every((word) => all.includes(word))) return -1;
  const first = words[0] ?? "";
  if (name.startsWith(first)) return 2;
  return words.every((word) => all.split(/[^\p{L}\p{N}]+/u).some((part) => part.startsWith(word))) ? 1 : 0;
}

/** @param {string} text without case and accents */
function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
