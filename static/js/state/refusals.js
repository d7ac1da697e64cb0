// Why something was refused, in the reader's language. The server's sentences are English, its codes are stable.

import { speaksEnglish, t } from "../words.js";

/**
 * @param {{code: string, message: string}} refusal as the server or the sender gave it
 * @returns {string}
 */
export function refusalText({ code, message }) {
  if (speaksEnglish()) return message;
  const limit = /\d+/.exec(message)?.[0];
  if (code === "too_large" && limit !== undefined) return tooLarge(message, Number(limit));
  return sentences()[message] ?? reasons()[code] ?? message;
}

/**
 * @param {string} message
 * @param {number} limit
 */
function tooLarge(message, limit) {
  if (message.includes("emoji")) return t("At most %(limit)s different emoji on a message.", { limit });
  if (message.includes("pinned")) return t("At most %(limit)s messages are pinned. Unpin one first.", { limit });
  return t("Message must be %(limit)s characters or less.", { limit });
}

/** The server's own sentences where a code has several. @returns {Record<string, string>} */
function sentences() {
  return {
    "This message is too large to be sent.": t("This message is too large to be sent."),
    "Only its author can edit a message.": t("Only its author can edit a message."),
    "Messages can be edited for 24 hours.": t("Messages can be edited for 24 hours."),
    "You can delete only your own messages.": t("You can delete only your own messages."),
    "You cannot delete a message of somebody with a higher role.": t("You cannot delete a message of somebody with a higher role."),
    "There is no such message to answer.": t("There is no such message to answer."),
    "A reaction is exactly one emoji.": t("A reaction is exactly one emoji."),
    "Only moderators write here.": t("Only moderators write here."),
    "Only moderators pin messages in this room.": t("Only moderators pin messages in this room."),
    "This room is archived.": t("This room is archived."),
    "There is no such message.": t("There is no such message."),
    "There is no such room.": t("There is no such room."),
  };
}

/** Any other sentence of a code. @returns {Record<string, string>} */
function reasons() {
  return {
    bad_request: t("The server could not read this request."),
    busy: t("The server is busy. Send it again."),
    empty: t("Message text is required."),
    forbidden: t("You may not do that."),
    muted: t("You may not do that."),
    not_found: t("There is no such thing here."),
    rate_limited: t("Too many messages. Wait a moment."),
  };
}
