"""What was typed is never lost: over killed servers, closed pages, limits and refusals."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.conftest import Site
from tests.e2e.browser import Browser, Person
from tests.e2e.servers import AWAY, accounts, kill, people, start

pytestmark = pytest.mark.gen_test(timeout=180)

_KEEP_TEXTS = """element => {
  window.keptTexts = [element.textContent];
  new MutationObserver(() => window.keptTexts.push(element.textContent))
    .observe(element, { childList: true, characterData: true, subtree: true });
}"""


async def test_a_message_typed_while_the_server_is_killed_arrives_once_at_both(
    tmp_path: Path, browser: Browser
) -> None:
    await accounts(tmp_path / "data", "Ada", "Kim")
    server = await start(tmp_path / "data")
    ada, kim = await people(browser, server.url, "Ada", "Kim")
    await ada.write("before")
    await kim.sees("before")
    browser.expect(*AWAY)
    await kill(server)
    await ada.write("typed meanwhile")
    await ada.sees("typed meanwhile", "pending")
    await expect(ada.page.locator("#chat")).not_to_have_attribute("data-line", "online")
    with await start(tmp_path / "data", "--port", str(server.port)):
        for person in (ada, kim):
            await person.sees("typed meanwhile")
            await person.sees_messages("before", "typed meanwhile")
        assert await ada.stored("outbox") == []
        await ada.reload()
        await ada.sees_messages("before", "typed meanwhile")


async def test_a_message_survives_the_page_and_is_sent_once_with_the_same_nonce(
    tmp_path: Path, browser: Browser
) -> None:
    await accounts(tmp_path / "data", "Ada", "Kim")
    server = await start(tmp_path / "data")
    ada, kim = await people(browser, server.url, "Ada", "Kim")
    browser.expect(*AWAY)
    await kill(server)
    await ada.write("kept by the browser")
    await ada.sees("kept by the browser", "pending")
    [kept] = await ada.stored("outbox")
    await ada.page.close()
    with await start(tmp_path / "data", "--port", str(server.port)):
        again = await Person(ada.context, await ada.context.new_page(), browser).open("/rooms/lobby")
        row = await again.sees("kept by the browser")
        await kim.sees("kept by the browser")
        assert await row.get_attribute("data-nonce") == json.loads(kept)["nonce"]
        assert await again.stored("outbox") == []
        for person in (again, kim):
            await person.reload()
            await person.sees_messages("kept by the browser")


async def test_what_was_stored_but_not_acknowledged_is_not_sent_twice(site: Site, browser: Browser) -> None:
    """The answer is lost with the line, as when the server dies right after the commit."""
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    cut = asyncio.Event()
    closing: list[asyncio.Future[None]] = []

    def route(socket: WebSocketRoute) -> None:
        upstream = socket.connect_to_server()

        def from_server(message: str | bytes) -> None:
            if '"nonce"' in str(message) and not cut.is_set():
                cut.set()
                closing.extend(asyncio.ensure_future(end.close(code=3000)) for end in (upstream, socket))
                return
            socket.send(message)

        upstream.on_message(from_server)

    await ada.page.route_web_socket("**/chat*", route)
    await ada.reload()
    await ada.write("once")
    await kim.sees("once")
    await cut.wait()
    await ada.sees("once", "sent")
    for person in (ada, kim):
        await person.sees_messages("once")
        await person.reload()
        await person.sees_messages("once")


@pytest.mark.settings(rate_limit="2", rate_window_seconds="10")
async def test_over_the_limit_the_reason_and_a_countdown_show_and_it_is_sent_by_itself(
    site: Site, browser: Browser
) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    for text in ("one", "two", "three"):
        await ada.write(text)
    row = await ada.sees("three", "refused")
    reason = row.locator(".message__reason")
    await expect(reason).to_have_text(re.compile(r"Sent again in (?:[1-9]|1[01]) s\.$"))
    await reason.evaluate(
        _KEEP_TEXTS
    )  # each stands for a second: on a busy machine looking again misses some
    for person in (ada, kim):
        await person.sees("three")
        await person.sees_messages("one", "two", "three")
    await expect(row.locator(".message__refusal")).to_have_count(0)
    shown = await ada.page.evaluate("window.keptTexts")
    left = [int(text.split()[-2]) for text in shown]
    assert left == sorted(left, reverse=True) and left[-1] < left[0], shown


async def test_a_message_refused_for_good_can_be_tried_again_or_discarded(
    tmp_path: Path, browser: Browser
) -> None:
    """The server comes back with a lower limit than the page was told when the message was typed."""
    await accounts(tmp_path / "data", "Ada", "Kim")
    server = await start(tmp_path / "data")
    ada, kim = await people(browser, server.url, "Ada", "Kim")
    browser.expect(*AWAY)
    await kill(server)
    long, other = "far too long " * 5, "another long one " * 4
    await ada.write(long)
    await ada.write(other)
    await ada.write("short")
    port = ("--port", str(server.port))
    with await start(tmp_path / "data", *port, "--max-message-length", "20"):
        await kim.sees_messages("short")
        row = await ada.sees(long.strip(), "refused")
        await expect(row.locator(".message__reason")).to_contain_text("20")
        await row.get_by_role("button", name="Try again").click()
        await expect(row).to_have_attribute("data-state", "refused")
        await ada.sees(other.strip(), "refused")
        await ada.reload()
        row = await ada.sees(long.strip(), "refused")
        await row.get_by_role("button", name="Discard").click()
        await expect(row).to_have_count(0)
        await expect(ada.composer).to_be_focused()
    with await start(tmp_path / "data", *port):
        await kim.is_on_line()
        row = await ada.sees(other.strip(), "refused")
        await row.get_by_role("button", name="Try again").click()
        await ada.sees(other.strip())
        for person in (ada, kim):
            await person.sees_messages("short", other.strip())
        assert await ada.stored("outbox") == []


async def test_too_long_a_text_stays_in_the_field_and_says_by_how_much(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada")
    note = ada.page.locator("#composer-note")
    await ada.draft("a" * 500)
    await expect(note).to_have_text("500 / 500")
    await ada.draft("😀" * 501)
    await ada.press("Enter")
    await expect(note).to_have_text("501 characters are too many: 500 are allowed. Nothing was sent.")
    await expect(ada.composer).to_have_value("😀" * 501)
    await ada.write("😀" * 500)
    await ada.sees("😀" * 500)
