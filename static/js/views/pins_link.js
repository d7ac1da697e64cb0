// The way to what is pinned: a dialog that is loaded when it is wanted. Without scripts the same address is a page.

import { find } from "../dom/find.js";
import { late } from "../dom/late.js";

export class PinsLink {
  #link = find("#pins-link", HTMLAnchorElement);
  #dialog = find("#pins", HTMLDialogElement);
  #pins;

  /** @param {ConstructorParameters<typeof import("./pins.js").Pins>[0]} calls */
  constructor(calls) {
    this.#pins = late(async () => {
      const { Pins } = await import("./pins.js");
      const pins = new Pins(calls);
      pins.connect();
      return pins;
    });
  }

  connect() {
    this.#link.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.#link.removeEventListener("click", this.#clicked);
  }

  /** @param {string} slug the room that is shown now */
  enter(slug) {
    this.#link.href = `/rooms/${slug}/pins`;
  }

  /** Messages changed: an open list may be another now. */
  refresh() {
    if (this.#dialog.open) void this.#pins().then((pins) => pins.refresh());
  }

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    void this.#pins().then(
      (pins) => pins.open(),
      () => location.assign(this.#link.href),
    );
  };
}
