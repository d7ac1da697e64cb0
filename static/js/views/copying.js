// "Copy" beside a link that is shown; hidden where scripts or the clipboard are missing.

import { t } from "../words.js";

/** @param {ParentNode} within */
export function offerCopying(within) {
  if (navigator.clipboard === undefined) return;
  for (const button of within.querySelectorAll("[data-copy]")) {
    const value = button.parentElement?.querySelector("input")?.value;
    if (!(button instanceof HTMLButtonElement) || value === undefined) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(value);
      button.textContent = t("Copied");
    });
  }
}
