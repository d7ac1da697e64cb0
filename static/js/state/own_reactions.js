// Whether a reaction is one's own. A frame is the same for everybody and names the first 20 people of an emoji; beyond them
// it is known by what was known before and whose reaction a frame tells, else it is asked for (docs/adr/0016).
// Few messages need it: chat_view.js loads it when one does.

/** @typedef {import("../net/frames.js").Message} Message */
/** @typedef {import("../net/frames.js").Reaction} Reaction */
/** @typedef {import("./chat.js").Crowded} Crowded */
/** @typedef {import("./room.js").Room} Room */

const TOGETHER = 100;

export class OwnReactions {
  #me;
  #fetchSome;
  #onLearnt;
  /** What waits for an answer, by id: a message may have changed since it was asked for. @type {Map<string, Message[]>} */
  #asked = new Map();

  /**
   * @param {object} parts
   * @param {{id: string}} parts.me
   * @param {typeof import("../net/messages.js").fetchSome} parts.fetchSome
   * @param {(messages: Message[]) => void} parts.onLearnt more is known of them
   */
  constructor({ me, fetchSome, onLearnt }) {
    this.#me = me;
    this.#fetchSome = fetchSome;
    this.#onLearnt = onLearnt;
  }

  /** @param {Crowded} crowded in the order in which they came */
  async take({ room, messages, change, before }) {
    if (change !== undefined) for (const message of messages) this.#carry(message, change, before);
    this.#show(room, messages);
    const unsure = messages.filter(({ reactions }) => reactions?.some((one) => this.#isOwn(one) === undefined));
    const ids = unsure.map(({ id }) => id).filter((id) => !this.#asked.has(id));
    for (const message of unsure) this.#asked.set(message.id, [...(this.#asked.get(message.id) ?? []), message]);
    while (ids.length > 0) await this.#ask(room, ids.splice(0, TOGETHER));
  }

  /**
   * @param {Room} room
   * @param {string[]} ids
   */
  async #ask(room, ids) {
    const answers = await this.#fetchSome(room.slug, ids); // what cannot be had now is asked for with the next change
    const learnt = [];
    for (const id of ids) {
      const answer = answers?.find((one) => one.id === id);
      const messages = this.#asked.get(id) ?? [];
      this.#asked.delete(id);
      if (answer === undefined) continue;
      for (const message of messages) this.#learn(message, answer);
      learnt.push(...messages);
    }
    this.#show(room, learnt);
  }

  /**
   * Those that are still the state of what they are.
   * @param {Room} room
   * @param {Message[]} messages
   */
  #show(room, messages) {
    const still = messages.filter((message) => room.find(message.id) === message);
    if (still.length > 0) this.#onLearnt(still);
  }

  /**
   * What was known before, and what the frame itself tells.
   * @param {Message} message
   * @param {import("../net/frames.js").ChangeFrame} change
   * @param {Message | undefined} before
   */
  #carry(message, { type, userId, emoji, remove }, before) {
    if (type === "reacted" && userId === undefined) return; // it may have been one's own
    for (const reaction of message.reactions ?? []) {
      const known = before?.reactions?.find((one) => one.emoji === reaction.emoji);
      const own = userId === this.#me.id && emoji === reaction.emoji ? remove !== true : known && this.#isOwn(known);
      if (own !== undefined) reaction.own = own;
    }
  }

  /**
   * @param {Message} message
   * @param {Message} answer the same one, as the server tells it to this account
   */
  #learn(message, answer) {
    for (const reaction of message.reactions ?? []) {
      const told = answer.reactions?.find(({ emoji }) => emoji === reaction.emoji);
      if (this.#isOwn(reaction) === undefined) reaction.own = told !== undefined && this.#isOwn(told) === true;
    }
  }

  /**
   * @param {Reaction} reaction
   * @returns {boolean | undefined} undefined: not known
   */
  #isOwn({ users, count, own }) {
    if (users.some(({ id }) => id === this.#me.id)) return true;
    return users.length >= count ? false : own;
  }
}
