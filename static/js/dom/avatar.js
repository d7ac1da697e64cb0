// The letter and colour of a person, as templates/partials/avatar.html computes them.

const HUES = 12;

/**
 * @param {HTMLElement} avatar
 * @param {string} name
 */
export function fillAvatar(avatar, name) {
  const sum = new TextEncoder().encode(name).reduce((total, byte) => total + byte, 0);
  avatar.dataset.hue = String(sum % HUES);
  avatar.textContent = ([...name][0] ?? "").toUpperCase();
}
