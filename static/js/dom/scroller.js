// Keeps the view where the reader has it: at the end while they are there, else on the message they look at.

const NEAR_END_PX = 100;
const NEAR_START_PX = 600; // and from where on what comes after a part of the past is fetched

export class Scroller {
  #box;
  #content;
  #atEnd = true;
  #top = 0;
  #loose = false;
  #onMove;
  #resized = new ResizeObserver(() => this.#settle());

  /**
   * @param {HTMLElement} box what scrolls
   * @param {HTMLElement} content the list in it
   * @param {(atEnd: boolean, nearStart: boolean, nearEnd: boolean) => void} onMove
   */
  constructor(box, content, onMove) {
    this.#box = box;
    this.#content = content;
    this.#onMove = onMove;
  }

  connect() {
    this.#box.addEventListener("scroll", this.#scrolled, { passive: true });
    this.#resized.observe(this.#box);
    this.#resized.observe(this.#content);
  }

  disconnect() {
    this.#box.removeEventListener("scroll", this.#scrolled);
    this.#resized.disconnect();
  }

  get atEnd() {
    return this.#atEnd;
  }

  /** @param {boolean} loose not at the end of the room, however far down: more lies behind what is shown */
  set loose(loose) {
    this.#loose = loose;
    if (loose) this.#atEnd = false;
  }

  toEnd() {
    this.#atEnd = true;
    this.#settle();
  }

  /** @param {HTMLElement} element comes a third down from the top, unless it is in view */
  reveal(element) {
    const offset = element.getBoundingClientRect().top - this.#box.getBoundingClientRect().top;
    if (offset >= 0) return;
    this.#box.scrollTop += offset - this.#box.clientHeight / 3;
    this.#scrolled();
  }

  /** @param {HTMLElement} element comes a third down from the top, wherever it is */
  goTo(element) {
    this.#top = Infinity; // wherever this leads, it is decided anew whether that is the end
    this.#box.scrollTop += element.getBoundingClientRect().top - this.#box.getBoundingClientRect().top - this.#box.clientHeight / 3;
    this.#scrolled();
  }

  /**
   * Changes the content without moving what is looked at.
   * @param {() => void} change
   */
  hold(change) {
    if (this.#atEnd) {
      change();
      return this.#settle();
    }
    const anchor = this.#firstVisible();
    const before = anchor?.getBoundingClientRect().top ?? 0;
    change();
    if (anchor?.isConnected) this.#box.scrollTop += anchor.getBoundingClientRect().top - before;
    this.#scrolled();
  }

  #settle() {
    if (this.#atEnd) this.#box.scrollTop = this.#box.scrollHeight;
    this.#top = this.#box.scrollTop;
    this.#tell();
  }

  #scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    const near = !this.#loose && scrollHeight - scrollTop - clientHeight <= NEAR_END_PX;
    // Only going up leaves the end: a view that shrank, or content that grew, is settled by the observer.
    if (near || scrollTop < this.#top) this.#atEnd = near;
    this.#top = scrollTop;
    this.#tell();
  };

  #tell() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    this.#onMove(this.#atEnd, scrollTop < NEAR_START_PX, scrollHeight - scrollTop - clientHeight < NEAR_START_PX);
  }

  #firstVisible() {
    const top = this.#box.getBoundingClientRect().top;
    const rows = this.#content.querySelectorAll("[data-state]"); // lines between messages come and go
    return [...rows].find((row) => row.getBoundingClientRect().bottom > top);
  }
}
