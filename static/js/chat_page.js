// Composes the chat: the line, the outbox, the rooms and the views, and how they call each other.

import { Drawers } from "./dom/drawers.js";
import { KeptPage } from "./dom/kept_page.js";
import { late } from "./dom/late.js";
import { readPage } from "./dom/page_data.js";
import { VisibleHeight } from "./dom/viewport.js";
import { watchAttention } from "./dom/attention.js";
import { systemClock } from "./net/clock.js";
import { fetchOlder } from "./net/messages.js";
import { Outbox } from "./net/outbox.js";
import { askReason } from "./net/reason.js";
import { Sender } from "./net/sender.js";
import { ChatSocket } from "./net/socket.js";
import { Chat } from "./state/chat.js";
import { ChatView } from "./views/chat_view.js";
import { offerDirect } from "./views/direct.js";
import { Keyboard } from "./views/keyboard.js";

/**
 * @param {HTMLElement} element the one with the page's data
 * @returns {() => void} ends it, before the page is left on purpose
 */
export function startChat(element) {
  const page = readPage(element);
  const clock = systemClock;
  const outbox = new Outbox({
    store: localStorage,
    account: page.me.id,
    now: clock.now,
    newNonce: () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
  });
  /** @type {() => string} */
  const address = () => absolute(chat.address);
  /** @type {() => Promise<import("./net/reason.js").Reason>} */
  const why = () => askReason((path) => fetch(path, { headers: { Accept: "application/json" } }), chat.current.slug);
  const socket = new ChatSocket({
    open: (address) => new WebSocket(address),
    address,
    why,
    clock,
    random: Math.random,
    heartbeatSeconds: page.heartbeatSeconds,
  });
  const sender = new Sender(outbox, socket, clock);
  const chat = new Chat({ socket, outbox, sender, clock, fetchOlder, me: page.me, room: page.room });
  const view = new ChatView({ chat, socket, outbox, sender, clock, page });

  socket.on("line", (line) => {
    element.dataset.line = line.name;
    view.status.show(line);
  });
  socket.on("signedOut", () => location.assign(`/login?next=${encodeURIComponent(`/rooms/${chat.current.slug}`)}`));
  chat.on("welcome", ({ user }) => {
    if (user.id !== page.me.id) location.reload(); // somebody else signed in meanwhile, in another tab
  });
  window.addEventListener("storage", ({ key, newValue }) => {
    if (key !== null && outbox.adopt(key, newValue)) sender.leaveToOthers(key.slice(key.lastIndexOf(":") + 1));
  });
  watchAttention({ onOnline: () => chat.probe(), onChange: () => view.attend(), onWake: () => wake() });

  function wake() {
    if (socket.silentMs > QUIET_MS) chat.probe();
    view.attend();
  }

  const drawers = new Drawers();
  const switcher = late(async () => {
    const { Switcher } = await import("./views/switcher.js");
    const dialog = new Switcher({ rooms: view.choices, onChoose: view.enter });
    dialog.connect();
    return dialog;
  });
  const closers = [drawers.close, view.endEdit, view.leaveMessages];
  const keyboard = new Keyboard({
    rooms: view.choices,
    onEnter: view.enter,
    switcher,
    onSearch: () => location.assign(view.searchAddress),
    closers,
  });
  const kept = new KeptPage(() => `/rooms/${chat.current.slug}`);
  chat.on("shown", () => kept.entered());
  chat.on("removed", ({ slug }) => kept.gone(`/rooms/${slug}`));
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (typeof data?.open === "string") view.enter(data.open, chat.room(data.open).title); // a notification was clicked
  });
  for (const part of [view, drawers, keyboard, kept, new VisibleHeight()]) part.connect();
  offerDirect(page.me.id);
  socket.connect();
  return () => socket.disconnect();
}

const QUIET_MS = 5_000; // whoever was heard within it needs no probe

/** @param {string} path */
function absolute(path) {
  const address = new URL(path, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}
