// "New message": loads its dialog when somebody wants it. Without scripts the link leads to a page of its own.

/** @typedef {import("./direct_dialog.js").DirectDialog} DirectDialog */

/** @param {string} me this account's id */
export function offerDirect(me) {
  /** @type {Promise<DirectDialog> | null} */
  let dialog = null;
  document.addEventListener("click", async (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-new-message]") : null;
    if (!(link instanceof HTMLAnchorElement) || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    dialog ??= load(me);
    await dialog.then(
      (loaded) => loaded.open(),
      () => location.assign(link.href),
    );
  });
}

/** @param {string} me */
async function load(me) {
  const [{ DirectDialog }, { fetchNames }] = await Promise.all([import("./direct_dialog.js"), import("../net/rooms.js")]);
  const dialog = new DirectDialog(me, fetchNames);
  dialog.connect();
  return dialog;
}
