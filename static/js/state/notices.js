// Lines that nobody wrote, which tell a change of the room, in the reader's language.

import { t } from "../words.js";

/** @param {import("../net/frames.js").Message} message with a notice; one of a kind to come is shown as the server says it */
export function noticeText({ notice, from, text = "" }) {
  const name = from;
  const value = notice?.value ?? "";
  switch (notice?.kind) {
    case "added":
      return t("%(name)s added %(value)s.", { name, value });
    case "removed":
      return t("%(name)s removed %(value)s.", { name, value });
    case "left":
      return t("%(name)s left.", { name });
    case "manager":
      return t("%(name)s made %(value)s a manager.", { name, value });
    case "title":
      return t("%(name)s renamed the room to %(value)s.", { name, value });
    case "topic":
      return value === "" ? t("%(name)s removed the topic.", { name }) : t("%(name)s set the topic: %(value)s", { name, value });
    case "archived":
      return t("%(name)s archived the room.", { name });
    case "restored":
      return t("%(name)s restored the room.", { name });
    case "posting":
      return value === "moderators" ? t("%(name)s lets only moderators write here.", { name }) : t("%(name)s lets everyone write here.", { name });
    default:
      return text;
  }
}
