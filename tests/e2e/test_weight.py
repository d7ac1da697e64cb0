"""How little a room needs: its bytes, nobody else's servers, and no script for the first message."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route, expect

from tests.conftest import Site
from tests.e2e.browser import Browser, Person
from tests.e2e.test_rooms import NO_LIMITS, fill

LIMIT_BYTES = 100_000
LONG_TASK_MS = 50
MEASURE = """() => {
  window.long = [];
  new PerformanceObserver((list) => window.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  window.tasks = [];
  const field = document.querySelector("#composer-text");
  field.addEventListener("input", () => window.tasks.push(performance.now() - window.began));
  document.addEventListener("beforeinput", () => { window.began = performance.now(); }, true);
}"""


@NO_LIMITS
@pytest.mark.gen_test(timeout=270)
async def test_a_full_room_page_with_all_its_files_transfers_under_100_kb_and_from_here_only(
    site: Site, browser: Browser
) -> None:
    await fill(site, 60)
    ada = await browser.person(site, "Ada", path="/account", service_workers="block")
    browser.expect("Service Worker registration blocked")
    session = await ada.context.new_cdp_session(ada.page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    urls: dict[str, str] = {}
    sizes: dict[str, int] = {}
    session.on(
        "Network.requestWillBeSent", lambda event: urls.update({event["requestId"]: event["request"]["url"]})
    )
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    await ada.open("/rooms/lobby")
    await expect(ada.messages).to_have_count(50)
    await ada.page.wait_for_load_state("load")
    total = sum(sizes.values())
    by_kind: dict[str, int] = {}
    for request, size in sizes.items():
        path = urlsplit(urls[request]).path
        kind = path.rpartition(".")[2] if "." in path else "page"
        by_kind[kind] = by_kind.get(kind, 0) + size
    assert len(sizes) > 50
    assert total < LIMIT_BYTES, by_kind
    assert {urlsplit(url).netloc for url in urls.values()} <= {urlsplit(site.url).netloc}
    print(f"a room with 50 messages: {total} bytes with headers in {len(sizes)} answers, {by_kind}")


@pytest.mark.gen_test(timeout=180)
async def test_the_first_message_is_seen_before_any_script_has_run(site: Site, browser: Browser) -> None:
    await fill(site, 3)
    browser.expect(r"ERR_BLOCKED_BY_CLIENT")
    ada = await browser.person(site, "Ada", path="/account", service_workers="block")

    async def refuse(route: Route) -> None:
        await route.abort("blockedbyclient")

    await ada.page.route("**/*.js*", refuse)
    await ada.page.goto("/rooms/lobby")
    for number in (1, 2, 3):
        await expect(ada.message(f"message {number}")).to_be_in_viewport()
    await expect(ada.page.locator("#chat")).not_to_have_attribute("data-line", "online")


@NO_LIMITS
@pytest.mark.gen_test(timeout=720)
async def test_typing_stays_smooth_in_a_room_with_5000_messages_shown(site: Site, browser: Browser) -> None:
    """Counted is what the page itself does for a letter, as tasks of the browser that last long enough to be felt.

    Those that a machine with other work makes long are there with 50 messages too, and are counted first.
    """
    await fill(site, 1000)
    ada = await browser.person(site, "Ada")
    await ada.page.evaluate(MEASURE)
    few, by_machine = await typed(ada)
    await show_older(ada, 1000)
    await ada.page.evaluate(
        """() => {
          const list = document.querySelector("#messages");
          const rows = [...list.querySelectorAll(".message")];
          for (let copy = 1; copy < 5; copy += 1) list.prepend(...rows.map((row) => {
            const one = row.cloneNode(true);
            one.removeAttribute("id");
            return one;
          }));
        }"""
    )
    await expect(ada.messages).to_have_count(5000)
    tasks, long = await typed(ada)
    print(
        f"{len(tasks)} letters with 5,000 rows: median {tasks[len(tasks) // 2]:.1f} ms, worst {tasks[-1]:.1f} ms; long tasks {long}, before {by_machine}"
    )
    assert len(tasks) == len(few) > 100
    slow, before = (sum(duration > LONG_TASK_MS for duration in all_) for all_ in (tasks, few))
    assert slow <= len(tasks) // 20 + 2 * before


async def typed(person: Person) -> tuple[list[float], list[float]]:
    """How long the page took for each letter of some lines, and its long tasks meanwhile, in milliseconds."""
    await person.page.evaluate("() => { window.long = []; window.tasks = []; }")
    await person.page.locator("#timeline").evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
    await person.composer.press_sequentially("typing goes on as quickly as ever, line after line " * 2)
    await person.press("Shift+Enter")
    await person.composer.press_sequentially("and a second one that makes the field grow")
    long: list[float] = await person.page.evaluate("() => window.long")
    tasks: list[float] = await person.page.evaluate("() => window.tasks")
    await person.draft("")
    return sorted(tasks), long


async def show_older(person: object, count: int) -> None:
    """Scrolls back until so many are there."""
    page = person.page  # type: ignore[attr-defined]
    while await page.locator("#messages .message").count() < count:
        before = await page.locator("#messages .message").count()
        await page.locator("#timeline").evaluate("(box) => { box.scrollTop = 0; }")
        await page.wait_for_function(
            "(before) => document.querySelectorAll('#messages .message').length > before", arg=before
        )
