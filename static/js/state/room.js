// One room in this page's memory.

import { Facts } from "./facts.js";
import { RoomLog } from "./log.js";
import { Originals } from "./originals.js";
import { People, Typing } from "./people.js";
import { Reading } from "./reading.js";
import { Standing } from "./standing.js";

export class Room {
  /**
   * @param {string} slug
   * @param {string} title
   * @param {{id: string, role: string}} me
   */
  constructor(slug, title, me) {
    this.slug = slug;
    this.title = title;
    this.log = new RoomLog();
    this.people = new People();
    this.typing = new Typing();
    this.reading = new Reading(me.id);
    this.standing = new Standing(me.role);
    this.facts = new Facts();
    this.originals = new Originals();
    /** Joined on the present line. */
    this.followed = false;
    /** A history was asked for and has not come. */
    this.resuming = false;
    this.loadingOlder = false;
    /** What is looked at instead of the end of the log. @type {import("./context.js").Context | null} */
    this.context = null;
  }

  /**
   * A message wherever it is held, in its state now.
   * @param {string} id
   */
  find(id) {
    return this.log.get(id) ?? this.context?.get(id) ?? this.originals.get(id);
  }

  /** What lists and the title show of what is unread. */
  get badge() {
    return this.facts.badge(this.reading);
  }

  /** How many messages lie before the oldest one here that the reader has not seen. */
  get missed() {
    return this.log.missed(this.reading.lineAfter);
  }
}
