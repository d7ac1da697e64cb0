// A clock turned by hand, a store in memory and a socket that is a script.

export class FakeClock {
  #now = 1_000_000;
  /** @type {Map<number, {at: number, callback: () => void}>} */
  #timers = new Map();
  #last = 0;

  now = () => this.#now;

  /** @type {import("../../static/js/net/clock.js").Clock["after"]} */
  after = (callback, milliseconds) => {
    this.#last += 1;
    this.#timers.set(this.#last, { at: this.#now + Math.max(0, milliseconds), callback });
    return this.#last;
  };

  /** @param {any} timer */
  cancel = (timer) => void this.#timers.delete(timer);

  get timers() {
    return this.#timers.size;
  }

  /**
   * Runs what is due, in order; promises settle between.
   * @param {number} milliseconds
   */
  async advance(milliseconds) {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].callback();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

export async function settle() {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

export class FakeStore {
  /** @type {Map<string, string>} */
  #items = new Map();

  get length() {
    return this.#items.size;
  }

  /** @param {number} index */
  key(index) {
    return [...this.#items.keys()][index] ?? null;
  }

  /** @param {string} key */
  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  setItem(key, value) {
    this.#items.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.#items.delete(key);
  }
}

export class FakeSocket {
  readyState = 0;
  bufferedAmount = 0;
  /** @type {any[]} */
  sent = [];
  /** @type {number | undefined | null} */
  closed = null;
  /** @type {((event: any) => any) | null} */
  onopen = null;
  /** @type {((event: any) => any) | null} */
  onmessage = null;
  /** @type {((event: any) => any) | null} */
  onclose = null;

  /** @param {string} address */
  constructor(address) {
    this.address = address;
  }

  /** @type {WebSocket["send"]} */
  send(data) {
    this.sent.push(JSON.parse(String(data)));
  }

  /** @type {WebSocket["close"]} */
  close(code) {
    this.closed = code;
    this.readyState = 3;
  }

  accept() {
    this.readyState = 1;
    this.onopen?.({});
  }

  /** @param {unknown} frame */
  say(frame) {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  end(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /**
   * What was sent of one type.
   * @param {string} type
   */
  of(type) {
    return this.sent.filter((event) => event.type === type);
  }
}
