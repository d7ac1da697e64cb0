// Who is here, and who is typing.

import { fillAvatar } from "../dom/avatar.js";
import { find, stamp } from "../dom/find.js";
import { localeOfPage, number, t, tn } from "../words.js";

const NAMED = 3;

export class PeopleList {
  #list = find("#people-list", HTMLElement);
  #partial = find("#people-partial", HTMLElement);

  /** @param {{names: string[], online: number, partial: boolean}} people */
  show({ names, online, partial }) {
    this.#partial.hidden = !partial;
    for (const count of document.querySelectorAll("[data-online]")) count.textContent = number(online);
    const known = new Map([...this.#list.children].map((person) => [person.querySelector("bdi")?.textContent, person]));
    this.#list.replaceChildren(...names.map((name) => known.get(name) ?? newPerson(name)));
  }
}

export class TypingLine {
  #line = find("#typing", HTMLElement);
  #timer = 0;

  /** @param {{current(now: number): {names: string[], againInMs: number | null}}} typing */
  show(typing) {
    clearTimeout(this.#timer);
    const { names, againInMs } = typing.current(Date.now());
    this.#line.replaceChildren(...(names.length === 0 ? [] : sentence(names)));
    if (againInMs !== null) this.#timer = window.setTimeout(() => this.show(typing), againInMs + 20);
  }
}

/**
 * "Ann is typing…", each name an element of its own.
 * @param {string[]} names
 */
function sentence(names) {
  const said = tn("%(names)s is typing…", "%(names)s are typing…", names.length);
  const [before = "", after = ""] = said.split("%(names)s");
  const listed = [...names.slice(0, NAMED), ...(names.length > NAMED ? [t("others")] : [])];
  const parts = new Intl.ListFormat(localeOfPage()).formatToParts(listed);
  let place = 0;
  return [before, ...parts.map(({ type, value }) => (type === "element" && place++ < NAMED ? isolate(value) : value)), after];
}

/** @param {string} name */
function newPerson(name) {
  const person = stamp("#person-template");
  fillAvatar(find(".avatar", HTMLElement, person), name);
  find("bdi", HTMLElement, person).textContent = name;
  return person;
}

/** @param {string} name */
function isolate(name) {
  const element = document.createElement("bdi");
  element.textContent = name;
  return element;
}
