// The service worker: without a network the room pages that were seen last are shown, with the files they are made of.
// Served as /sw.js with the list of files before it (chat_app/web/offline.py). It keeps nothing but GET 200 of room pages
// and static files; what it kept of an account goes as soon as that one signs out or another one is here
// (docs/adr/0007-pages-kept-for-offline.md).

/** @typedef {ServiceWorkerGlobalScope} Scope */

const worker = /** @type {Scope} */ (/** @type {unknown} */ (self));
const FILES_CACHE = `roomlog-files-${VERSION}`;
const ALL_PAGES = "roomlog-pages-";
const PAGES_CACHE = `${ALL_PAGES}${VERSION}-`; // and the account's id
const KEPT_PAGES = 5;
const ROOM = /^\/rooms\/[a-zA-Z0-9_-]{1,32}$/;

let departures = 0; // of accounts, as far as this worker saw

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("message", (event) => {
  if (event.data?.claim === true) event.waitUntil(worker.clients.claim());
  if (typeof event.data?.keep === "string" && ROOM.test(event.data.keep)) event.waitUntil(fetchPage(event.data.keep));
});
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openRoom(event.notification.data?.room));
});
worker.addEventListener("fetch", (event) => {
  const { method, mode, url: address } = event.request;
  const url = new URL(address);
  if (url.origin !== location.origin) return;
  if (method !== "GET") {
    if (url.pathname === "/logout") event.waitUntil(leave());
  } else if (FILES.includes(url.pathname + url.search)) event.respondWith(file(event.request));
  else if (url.search === "" && ROOM.test(url.pathname)) event.respondWith(page(event, url));
  else if (mode === "navigate" && url.pathname === "/") event.respondWith(page(event, url));
  else if (mode === "navigate" && url.pathname === "/login") event.respondWith(signIn(event));
});

async function install() {
  await (await caches.open(FILES_CACHE)).addAll(FILES);
  await worker.skipWaiting();
}

/**
 * Pages of another version need files of that; the open ones are kept anew when this worker takes over. A page may ask
 * for it before this is done: what this version keeps stays.
 */
async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith("roomlog-") && name !== FILES_CACHE && !name.startsWith(PAGES_CACHE)) await caches.delete(name);
  }
  await worker.clients.claim();
}

/** @param {unknown} room whose notification was touched: in a page that is there, or in a new one */
async function openRoom(room) {
  if (typeof room !== "string" || !ROOM.test(`/rooms/${room}`)) return;
  const pages = await worker.clients.matchAll({ type: "window" });
  const chat = pages.find(({ url }) => ROOM.test(new URL(url).pathname));
  if (chat === undefined) return void (await worker.clients.openWindow(`/rooms/${room}`));
  await chat.focus();
  chat.postMessage({ open: room });
}

/** @param {Request} request of a file whose address has its version */
async function file(request) {
  return (await (await caches.open(FILES_CACHE)).match(request)) ?? fetch(request);
}

/**
 * From the network where there is one.
 * @param {FetchEvent} event
 * @param {URL} url
 */
async function page(event, url) {
  const asked = departures;
  const response = await fetch(event.request).catch(() => null);
  if (response === null) return (await keptPage(url.pathname)) ?? Response.error();
  event.waitUntil(take(url.pathname, response.clone(), asked));
  return response;
}

/** @param {string} path of a room that a page shows without having been loaded for it */
async function fetchPage(path) {
  const asked = departures;
  const response = await fetch(path, { headers: { Accept: "text/html" } }).catch(() => null);
  if (response !== null) await take(path, response, asked); // else the older copy stays
}

/**
 * @param {string} path
 * @param {Response} response
 * @param {number} asked how many departures there had been when it was asked for
 */
async function take(path, response, asked) {
  if (response.redirected) return leave(); // to the sign-in page
  if (response.status === 404) await forgetPage(path); // gone, or not open to this account any more
  else if (response.status === 200 && path !== "/") await keepPage(path, response);
  if (asked !== departures) await forgetPages(); // it may be of who has left meanwhile
}

/**
 * Whoever is shown the form is signed out.
 * @param {FetchEvent} event
 */
async function signIn(event) {
  const response = await fetch(event.request);
  if (response.status === 200) event.waitUntil(leave());
  return response;
}

/**
 * @param {string} path
 * @param {Response} response
 */
async function keepPage(path, response) {
  const text = await response.text();
  const account = /<div [^>]*id="chat"[^>]* data-user-id="([\w-]+)"/.exec(text)?.[1];
  if (account === undefined) return;
  await forgetPages(account);
  const pages = await caches.open(PAGES_CACHE + account);
  await pages.delete(path); // so that it becomes the last one
  await pages.put(path, new Response(text, { headers: response.headers }));
  for (const old of (await pages.keys()).slice(0, -KEPT_PAGES)) await pages.delete(old);
}

/** @param {string} path of a room, or of the start: that leads to the room that was seen last */
async function keptPage(path) {
  const name = (await caches.keys()).find((one) => one.startsWith(PAGES_CACHE));
  if (name === undefined) return undefined;
  const pages = await caches.open(name);
  const last = (await pages.keys()).at(-1);
  return path === "/" && last !== undefined ? Response.redirect(last.url) : pages.match(path);
}

/** @param {string} path */
async function forgetPage(path) {
  for (const name of await caches.keys()) if (name.startsWith(PAGES_CACHE)) await (await caches.open(name)).delete(path);
}

/** Nobody is signed in here any more. */
async function leave() {
  departures += 1;
  await forgetPages();
}

/** @param {string} [account] whose pages stay */
async function forgetPages(account) {
  for (const name of await caches.keys()) {
    if (name.startsWith(ALL_PAGES) && name !== PAGES_CACHE + account) await caches.delete(name);
  }
}
