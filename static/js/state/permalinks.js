// The address of a message in its context, however old: /rooms/SLUG?at=SEQ#message-SEQ.

const ROOM = /^\/rooms\/([a-zA-Z0-9_-]{1,32})$/;

/**
 * @param {string} slug
 * @param {number} seq
 */
export function permalink(slug, seq) {
  return `/rooms/${slug}?at=${seq}#message-${seq}`;
}

/**
 * @param {string} href whole
 * @param {string} origin of this page
 * @returns {{slug: string, seq: number} | null} null for any other address
 */
export function readPermalink(href, origin) {
  if (!URL.canParse(href)) return null;
  const url = new URL(href);
  const slug = ROOM.exec(url.pathname)?.[1];
  const at = url.searchParams.get("at") ?? "";
  if (url.origin !== origin || slug === undefined || !/^\d{1,15}$/.test(at)) return null;
  return { slug, seq: Number(at) };
}
