// Where a popover stands: below the element it belongs to, or above where there is no room.

const GAP_PX = 4;
const EDGE_PX = 8;

/**
 * @param {HTMLElement} popover open
 * @param {HTMLElement} beside
 */
export function standBy(popover, beside) {
  const at = beside.getBoundingClientRect();
  const { width, height } = popover.getBoundingClientRect();
  const below = at.bottom + height + EDGE_PX < window.innerHeight;
  popover.style.top = `${below ? at.bottom + GAP_PX : Math.max(EDGE_PX, at.top - height - GAP_PX)}px`;
  popover.style.left = `${Math.max(EDGE_PX, Math.min(at.right - width, window.innerWidth - width - EDGE_PX))}px`;
}
