"""Without a network the installed app shows what it has and keeps what is typed; nothing of who signed out stays."""

import re

import pytest
from playwright.async_api import Page, expect

from chat_app.errors import NotFound
from tests.conftest import Site
from tests.e2e.browser import Browser, Person, holds

OFFLINE = (r"ERR_INTERNET_DISCONNECTED", r"ERR_FAILED", r"WebSocket connection .* failed", r"Failed to fetch")


async def kept(page: Page) -> dict[str, list[str]]:
    """What the service worker has of pages: paths by cache."""
    found: dict[str, list[str]] = await page.evaluate(
        """async () => {
          const found = {};
          for (const name of await caches.keys()) {
            if (!name.startsWith("roomlog-pages-")) continue;
            found[name] = (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname);
          }
          return found;
        }"""
    )
    return found


async def has_kept(person: Person, *paths: str) -> None:
    """The worker took over and kept these pages; what a page did by itself comes to an end at some time."""
    await person.page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    await holds(
        person.page,
        """async (wanted) => {
          const names = (await caches.keys()).filter((name) => name.startsWith("roomlog-pages-"));
          const found = await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)));
          return JSON.stringify(found.flat().sort()) === JSON.stringify(wanted);
        }""",
        sorted(paths),
    )


@pytest.mark.gen_test(timeout=270)
async def test_offline_the_room_is_shown_and_what_is_typed_is_sent_once_when_the_network_is_back(
    site: Site, browser: Browser
) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    await kim.write("before the tunnel")
    await ada.sees("before the tunnel")
    await ada.reload()
    await has_kept(ada, "/rooms/lobby")
    browser.expect(*OFFLINE)
    await ada.context.set_offline(True)
    await ada.page.reload()
    await ada.sees("before the tunnel")
    styled = "() => getComputedStyle(document.querySelector('.chat')).display"
    assert await ada.page.evaluate(styled) == "grid"
    await ada.write("from the tunnel")
    await ada.sees("from the tunnel", "pending")
    await ada.page.reload()
    await ada.sees("from the tunnel", "pending")
    await ada.draft("half a sent")
    await ada.page.goto("/")
    await ada.is_at("/rooms/lobby")
    await expect(ada.composer).to_have_value("half a sent")
    await kim.write("meanwhile outside")

    await ada.context.set_offline(False)
    await ada.page.evaluate("() => window.dispatchEvent(new Event('online'))")
    await ada.is_on_line()
    for person in (ada, kim):
        await person.sees("from the tunnel")
        await person.sees_messages("before the tunnel", "meanwhile outside", "from the tunnel")
    assert await ada.stored("outbox") == []


@pytest.mark.gen_test(timeout=270)
async def test_a_room_entered_without_its_page_is_kept_as_well_and_renewed_when_one_looks_away(
    site: Site, browser: Browser
) -> None:
    owner = await browser.person(site, "Ada", "owner")
    account = (await site.app.services.administration.list_users())[0]
    await site.app.services.management.create_room(account, "deploys", "Deploys")
    ada = await owner.reload()
    await has_kept(ada, "/rooms/lobby")
    await ada.enter("Deploys")
    await has_kept(ada, "/rooms/deploys", "/rooms/lobby")
    await ada.write("after it was kept")
    await ada.sees("after it was kept")
    hide = "() => { Object.defineProperty(document, 'visibilityState', { value: 'hidden' }); document.dispatchEvent(new Event('visibilitychange')); }"
    await ada.page.evaluate("(ms) => { const now = Date.now; Date.now = () => now() + ms; }", 61_000)
    await ada.page.evaluate(hide)
    await holds(
        ada.page,
        """async () => {
          const name = (await caches.keys()).find((one) => one.startsWith("roomlog-pages-"));
          const page = await (await caches.open(name)).match("/rooms/deploys");
          return (await page?.text())?.includes("after it was kept");
        }""",
    )


@pytest.mark.gen_test(timeout=270)
async def test_nothing_of_who_signed_out_is_kept_nor_shown_to_the_next(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada")
    await ada.write("between us")
    await ada.sees("between us")
    await ada.reload()
    await has_kept(ada, "/rooms/lobby")
    await ada.press_button("Sign out")
    await ada.is_at("/login")
    assert await kept(ada.page) == {}
    browser.expect(*OFFLINE)
    await ada.context.set_offline(True)
    with pytest.raises(Exception, match=r"ERR_INTERNET_DISCONNECTED|ERR_FAILED"):
        await ada.page.goto("/rooms/lobby")


@pytest.mark.gen_test(timeout=270)
async def test_a_session_that_ended_elsewhere_takes_its_pages_along(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada")
    await has_kept(ada, "/rooms/lobby")
    await ada.page.goto("/account")
    await site.post("/account/sessions/end-others", {}, cookie=await site.sign_in("Ada"))
    await ada.page.goto("/rooms/lobby")
    await ada.is_at("/login?next=%2Frooms%2Flobby")
    await has_kept(ada)


@pytest.mark.gen_test(timeout=270)
async def test_another_account_in_the_same_browser_finds_nothing_of_the_first(
    site: Site, browser: Browser
) -> None:
    ada = await browser.person(site, "Ada")
    await has_kept(ada, "/rooms/lobby")
    [first] = await kept(ada.page)
    name, _, value = (await site.account("Kim")).partition("=")
    await ada.context.add_cookies([{"name": name, "value": value, "url": site.url}])
    await ada.page.goto("/rooms/lobby")
    await expect(ada.page.locator("#sidebar .me__name")).to_have_text("Kim")
    await holds(
        ada.page,
        "async (first) => !(await caches.has(first)) && (await caches.keys()).length === 2",
        first,
    )
    [second] = await kept(ada.page)
    assert second != first


@pytest.mark.gen_test(timeout=270)
async def test_no_other_page_and_no_answer_for_scripts_is_kept(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada", "owner")
    await has_kept(ada, "/rooms/lobby")
    browser.expect(r"status of 404", r"status of 401")
    for path in ("/account", "/people", "/join-links", "/rooms", "/rooms/lobby?before=1", "/rooms/nowhere"):
        await ada.page.goto(path)
    await ada.page.evaluate("async () => { await fetch('/session'); await fetch('/rooms/lobby/messages'); }")
    await has_kept(ada, "/rooms/lobby")
    files = await ada.page.evaluate(
        """async () => {
          const name = (await caches.keys()).find((one) => one.startsWith("roomlog-files-"));
          return (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname + new URL(url).search);
        }"""
    )
    assert files
    assert all(
        re.fullmatch(r"/(static/(js|icons)/.*\.(js|svg)|style\.css)\?v=[0-9a-f]+", file) for file in files
    )


@pytest.mark.gen_test(timeout=270)
async def test_a_room_that_is_not_open_any_more_is_not_shown_offline_either(
    site: Site, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> None:
        raise NotFound

    ada = await browser.person(site, "Ada")
    await has_kept(ada, "/rooms/lobby")
    browser.expect(r"status of 404")
    monkeypatch.setattr(type(site.app.services.chat), "visible", closed)
    await ada.page.goto("/rooms/lobby")
    await has_kept(ada)
