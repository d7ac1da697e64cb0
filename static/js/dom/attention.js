// Whether somebody looks at the page, and when the network is back.

/** @returns {boolean} */
export function isAttended() {
  return document.visibilityState === "visible" && document.hasFocus();
}

/**
 * @param {object} calls
 * @param {() => void} calls.onOnline
 * @param {() => void} calls.onChange the page came to or lost the attention
 * @param {() => void} calls.onWake the page became visible
 */
export function watchAttention({ onOnline, onChange, onWake }) {
  window.addEventListener("online", onOnline);
  window.addEventListener("focus", onChange);
  window.addEventListener("blur", onChange);
  document.addEventListener("visibilitychange", () => (document.visibilityState === "visible" ? onWake() : onChange()));
}
