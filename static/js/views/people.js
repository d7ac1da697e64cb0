// Who is here, and who is typing.

import { fillAvatar } from "../dom/avatar.js";
import { find, stamp } from "../dom/find.js";

const NAMED = 3;

export class PeopleList {
  #list = find("#people-list", HTMLElement);

  /**
   * @param {string[]} names
   * @param {number} online
   */
  show(names, online) {
    for (const count of document.querySelectorAll("[data-online]")) count.textContent = String(online);
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
    const shown = names.slice(0, NAMED).flatMap((name, index) => [...(index > 0 ? [", "] : []), isolate(name)]);
    const others = names.length > NAMED ? [" and others"] : [];
    const verb = names.length === 0 ? "" : names.length === 1 ? " is typing…" : " are typing…";
    this.#line.replaceChildren(...shown, ...others, verb);
    if (againInMs !== null) this.#timer = window.setTimeout(() => this.show(typing), againInMs + 20);
  }
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
