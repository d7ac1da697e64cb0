// The beginning of a message on one line, for a quote and for a list.

import { t } from "../words.js";
import { noticeText } from "./notices.js";

const LIMIT = 120; // as the server's pages (web/message_rows.py)

/** @param {import("../net/frames.js").Message} message */
export function excerptOf(message) {
  if (message.deletedAt) return t("This message was deleted.");
  const line = (message.notice ? noticeText(message) : (message.text ?? "")).split(/\s+/u).filter((word) => word !== "").join(" ");
  const letters = [...line];
  return letters.length <= LIMIT ? line : `${letters.slice(0, LIMIT - 1).join("").trimEnd()}…`;
}
