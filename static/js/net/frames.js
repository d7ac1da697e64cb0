// The frames of the contract, as types, and how one is read.

/** @typedef {{id: string, seq: number, from: string, userId: string}} ReplyTo */
/** @typedef {{emoji: string, count: number, users: {id: string, name: string}[], own?: boolean}} Reaction the first 20 users; own: beyond them */
/** @typedef {{kind: string, value: string}} Notice */
/**
 * @typedef {{id: string, room: string, seq: number, from: string, userId: string, text?: string, html?: string, sentAt: string, nonce?: string,
 *   editedAt?: string, deletedAt?: string, notice?: Notice, replyTo?: ReplyTo, mentions?: string[], here?: boolean, pinnedAt?: string,
 *   reactions?: Reaction[]}} Message
 */
/** @typedef {{maxMessageLength: number, rateLimit: number, rateWindowSeconds: number, heartbeatSeconds: number}} Limits */

/** @typedef {{type: "system", message: string, clientId: string, user: {id: string, name: string, role: string}, limits: Limits}} SystemFrame */
/** @typedef {{type: "history", room: string, epoch: string, mode: "latest" | "resumed" | "reset", messages: Message[], seq: number, more: boolean}} HistoryFrame */
/**
 * @typedef {{type: "message" | "edited" | "deleted" | "reacted" | "pinned", room: string, seq: number, message: Message,
 *   userId?: string, emoji?: string, remove?: boolean}} ChangeFrame of a reaction also whose it was
 */
/** @typedef {{type: "ack", nonce: string, room: string, id: string, seq: number}} AckFrame */
/** @typedef {{type: "presence", room: string, online: number, users?: string[], joined?: string[], left?: string[], partial?: boolean}} PresenceFrame */
/** @typedef {{type: "typing", room: string, users: string[]}} TypingFrame */
/** @typedef {{type: "unread", room: string, count: number, mentions: number}} UnreadFrame */
/** @typedef {{type: "read", room: string, seq: number}} ReadFrame */
/**
 * @typedef {{type: "room", room: string, title: string, kind: "public" | "private" | "direct", topic: string, archived: boolean,
 *   posting: "everyone" | "moderators", may: string[], notify: "all" | "mentions" | "nothing",
 *   members?: {id: string, name: string, manager: boolean}[]}} RoomFrame
 */
/** @typedef {{type: "removed", room: string}} RemovedFrame */
/** @typedef {{type: "heartbeat", heads: Record<string, number>}} HeartbeatFrame */
/** @typedef {{type: "error", code: string, message: string, nonce?: string, room?: string, retryAfter?: number}} ErrorFrame */
/** @typedef {SystemFrame | HistoryFrame | ChangeFrame | AckFrame | PresenceFrame | TypingFrame | UnreadFrame | ReadFrame | RoomFrame | RemovedFrame | HeartbeatFrame | ErrorFrame} Frame */

/**
 * The frame in `data`, or null when it is none: a newer server may say what this page does not know.
 * @param {unknown} data
 * @returns {Frame | null}
 */
export function readFrame(data) {
  if (typeof data !== "string") return null;
  try {
    const frame = JSON.parse(data);
    return typeof frame?.type === "string" ? frame : null;
  } catch {
    return null;
  }
}

/**
 * Whether a frame changes a room's log: today's kinds and every later one have a room, a seq and a message.
 * @param {Frame} frame
 * @returns {frame is ChangeFrame}
 */
export function isChange(frame) {
  return "message" in frame && typeof frame.message === "object" && "seq" in frame && "room" in frame;
}
