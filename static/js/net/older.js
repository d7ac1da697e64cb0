// Pages of a room's past, over HTTP.

/** @typedef {import("./frames.js").Message} Message */

const PAGE = 50;

/**
 * The messages before `seq`, oldest first, and whether there are still older ones.
 * @param {string} room
 * @param {number} seq
 * @returns {Promise<{messages: Message[], more: boolean} | null>} null when it could not be had now
 */
export async function fetchOlder(room, seq) {
  try {
    const response = await fetch(`/rooms/${encodeURIComponent(room)}/messages?before=${seq}&limit=${PAGE}`, {
      headers: { Accept: "application/json" },
    });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
