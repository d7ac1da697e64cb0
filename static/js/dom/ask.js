// A question in a <dialog>: true when it was answered with its "confirm" button.

import { find } from "./find.js";

/**
 * @param {string} selector
 * @returns {Promise<boolean>}
 */
export function ask(selector) {
  const dialog = find(selector, HTMLDialogElement);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "confirm"), { once: true });
  });
}
