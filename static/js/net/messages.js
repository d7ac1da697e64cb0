// Messages of a room over HTTP: around one, before one, after one, some by their ids, the pinned ones; and names to complete.

/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("../state/context.js").Surroundings} Surroundings */
/** @typedef {{id: string, name: string, here: boolean}} Named */

const PAGE = 50;

/**
 * @param {string} room
 * @param {number} seq
 * @returns {Promise<Surroundings | null>} null when it could not be had now, here and below
 */
export function fetchAround(room, seq) {
  return ask(room, `messages?around=${seq}&limit=${PAGE}`);
}

/**
 * The messages before `seq`, oldest first, and whether there are still older ones.
 * @param {string} room
 * @param {number} seq
 * @returns {Promise<{messages: Message[], more: boolean} | null>}
 */
export function fetchOlder(room, seq) {
  return ask(room, `messages?before=${seq}&limit=${PAGE}`);
}

/**
 * @param {string} room
 * @param {number} seq
 * @returns {Promise<Surroundings | null>}
 */
export function fetchLater(room, seq) {
  return ask(room, `messages?after=${seq}&limit=${PAGE}`);
}

/**
 * @param {string} room
 * @param {string[]} ids
 * @returns {Promise<Message[] | null>}
 */
export async function fetchSome(room, ids) {
  return (await ask(room, `messages?ids=${ids.map(encodeURIComponent).join(",")}`))?.messages ?? null;
}

/**
 * @param {string} room
 * @returns {Promise<Message[] | null>} the latest pin first
 */
export async function fetchPins(room) {
  return (await ask(room, "pins"))?.messages ?? null;
}

/**
 * @param {string} room
 * @param {string} query
 * @param {AbortSignal} signal
 * @returns {Promise<Named[] | null>}
 */
export async function fetchNames(room, query, signal) {
  return (await ask(room, `names?q=${encodeURIComponent(query)}`, signal))?.names ?? null;
}

/**
 * @param {string} room
 * @param {string} what
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
async function ask(room, what, signal) {
  try {
    const response = await fetch(`/rooms/${encodeURIComponent(room)}/${what}`, { headers: { Accept: "application/json" }, ...(signal && { signal }) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
