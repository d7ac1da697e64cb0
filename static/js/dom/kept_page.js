// Keeps this room's page in the browser for when there is no network. The service worker (static/worker.js) keeps every
// room page that is loaded; it has to be asked where a room was entered without that, and for a newer copy.

const PAUSE_MS = 60_000; // a page is not asked for more often only because it was looked away from

export class KeptPage {
  #path;
  #lastPath = location.pathname;
  #lastAt = -Infinity;

  /** @param {() => string} path of the room that is shown */
  constructor(path) {
    this.#path = path;
  }

  connect() {
    if (!("serviceWorker" in navigator)) return; // plain http, a private window
    navigator.serviceWorker.addEventListener("controllerchange", this.#taken);
    document.addEventListener("visibilitychange", this.#hidden);
    navigator.serviceWorker.register("/sw.js").catch(() => {}); // then there is no page without a network
    // A page that was on its way while the worker took over the others came past it, and belongs to nobody or already to it.
    const [way] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
    if (navigator.serviceWorker.controller !== null && way?.workerStart === 0) this.#keep();
    void navigator.serviceWorker.ready.then(({ active }) => {
      if (navigator.serviceWorker.controller === null) active?.postMessage({ claim: true });
    });
  }

  disconnect() {
    if (!("serviceWorker" in navigator)) return;
    navigator.serviceWorker.removeEventListener("controllerchange", this.#taken);
    document.removeEventListener("visibilitychange", this.#hidden);
  }

  /** A room is shown, entered without loading its page. */
  entered() {
    if (this.#path() !== this.#lastPath) this.#keep();
  }

  /**
   * A room is not open to this account any more: the worker asks for its page, is told so, and keeps it no longer.
   * @param {string} path
   */
  gone(path) {
    navigator.serviceWorker?.controller?.postMessage({ keep: path });
  }

  #taken = () => this.#keep();

  #hidden = () => {
    if (document.visibilityState === "hidden" && Date.now() - this.#lastAt >= PAUSE_MS) this.#keep();
  };

  #keep() {
    this.#lastPath = this.#path();
    this.#lastAt = Date.now();
    navigator.serviceWorker?.controller?.postMessage({ keep: this.#lastPath });
  }
}
