import assert from "node:assert/strict";
import test from "node:test";

import { SendOnce } from "../../static/js/views/send_once.js";

class Page extends EventTarget {
  /** @param {{method: string}} form @param {boolean} handled whether a script took it */
  submit(form, handled = false) {
    const event = new Event("submit", { cancelable: true });
    Object.defineProperty(event, "target", { value: form });
    if (handled) event.preventDefault();
    this.dispatchEvent(event);
    return !event.defaultPrevented;
  }
}

test("a form is sent once until the page is shown again", () => {
  const page = new Page(), window = new EventTarget();
  const once = new SendOnce(page, window);
  once.connect();
  const form = { method: "post" }, other = { method: "post" };
  assert.deepEqual([form, form, other, form].map((each) => page.submit(each)), [true, false, true, false]);
  window.dispatchEvent(new Event("pageshow"));
  assert.equal(page.submit(form), true);
  once.disconnect();
  assert.equal(page.submit(form), true);
});

test("what a script takes and what a dialog closes is none of its business", () => {
  const page = new Page();
  new SendOnce(page, new EventTarget()).connect();
  const form = { method: "post" }, dialog = { method: "dialog" };
  page.submit(form, true);
  assert.equal(page.submit(form), true);
  assert.deepEqual([page.submit(dialog), page.submit(dialog)], [true, true]);
});
