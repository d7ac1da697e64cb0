// One room in this page's memory.

import { Facts } from "./facts.js";
import { RoomLog } from "./log.js";
import { People, Typing } from "./people.js";
import { Reading } from "./reading.js";

export class Room {
  /**
   * @param {string} slug
   * @param {string} title
   * @param {string} me this account's id
   */
  constructor(slug, title, me) {
    this.slug = slug;
    this.title = title;
    this.log = new RoomLog();
    this.people = new People();
    this.typing = new Typing();
    this.reading = new Reading(me);
    this.facts = new Facts();
    /** Joined on the present line. */
    this.followed = false;
    /** A history was asked for and has not come. */
    this.resuming = false;
    this.loadingOlder = false;
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
