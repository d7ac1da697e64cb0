// Parts of the page that most visits do not need: each is loaded once, when it is first wanted.

/**
 * @template Part
 * @param {() => Promise<Part>} load
 * @returns {() => Promise<Part>} what could not be loaded is tried again the next time
 */
export function late(load) {
  /** @type {Promise<Part> | null} */
  let part = null;
  return () => {
    part ??= load().catch((error) => {
      part = null;
      throw error;
    });
    return part;
  };
}
