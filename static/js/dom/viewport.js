// A virtual keyboard that lies over the page instead of shrinking it (Safari): the page becomes as high as what is seen.

const KEYBOARD_PX = 100; // less is a toolbar that comes and goes

export class VisibleHeight {
  connect() {
    window.visualViewport?.addEventListener("resize", this.#resized);
  }

  disconnect() {
    window.visualViewport?.removeEventListener("resize", this.#resized);
  }

  #resized = () => {
    const seen = window.visualViewport;
    const { style } = document.documentElement;
    const covered = seen !== null && seen.scale === 1 && window.innerHeight - seen.height > KEYBOARD_PX;
    if (covered) style.setProperty("--visible-height", `${seen.height}px`);
    else style.removeProperty("--visible-height");
    if (covered) window.scrollTo(0, 0); // the browser pushed the page up to show the field, which is in view now
  };
}
