"""Two people in two browsers talk: messages, their states, edits, deletions, and how texts look."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.e2e.browser import Browser

pytestmark = pytest.mark.gen_test(timeout=180)

MARKDOWN = {
    "**bold** and *italic*": "strong, em",
    "run `make check` first": "code",
    "```\ndef f():\n    return 1\n```": "pre code",
    "> said before\n\nanswered": "blockquote",
    "- one\n- two": "ul li",
    "1. first\n2. second": "ol li",
    "see https://example.org/a_b and [the notes](https://example.org/)": "a",
    "two\nlines": "p br",
}


async def test_two_people_talk_in_two_browsers(site: Site, browser: Browser) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    await ada.write("Good morning")
    await kim.sees("Good morning")
    await kim.write("Morning!")
    for person in (ada, kim):
        await person.sees_messages("Good morning", "Morning!")
        await person.reload()
        await person.sees_messages("Good morning", "Morning!")


async def test_ones_own_message_shows_at_once_and_is_confirmed_in_the_same_element(
    site: Site, browser: Browser
) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    stored = asyncio.Event()
    submit = site.app.services.chat.handle

    def slowly(connection: object, raw: str) -> None:
        """What the server gets of messages waits until the test has seen the page without an answer."""
        if '"message"' not in raw:
            return submit(connection, raw)  # type: ignore[arg-type]
        waiting.append(asyncio.ensure_future(later(connection, raw)))

    async def later(connection: object, raw: str) -> None:
        await stored.wait()
        submit(connection, raw)  # type: ignore[arg-type]

    waiting: list[asyncio.Future[None]] = []
    site.app.services.chat.handle = slowly  # type: ignore[assignment,method-assign]
    await ada.write("slow but sure")
    row = await (await ada.sees("slow but sure", "pending")).element_handle()
    await expect(ada.composer).to_have_value("")
    await expect(kim.messages).to_have_count(0)
    stored.set()
    await ada.sees("slow but sure", "sent")
    await kim.sees("slow but sure")
    same = await ada.page.evaluate("(row) => row === document.querySelector('#messages .message')", row)
    assert same
    await ada.sees_messages("slow but sure")
    assert await ada.stored("outbox") == []


async def test_many_messages_at_once_keep_their_order_for_everybody(site: Site, browser: Browser) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    texts = [f"line {number}" for number in range(15)]
    for text in texts:
        await ada.write(text)
    for person in (ada, kim):
        await person.sees_messages(*texts)


async def test_somebody_is_typing_until_the_message_comes_or_five_seconds_passed(
    site: Site, browser: Browser
) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    line = kim.page.locator("#typing")
    await ada.draft("I th")
    await expect(line).to_have_text("Ada is typing…")
    await expect(ada.page.locator("#typing")).to_have_text("")
    await expect(line).to_have_text("")
    await ada.draft("I think so")
    await expect(line).to_have_text("Ada is typing…")
    await ada.press("Enter")
    await expect(line).to_have_text("", timeout=4_000)  # by itself it would go after five seconds


async def test_arrow_up_edits_ones_last_message_with_a_mark_for_everybody(
    site: Site, browser: Browser
) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    await ada.write("teh answer")
    await kim.sees("teh answer")
    await kim.write("which?")
    await ada.sees("which?")
    await ada.press("ArrowUp")
    await expect(ada.composer).to_have_value("teh answer")
    await expect(ada.page.locator("#editing")).to_be_visible()
    await ada.press("Escape")
    await expect(ada.composer).to_have_value("")
    await expect(ada.page.locator("#editing")).to_be_hidden()
    await ada.press("ArrowUp")
    await ada.write("the **answer**")
    for person in (ada, kim):
        row = await person.sees("the answer")
        await expect(row.locator(".message__edited")).to_be_visible()
        await expect(row.locator("strong")).to_have_text("answer")
        await person.sees_messages("the answer", "which?")
        await person.reload()
        await expect((await person.sees("the answer")).locator(".message__edited")).to_be_visible()
    await expect(ada.composer).to_have_value("")


async def test_the_menu_deletes_ones_message_for_everybody(site: Site, browser: Browser) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    await ada.write("wrong window")
    await kim.sees("wrong window")
    await ada.choose("wrong window", "Delete")
    dialog = ada.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("wrong window")
    await ada.press_button("Delete")
    for person in (ada, kim):
        await person.sees_messages("This message was deleted.")
        await person.reload()
        await person.sees_messages("This message was deleted.")
        assert "wrong window" not in await person.page.content()


async def test_a_moderator_may_delete_what_others_wrote_and_a_member_may_not(
    site: Site, browser: Browser
) -> None:
    ada, kim = await browser.person(site, "Ada", "moderator"), await browser.person(site, "Kim")
    await ada.write("by a moderator")
    await kim.write("by a member")
    for person, text, offered in (
        (kim, "by a moderator", ["Reply", "Add reaction", "Copy text", "Copy link"]),
        (ada, "by a member", ["Reply", "Add reaction", "Copy text", "Copy link", "Pin", "Delete"]),
    ):
        row = await person.sees(text)
        await row.hover()
        await row.get_by_role("button", name="More about this message").click()
        await expect(person.page.get_by_role("menuitem")).to_have_text(offered)
        await person.page.keyboard.press("Escape")
        await expect(person.page.get_by_role("menu")).to_be_hidden()
    await ada.choose("by a member", "Delete")
    await ada.press_button("Delete")
    for person in (ada, kim):
        await expect(person.message("by a member")).to_have_count(0)
        await person.sees("This message was deleted.")


async def test_markdown_looks_the_same_live_and_in_the_servers_page(site: Site, browser: Browser) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    for text, selector in MARKDOWN.items():
        await ada.write(text)
        row = kim.messages.last
        await expect(row.locator(f".message__body :is({selector})").first).to_be_attached()
    bodies = kim.page.locator(".message__body")
    await expect(bodies).to_have_count(len(MARKDOWN))
    live = await bodies.evaluate_all("(all) => all.map((body) => [body.className, body.innerHTML])")
    await kim.reload()
    served = await bodies.evaluate_all("(all) => all.map((body) => [body.className, body.innerHTML])")
    assert live == served
    assert (
        await ada.page.locator(".message__body").evaluate_all(
            "(all) => all.map((body) => [body.className, body.innerHTML])"
        )
        == live
    )
    assert re.search(r"def f\(\):\n {4}return 1", await kim.page.locator("pre").inner_text())
