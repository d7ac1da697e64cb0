// A page over HTTP and the line race each other: what changed while the page was on its way is put into it.

/** @typedef {import("../net/frames.js").Message} Message */

/**
 * @template {{messages: Message[]}} Page
 * @param {import("./chat.js").Chat} chat
 * @param {() => Promise<Page | null>} fetchPage of the current room
 * @returns {Promise<Page | null>}
 */
export async function withChanges(chat, fetchPage) {
  /** @type {Map<string, Message>} */
  const changed = new Map();
  const end = chat.on("changed", ({ messages }) => {
    for (const message of messages) changed.set(message.id, message);
  });
  const page = await fetchPage();
  end();
  return page === null ? null : { ...page, messages: page.messages.map((message) => changed.get(message.id) ?? message) };
}
