// The side columns of narrow screens. Without scripts they open by their fragment; here without touching the address.

export class Drawers {
  /** @type {HTMLElement | null} */
  #opener = null;

  connect() {
    document.addEventListener("click", this.#clicked);
  }

  disconnect() {
    document.removeEventListener("click", this.#clicked);
  }

  /** @returns {boolean} whether one was open */
  close = () => {
    const open = document.querySelectorAll(".drawer--open");
    for (const drawer of open) drawer.classList.remove("drawer--open");
    if (open.length > 0) this.#opener?.focus();
    return open.length > 0;
  };

  /** @param {MouseEvent} event */
  #clicked = (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const opener = target?.closest("[data-drawer]");
    if (opener instanceof HTMLElement) {
      event.preventDefault();
      this.#opener = opener;
      const drawer = document.getElementById(opener.dataset.drawer ?? "");
      drawer?.classList.add("drawer--open");
      const first = drawer?.querySelector(".drawer__close");
      if (first instanceof HTMLElement) first.focus({ preventScroll: true });
    } else if (target?.closest("[data-drawer-close]")) {
      event.preventDefault();
      this.close();
    }
  };
}
