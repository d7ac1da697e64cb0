// Elements that must be there: found with their type, or a clear error at the start.

/**
 * @template {HTMLElement} Kind
 * @param {string} selector
 * @param {new () => Kind} kind
 * @param {ParentNode} within
 * @returns {Kind}
 */
export function find(selector, kind, within = document) {
  const element = within.querySelector(selector);
  if (!(element instanceof kind)) throw new Error(`${selector} is missing`);
  return element;
}

/**
 * A fresh copy of the one element in a <template>.
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function stamp(selector) {
  const { content } = find(selector, HTMLTemplateElement);
  const element = content.firstElementChild?.cloneNode(true);
  if (!(element instanceof HTMLElement)) throw new Error(`${selector} is empty`);
  return element;
}
