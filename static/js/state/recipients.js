// Whom a new message is for: chosen one by one, nobody twice, not oneself.

/** @typedef {{id: string, name: string, here?: boolean}} Person */

export const RECIPIENTS_LIMIT = 8;

export class Recipients {
  #me;
  /** @type {Person[]} */
  #chosen = [];

  /** @param {string} me this account's id */
  constructor(me) {
    this.#me = me;
  }

  get chosen() {
    return this.#chosen;
  }

  get full() {
    return this.#chosen.length >= RECIPIENTS_LIMIT;
  }

  /** As the form wants them: no name has a comma. */
  get names() {
    return this.#chosen.map(({ name }) => name).join(", ");
  }

  /**
   * Who of these may still be chosen.
   * @param {Person[]} people
   */
  left(people) {
    return people.filter(({ id }) => id !== this.#me && !this.#chosen.some((one) => one.id === id));
  }

  /**
   * @param {Person} person
   * @returns {boolean} false: there is no room, or they are in already
   */
  add(person) {
    if (this.full || this.left([person]).length === 0) return false;
    this.#chosen.push(person);
    return true;
  }

  /** @param {string} id */
  remove(id) {
    this.#chosen = this.#chosen.filter((one) => one.id !== id);
  }

  removeLast() {
    return this.#chosen.pop();
  }

  clear() {
    this.#chosen = [];
  }
}
