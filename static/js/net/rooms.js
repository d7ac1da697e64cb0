// What is asked of the server about rooms, over HTTP.

/** @typedef {import("./frames.js").Message} Message */

const NEWEST = 20;

/** The page of rooms. */
export async function fetchRooms() {
  return (await fetch("/rooms")).text();
}

/**
 * The newest messages of a room, oldest first; none when they could not be had now.
 * @param {string} room
 * @returns {Promise<Message[]>}
 */
export async function fetchLatest(room) {
  const answer = await json(`/rooms/${encodeURIComponent(room)}/messages?limit=${NEWEST}`);
  return answer?.messages ?? [];
}

/**
 * Whose name begins so.
 * @param {string} query
 * @returns {Promise<{id: string, name: string, here: boolean}[]>}
 */
export async function fetchNames(query) {
  const answer = await json(`/names?q=${encodeURIComponent(query)}`);
  return answer?.names ?? [];
}

/**
 * Stores what of a room this account wants to be notified of; what it is now comes as a `room` frame.
 * @param {string} room
 * @param {string} notify
 * @returns {Promise<boolean>} false: it could not be stored
 */
export async function storeNotify(room, notify) {
  try {
    const body = new URLSearchParams({ notify });
    const response = await fetch(`/rooms/${encodeURIComponent(room)}/notify`, { method: "POST", body, redirect: "manual" });
    return response.type === "opaqueredirect"; // the form leads on when it was taken
  } catch {
    return false;
  }
}

/** @param {string} path */
async function json(path) {
  try {
    const response = await fetch(path, { headers: { Accept: "application/json" } });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
