// Why a socket never opened: a browser is not told the status of a refused handshake, so two plain requests ask.

/** @typedef {{kind: "signed-out"} | {kind: "wait", milliseconds: number} | {kind: "gone"} | {kind: "unknown"}} Reason */

const DEFAULT_WAIT_SECONDS = 10;

/**
 * @param {(path: string) => Promise<{status: number, headers: {get(name: string): string | null}}>} get
 * @param {string} room
 * @returns {Promise<Reason>}
 */
export async function askReason(get, room) {
  try {
    const session = await get("/session");
    if (session.status === 401) return { kind: "signed-out" };
    if (session.status === 429) {
      const seconds = Number(session.headers.get("Retry-After")) || DEFAULT_WAIT_SECONDS;
      return { kind: "wait", milliseconds: seconds * 1000 };
    }
    if (session.status !== 200) return { kind: "unknown" };
    const messages = await get(`/rooms/${encodeURIComponent(room)}/messages?limit=1`);
    return { kind: messages.status === 404 ? "gone" : "unknown" };
  } catch {
    return { kind: "unknown" }; // no network: the next try will tell
  }
}
