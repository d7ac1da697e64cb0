// What this account may do with a message, to offer only that; the server decides.

const EDIT_MS = 24 * 3_600_000;

/** @typedef {{edit: boolean, delete: boolean, react: boolean, pin: boolean, reply: boolean}} Allowed */

/**
 * @param {import("../net/frames.js").Message} message
 * @param {{id: string}} me
 * @param {number} now milliseconds
 * @param {import("./standing.js").Standing} standing in its room
 * @returns {Allowed}
 */
export function allowedOn(message, me, now, standing) {
  const own = message.userId === me.id;
  const there = !message.deletedAt && message.notice === undefined;
  return {
    edit: there && own && standing.may("edit") && now - Date.parse(message.sentAt) < EDIT_MS,
    delete: there && (own || standing.may("moderate")),
    react: there && standing.may("react"),
    pin: there && standing.may("pin"),
    reply: there && standing.may("post"),
  };
}
