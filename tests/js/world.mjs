// One page's chat on fakes: what the tests of the whole client share.

import { Outbox } from "../../static/js/net/outbox.js";
import { Sender } from "../../static/js/net/sender.js";
import { ChatSocket } from "../../static/js/net/socket.js";
import { Chat } from "../../static/js/state/chat.js";
import { OwnReactions } from "../../static/js/state/own_reactions.js";
import { FakeClock, FakeSocket, FakeStore } from "./fakes.mjs";

/** @typedef {import("../../static/js/net/frames.js").Message} Message */
/** @typedef {import("../../static/js/net/frames.js").ChangeFrame} ChangeFrame */
/** @typedef {import("../../static/js/net/frames.js").HistoryFrame} HistoryFrame */
/** @typedef {import("../../static/js/net/reason.js").Reason} Reason */
/** @typedef {ReturnType<typeof makeWorld>} World */

export const ME = { id: "me", name: "masa", role: "member" };
export const LIMITS = { maxMessageLength: 500, rateLimit: 20, rateWindowSeconds: 10, heartbeatSeconds: 30 };

/**
 * @param {number} seq
 * @param {Partial<Message>} fields
 * @returns {Message}
 */
export function message(seq, { id = `m${seq}`, room = "lobby", userId = "other", text = `text ${seq}`, ...rest } = {}) {
  return { id, room, seq, from: userId === ME.id ? ME.name : "jo", userId, text, sentAt: "2026-01-01T00:00:00Z", ...rest };
}

/**
 * @param {number} seq
 * @param {Partial<Message> & {messageSeq?: number}} fields
 * @returns {ChangeFrame}
 */
export function change(seq, { messageSeq = seq, ...fields } = {}, /** @type {any} */ type = "message") {
  const made = message(messageSeq, fields);
  return { type, room: made.room, seq, message: made };
}

/**
 * @param {HistoryFrame["mode"]} mode
 * @param {number} seq
 * @param {Message[]} messages
 * @returns {HistoryFrame}
 */
export function history(mode, seq, messages = [], { room = "lobby", epoch = "e1", more = false } = {}) {
  return { type: "history", room, epoch, mode, seq, messages, more };
}

/**
 * @param {object} [parts]
 * @param {FakeStore} [parts.store]
 * @param {FakeClock} [parts.clock]
 * @param {Reason} [parts.why]
 * @param {() => number} [parts.random]
 * @param {{messages: Message[], more: boolean} | null} [parts.older]
 * @param {(room: string, ids: string[]) => Promise<Message[] | null>} [parts.some]
 * @param {number | null} [parts.start]
 */
export function makeWorld({ store = new FakeStore(), clock = new FakeClock(), why = { kind: "unknown" }, random = () => 0.5, older = null, some = async () => null, start = 10 } = {}) {
  /** @type {FakeSocket[]} */
  const sockets = [];
  /** @type {[string, unknown][]} */
  const log = [];
  let nonces = 0;
  const newest = () => /** @type {FakeSocket} */ (sockets.at(-1));
  const outbox = new Outbox({ store, account: ME.id, now: clock.now, newNonce: () => `n${clock.now()}-${(nonces += 1)}` });
  const socket = new ChatSocket({
    open: (address) => {
      sockets.push(new FakeSocket(address));
      return newest();
    },
    address: /** @returns {string} */ () => chat.address,
    why: async () => why,
    clock,
    random,
    heartbeatSeconds: 30,
  });
  const sender = new Sender(outbox, socket, clock);
  const chat = new Chat({ socket, outbox, sender, clock, fetchOlder: async () => older, me: ME, room: { slug: "lobby", title: "Lobby" } });
  const own = new OwnReactions({ me: ME, fetchSome: some, onLearnt: (messages) => log.push(["learnt", messages.map(({ id }) => id)]) });
  chat.on("crowded", (crowded) => void own.take(crowded));
  for (const name of /** @type {const} */ (["shown", "put", "older", "acknowledged", "badge", "line", "removed", "described", "refused", "people", "typing"])) {
    chat.on(name, (detail) => log.push([name, detail]));
  }
  if (start !== null) chat.current.log.start({ epoch: "e1", seq: start, messages: [message(start)], more: true });
  return {
    store,
    clock,
    outbox,
    socket,
    sender,
    chat,
    sockets,
    log,
    get wire() {
      return newest();
    },
    /** Accepts the newest socket and greets it. */
    greet() {
      newest().accept();
      newest().say({ type: "system", message: "", clientId: "c", user: ME, limits: LIMITS });
    },
    /** Connects, greets, resumes at the head. */
    online(seq = start ?? 0) {
      socket.connect();
      this.greet();
      newest().say(history("resumed", seq));
    },
    /** The names of the events since the last call. */
    events() {
      return log.splice(0).map(([name]) => name);
    },
  };
}
