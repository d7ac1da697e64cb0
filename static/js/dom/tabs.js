// What the tabs of one account know of each other, by the browser's locks: which rooms are in view, and which tab speaks.
// Where there are no locks (plain http) there are no notifications either.

export class Tabs {
  #prefix;
  /** @type {(() => void) | null} */
  #endShown = null;
  #shown = "";
  /** @type {AbortController | null} */
  #candidacy = null;
  #leads = false;

  /** @param {string} account */
  constructor(account) {
    this.#prefix = `roomlog:${account}:`;
  }

  /** Whether this tab speaks for all of them. */
  get leads() {
    return this.#leads;
  }

  /** @param {string} slug what this tab has in view; "": nothing */
  show(slug) {
    if (slug === this.#shown || navigator.locks === undefined) return;
    this.#shown = slug;
    this.#endShown?.();
    this.#endShown = null;
    if (slug === "") return;
    const held = new Promise((resolve) => (this.#endShown = () => resolve(null)));
    void navigator.locks.request(`${this.#prefix}shown:${slug}`, { mode: "shared" }, () => held);
  }

  /**
   * Whether any tab has the room in view.
   * @param {string} slug
   */
  async isShown(slug) {
    const { held = [] } = (await navigator.locks?.query()) ?? {};
    return held.some(({ name }) => name === `${this.#prefix}shown:${slug}`);
  }

  /** Its line is there: it speaks as soon as no other tab does. */
  stand() {
    if (this.#candidacy !== null || navigator.locks === undefined) return;
    const candidacy = new AbortController();
    this.#candidacy = candidacy;
    const lead = () => {
      this.#leads = true;
      return new Promise((resolve) => candidacy.signal.addEventListener("abort", resolve));
    };
    navigator.locks.request(`${this.#prefix}leader`, { signal: candidacy.signal }, lead).catch(() => {}); // given up while waiting
  }

  /** Its line is gone: another one speaks. */
  resign() {
    this.#leads = false;
    this.#candidacy?.abort();
    this.#candidacy = null;
  }
}
