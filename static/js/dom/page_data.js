// What the server tells the scripts: of a room, in the data attributes of its one element, and the page's texts.

/** @param {HTMLElement} chat */
export function readPage(chat) {
  const data = chat.dataset;
  return {
    room: { slug: data.room ?? "lobby", title: data.title ?? "" },
    facts: /** @type {import("../state/facts.js").Said} */ (JSON.parse(data.facts ?? "{}")),
    epoch: data.epoch ?? "",
    seq: Number(data.seq),
    readSeq: Number(data.readSeq),
    more: data.more === "true",
    /** Newer ones than those that are shown. */
    newer: data.newer === "true",
    /** The message whose surroundings are shown; null: there is none. */
    at: data.at === undefined ? null : Number(data.at),
    /** An older page is shown: reading without scripts. The chat starts from the newest messages instead. */
    paging: data.paging === "true" && data.at === undefined,
    may: (data.may ?? "").split(" "),
    archived: data.archived === "true",
    me: { id: data.userId ?? "", name: data.userName ?? "", role: data.userRole ?? "" },
    maxMessageLength: Number(data.maxMessageLength),
    heartbeatSeconds: Number(data.heartbeatSeconds),
  };
}

/**
 * The page's catalogue for scripts; none in English.
 * @returns {import("../words.js").Texts}
 */
export function readTexts() {
  return JSON.parse(document.querySelector("#texts")?.textContent ?? "{}");
}
