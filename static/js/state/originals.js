// What the messages of a room answer, as far as the page does not hold it: fetched together, and followed from then on.
// Composed by Room; the view asks for what it shows.

/** @typedef {import("../net/frames.js").Message} Message */

const TOGETHER = 100;

export class Originals {
  /** @type {Map<string, Message>} */
  #known = new Map();
  /** Asked for and not answered yet. @type {Set<string>} */
  #wanted = new Set();
  #asking = false;

  /** @param {string} id */
  get(id) {
    return this.#known.get(id);
  }

  /** @param {string} id of a message that is shown nowhere */
  want(id) {
    if (!this.#known.has(id)) this.#wanted.add(id);
  }

  /**
   * Of the messages that were asked for, those that changed.
   * @param {Message[]} messages
   */
  follow(messages) {
    for (const message of messages) if (this.#known.has(message.id)) this.#known.set(message.id, message);
  }

  /** Too much was missed to follow: all of it has to be asked for again. */
  forget() {
    this.#known.clear();
  }

  /**
   * Brings what is wanted, once what else is wanted in this turn is known; what cannot be had stays wanted.
   * @param {(ids: string[]) => Promise<Message[] | null>} fetchSome
   * @returns {Promise<Message[]>} what came
   */
  async bring(fetchSome) {
    if (this.#asking || this.#wanted.size === 0) return [];
    this.#asking = true;
    await Promise.resolve();
    const came = [];
    for (let ids = this.#next(); ids.length > 0; ids = this.#next()) {
      const found = await fetchSome(ids);
      if (found === null) break;
      for (const id of ids) this.#wanted.delete(id);
      for (const message of found) this.#known.set(message.id, message);
      came.push(...found);
    }
    this.#asking = false;
    return came;
  }

  #next() {
    return [...this.#wanted].slice(0, TOGETHER);
  }
}
