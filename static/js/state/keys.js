// Which keys do what, everywhere on a room's page. What a field or a list does with its own keys stands there.

/** @typedef {"switch" | "search" | "next" | "previous" | "help" | "close"} Action */
/** @typedef {Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey" | "isComposing">} Keys */

/**
 * @param {Keys} event
 * @param {boolean} typing whether the key would write something where the focus is
 * @returns {Action | null}
 */
export function actionOf({ key, ctrlKey, metaKey, altKey, shiftKey, isComposing }, typing) {
  if (isComposing) return null;
  const command = ctrlKey || metaKey;
  if (command && !altKey && !shiftKey && key.toLowerCase() === "k") return "switch";
  if (command && shiftKey && !altKey && key.toLowerCase() === "f") return "search";
  if (altKey && !command && !shiftKey && key === "ArrowDown") return "next";
  if (altKey && !command && !shiftKey && key === "ArrowUp") return "previous";
  if (command || altKey) return null;
  if (key === "Escape") return "close";
  return key === "?" && !typing ? "help" : null;
}
