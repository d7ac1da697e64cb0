// What a room is beside its log, and what of it calls its reader: as the page or the last `room` frame said.

/** @typedef {"public" | "private" | "direct"} Kind */
/** @typedef {"all" | "mentions" | "nothing"} Notify */
/** @typedef {{kind?: Kind, topic?: string, archived?: boolean, notify?: Notify}} Said */
/** @typedef {{count: number, mentions: number, quiet: boolean}} Badge quiet: something is unread that counts nowhere */

export class Facts {
  /** @type {Kind} */
  kind = "public";
  topic = "";
  archived = false;
  /** @type {Notify} */
  notify = "mentions";

  /** @param {Said} said what is left out stays as it is */
  apply({ kind = this.kind, topic = this.topic, archived = this.archived, notify = this.notify }) {
    Object.assign(this, { kind, topic, archived, notify });
  }

  /**
   * What a list shows: everything in a conversation is meant for its reader, nothing counts where somebody wants to hear nothing.
   * @param {{count: number, mentions: number}} unread
   * @returns {Badge}
   */
  badge({ count, mentions }) {
    if (this.archived) return { count: 0, mentions: 0, quiet: false };
    if (this.notify === "nothing") return { count: 0, mentions: 0, quiet: count > 0 };
    return { count, mentions: this.kind === "direct" ? count : mentions, quiet: false };
  }

  /**
   * How much of it is worth a notification.
   * @param {{count: number, mentions: number}} unread
   */
  calls({ count, mentions }) {
    return this.archived ? 0 : { all: count, mentions, nothing: 0 }[this.notify];
  }
}
