// What this account may do with a message, to offer only that; the server decides.

const EDIT_MS = 24 * 3_600_000;
const MODERATING = new Set(["moderator", "admin", "owner"]);

/**
 * @param {import("../net/frames.js").Message} message
 * @param {{id: string, role: string}} me
 * @param {number} now milliseconds
 */
export function allowedOn(message, me, now) {
  const own = message.userId === me.id;
  const standing = !message.deletedAt;
  return {
    edit: standing && own && now - Date.parse(message.sentAt) < EDIT_MS,
    delete: standing && (own || MODERATING.has(me.role)),
  };
}
