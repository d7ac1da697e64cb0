// A clock turned by hand, a store in memory and a socket that is a script.

export class FakeClock {
  #now = 1_000_000;
  #timers = new Map();
  #last = 0;

  now = () => this.#now;

  after = (callback, milliseconds) => {
    this.#last += 1;
    this.#timers.set(this.#last, { at: this.#now + Math.max(0, milliseconds), callback });
    return this.#last;
  };

  cancel = (timer) => this.#timers.delete(timer);

  get timers() {
    return this.#timers.size;
  }

  /** Runs what is due, in order; promises settle between. */
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
  #items = new Map();

  get length() {
    return this.#items.size;
  }

  key(index) {
    return [...this.#items.keys()][index] ?? null;
  }

  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  setItem(key, value) {
    this.#items.set(key, value);
  }

  removeItem(key) {
    this.#items.delete(key);
  }
}

export class FakeSocket {
  readyState = 0;
  bufferedAmount = 0;
  sent = [];
  closed = null;

  constructor(address) {
    this.address = address;
  }

  send(data) {
    this.sent.push(JSON.parse(data));
  }

  close(code) {
    this.closed = code;
    this.readyState = 3;
  }

  accept() {
    this.readyState = 1;
    this.onopen?.({});
  }

  say(frame) {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  end(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /** What was sent of one type. */
  of(type) {
    return this.sent.filter((event) => event.type === type);
  }
}
