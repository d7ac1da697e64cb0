// The emoji under a message: one's own are pressed, who put them there is in the title and read out, a click puts or takes one.

import { find } from "../dom/find.js";
import { number, t } from "../words.js";

/** @typedef {import("../net/frames.js").Reaction} Reaction */

/**
 * Puts the chips in order, those that stay as the elements they are: one of them may have the focus.
 * @param {HTMLElement} row
 * @param {Reaction[]} reactions
 * @param {{id: string}} me
 */
export function fillReactions(row, reactions, me) {
  const old = row.querySelector(".message__reactions");
  const begun = old?.querySelector("[data-action='react']") != null; // the server's has no buttons
  const focused = old?.contains(document.activeElement) === true;
  if (reactions.length === 0) {
    old?.remove();
    if (focused) row.focus({ preventScroll: true });
    return;
  }
  if (!begun) old?.remove();
  const list = old instanceof HTMLElement && begun ? old : newList(row);
  const chips = new Map([...list.querySelectorAll("[data-emoji]")].map((chip) => [/** @type {HTMLElement} */ (chip).dataset.emoji, chip]));
  const add = find("[data-action='react']", HTMLElement, list).parentElement;
  reactions.forEach((reaction, index) => {
    const known = chips.get(reaction.emoji);
    const chip = /** @type {HTMLElement} */ (known ?? newChip(reaction.emoji));
    chips.delete(reaction.emoji);
    if (list.children[index] !== chip) list.insertBefore(chip, list.children[index] ?? add);
    fillChip(chip, reaction, me);
  });
  for (const gone of chips.values()) gone.remove();
  if (focused && !list.contains(document.activeElement)) row.focus({ preventScroll: true });
}

/**
 * What the chips of a server-rendered row say.
 * @param {HTMLElement} row
 * @returns {Reaction[]}
 */
export function readReactions(row) {
  const chips = /** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll(".reaction[data-users]"));
  return [...chips].map(({ dataset, classList }) => ({
    emoji: dataset.emoji ?? "",
    count: Number(dataset.count),
    users: JSON.parse(dataset.users ?? "[]"),
    own: classList.contains("reaction--own"),
  }));
}

/** @param {HTMLElement} row */
function newList(row) {
  const list = document.createElement("ul");
  list.className = "message__reactions";
  list.ariaLabel = t("Reactions");
  const item = document.createElement("li");
  item.className = "reaction";
  const add = document.createElement("button");
  add.classList.add("reaction__face", "reaction__add");
  add.type = "button";
  add.tabIndex = -1;
  add.dataset.action = "react";
  add.ariaLabel = t("Add reaction");
  add.title = add.ariaLabel;
  add.textContent = "+";
  item.append(add);
  list.append(item);
  find("[data-action='menu']", HTMLElement, row).before(list);
  return list;
}

/** @param {string} emoji */
function newChip(emoji) {
  const chip = document.createElement("li");
  chip.className = "reaction";
  chip.dataset.emoji = emoji;
  const face = document.createElement("button");
  face.className = "reaction__face";
  face.type = "button";
  face.tabIndex = -1;
  face.dataset.action = "toggle-reaction";
  const count = document.createElement("span");
  count.className = "reaction__count";
  const names = document.createElement("span");
  names.className = "visually-hidden";
  face.append(`${emoji} `, count, names);
  chip.append(face);
  return chip;
}

/**
 * @param {HTMLElement} chip
 * @param {Reaction} reaction
 * @param {{id: string}} me
 */
function fillChip(chip, { count, users, own: known }, me) {
  const own = known === true || users.some(({ id }) => id === me.id);
  const others = count - users.length;
  const names = users.map(({ name }) => name).join(", ") + (others > 0 ? ` +${number(others)}` : "");
  const face = find("button", HTMLButtonElement, chip);
  chip.classList.toggle("reaction--own", own);
  face.ariaPressed = String(own);
  face.title = names;
  find(".reaction__count", HTMLElement, chip).textContent = number(count);
  find(".visually-hidden", HTMLElement, chip).textContent = ` ${names}`;
}
