"""The line to the server: offline and online, and sessions that end while a page is open."""

import asyncio
import re
import signal
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.e2e.browser import Browser
from tests.e2e.servers import AWAY, accounts, administration, kill, people, start

pytestmark = pytest.mark.gen_test(timeout=180)

OFFLINE = r"ERR_INTERNET_DISCONNECTED"
STEADY = "Math.random = () => 0.999"
"""Takes the chance out of the pauses between tries: 0.5, 1, 2, 4, 8, then 10 s."""


async def test_going_offline_on_purpose_keeps_messages_until_one_goes_online(
    site: Site, browser: Browser
) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    await ada.sees_status("Online")
    await ada.press_button("Go offline")
    await ada.sees_status("Offline · messages wait here")
    await ada.write("later")
    await ada.sees("later", "pending")
    await kim.write("said meanwhile")
    await kim.sees_messages("said meanwhile")
    await ada.press_button("Go online")
    await ada.sees_status("Online")
    for person in (ada, kim):
        await person.sees("later")
        await person.sees_messages("said meanwhile", "later")


async def test_when_the_network_is_back_the_page_connects_at_once(site: Site, browser: Browser) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    chat = ada.page.locator("#chat")
    browser.expect(OFFLINE)
    await ada.page.evaluate(STEADY)
    await ada.context.set_offline(True)
    await ada.press_button("Go offline")
    await ada.press_button("Go online")
    for _ in range(5):
        await expect(chat).to_have_attribute("data-line", "waiting")
        await ada.page.evaluate(
            "() => dispatchEvent(new Event('online'))"
        )  # it tries, and waits longer each time
    await expect(chat).to_have_attribute("data-line", "waiting")
    await ada.write("from the tunnel")
    await kim.write("from outside")
    await ada.sees_status(re.compile(r"^Offline · back in \d+ s$"))
    await expect(ada.page.get_by_role("button", name="Try now")).to_be_visible()
    await ada.page.evaluate("() => dispatchEvent(new Event('online'))")
    await expect(chat).to_have_attribute("data-line", "waiting")
    await ada.context.set_offline(False)
    await expect(chat).to_have_attribute(
        "data-line", "online", timeout=8_000
    )  # its next try would come after ten seconds
    await ada.sees_status("Online")
    await ada.sees_messages("from outside", "from the tunnel")
    await kim.sees("from the tunnel")


async def test_a_session_ended_elsewhere_sends_its_page_to_the_sign_in_page(
    site: Site, browser: Browser
) -> None:
    here = await browser.person(site, "Ada")
    elsewhere = await browser.holder_of(await site.sign_in("Ada"), site)
    await elsewhere.draft("half typed")
    await here.open("/account")
    await here.press_button("Sign out everywhere else")
    await elsewhere.is_at("/login?next=%2Frooms%2Flobby")
    await here.open("/rooms/lobby")
    await here.is_on_line()
    await elsewhere.sign_in("Ada")
    await elsewhere.is_at("/rooms/lobby")
    await expect(elsewhere.composer).to_have_value("half typed")


async def test_signing_out_in_one_tab_sends_the_other_to_the_sign_in_page(
    site: Site, browser: Browser
) -> None:
    ada = await browser.person(site, "Ada")
    second = await ada.another_tab()
    await ada.press_button("Sign out")
    await ada.is_at("/login")
    await second.is_at("/login?next=%2Frooms%2Flobby")


async def test_a_disabled_account_is_told_so_and_stays_out(site: Site, browser: Browser) -> None:
    kim = await browser.person(site, "Kim")
    await kim.page.evaluate(STEADY)
    await site.app.services.administration.disable("Kim")
    await kim.sees_status("This account is disabled. Ask an administrator if you think that is wrong.")
    await expect(kim.page.locator("#status")).to_have_attribute("data-state", "stopped")
    await kim.write("into the void")
    await kim.sees("into the void", "pending")
    await kim.page.evaluate("() => dispatchEvent(new Event('online'))")
    await expect(kim.page.locator("#chat")).to_have_attribute("data-line", "stopped")
    await kim.open("/rooms/lobby")
    await kim.is_at("/login?next=%2Frooms%2Flobby")


async def test_a_session_revoked_while_the_server_was_away_leads_to_the_sign_in_page(
    tmp_path: Path, browser: Browser
) -> None:
    """The socket never opens, and a browser is not told why: the page asks /session."""
    data = tmp_path / "data"
    await accounts(data, "Ada")
    server = await start(data)
    [ada] = await people(browser, server.url, "Ada")
    browser.expect(*AWAY, r"status of 401", r"HTTP Authentication failed")
    await kill(server)
    async with administration(data) as commands:
        await commands.set_password("Ada", "another good password")
    with await start(data, "--port", str(server.port)):
        await ada.is_at("/login?next=%2Frooms%2Flobby")


async def test_a_restart_is_over_before_anybody_is_told_of_it(tmp_path: Path, browser: Browser) -> None:
    data = tmp_path / "data"
    await accounts(data, "Ada")
    server = await start(data)
    [ada] = await people(browser, server.url, "Ada")
    await ada.page.evaluate("Math.random = () => 0.2")
    await ada.sees_status("Online")
    browser.expect(*AWAY)
    assert await asyncio.to_thread(server.stop, signal.SIGTERM) == 0
    with await start(data, "--port", str(server.port)):
        await ada.is_on_line()
        await ada.write("after the restart")
        await ada.sees("after the restart")
