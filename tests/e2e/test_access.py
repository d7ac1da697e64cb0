"""For everybody: axe-core over every page in both themes, what is read out, and motion only for who wants it."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.__main__ import MODULES, strict
from tests.conftest import Site
from tests.e2e.browser import PHONE, Browser, Person
from tests.e2e.test_rooms import NO_LIMITS

AXE = MODULES / "axe-core" / "axe.min.js"
THEMES = ("light", "dark")


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        (pytest.fail if strict() else pytest.skip)("axe-core is needed: npm ci --prefix tests/js")
    return Path(AXE).read_text(encoding="utf-8")


async def finds_nothing(page: Page, axe: str) -> None:
    """No violation, of best practices either, and no doubt about a contrast that a person could not settle here."""
    await page.evaluate(axe)
    found: list[dict[str, Any]] = await page.evaluate(
        """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
          ({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html, failureSummary }) => [html.slice(0, 200), failureSummary]) }))"""
    )
    assert found == [], page.url


async def both_themes(person: Person, axe: str) -> None:
    for theme in THEMES:
        await person.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        await person.page.wait_for_function("() => document.getAnimations().length === 0")
        await finds_nothing(person.page, axe)


async def talk(site: Site, ada: Person) -> None:
    """Every kind of message stands there."""
    kim = await site.join(await site.account("Kim"))
    for text in (
        "hello @Ada", "**bold** and `code`", "```\n" + "a very long line " * 20 + "\n```", "> said\n\n- one\n- two",
        "see https://example.org/",
    ):  # fmt: skip
        await kim.say(text)
    first = await kim.say("answered @here")
    kim.send(type="message", text="an answer", replyTo=first["id"])
    kim.send(type="react", id=first["id"], emoji="🎉")
    await kim.until("reacted")
    await expect(ada.page.locator(".reaction[data-emoji]")).to_have_count(1)
    await ada.page.locator(".reaction[data-emoji] button").click()
    await ada.page.locator(".message__quote").click()
    await expect(ada.page.locator(".message--marked")).to_have_count(1)
    for text in ("mine", "to be changed", "to be deleted"):
        await ada.write(text)
        await ada.sees(text)
    await ada.choose("to be changed", "Edit")
    await ada.write("changed")
    await expect((await ada.sees("changed")).locator(".message__edited")).to_be_visible()
    await ada.choose("to be deleted", "Delete")
    await ada.press_button("Delete")
    await ada.sees("This message was deleted.")


@pytest.mark.settings(registration="open")
@pytest.mark.gen_test(timeout=360)
async def test_axe_finds_nothing_on_the_pages_of_who_is_not_signed_in(
    site: Site, browser: Browser, axe: str
) -> None:
    browser.expect(r"status of 4\d\d")
    visitor = await browser.visitor(site.url)
    token = await site.app.services.identity.setup_token()
    for path in ("/setup-needed", f"/setup?token={token}"):
        await visitor.open(path)
        await both_themes(visitor, axe)
    owner = await site.account("Ada", "owner")
    made = await site.post("/join-links", {"role": "member", "uses": "1", "days": "1"}, cookie=owner)
    link = f"/join/{made.headers['Location'].rpartition('=')[2]}"
    for path in ("/login", link, "/nowhere"):
        await visitor.open(path)
        await both_themes(visitor, axe)
    await visitor.open("/login")
    await visitor.page.get_by_text("New here?").click()
    await both_themes(visitor, axe)
    await visitor.page.goto("/login")
    await visitor.page.get_by_label("Name").first.fill("Ada")
    await visitor.page.get_by_label("Password").first.fill("not her password")
    await visitor.press_button("Sign in")
    await expect(visitor.page.get_by_role("alert")).to_be_visible()
    await both_themes(visitor, axe)


@pytest.mark.gen_test(timeout=360)
async def test_axe_finds_nothing_on_the_pages_beside_the_rooms(
    site: Site, browser: Browser, axe: str
) -> None:
    browser.expect(r"status of 404")
    ada = await browser.person(site, "Ada", "owner")
    await site.account("Kim")
    await ada.open("/join-links")
    await ada.press_button("Create link")
    for path in ("/join-links", "/account", "/people", "/rooms", "/confirm", "/rooms/nowhere"):
        await ada.open(path)
        await both_themes(ada, axe)


@pytest.mark.parametrize("size", [None, PHONE], ids=["wide", "phone"])
@pytest.mark.gen_test(timeout=540)
async def test_axe_finds_nothing_in_a_room_whatever_is_open(
    site: Site, browser: Browser, axe: str, size: Any
) -> None:
    ada = await browser.person(site, "Ada", "owner", **({"viewport": size} if size else {}))
    await talk(site, ada)
    await both_themes(ada, axe)
    press = ada.page.keyboard.press
    await ada.page.locator(".reaction__add").click()
    await expect(ada.page.locator("#reaction-picker")).to_be_visible()
    await both_themes(ada, axe)
    await press("Escape")
    await ada.choose("mine", "Pin")
    await expect(ada.message("mine").locator(".message__pinned")).to_be_visible()
    await ada.page.locator("#pins-link").click()
    await expect(ada.page.locator(".pin")).to_have_count(1)
    await both_themes(ada, axe)
    await press("Escape")
    await ada.choose("mine", "Reply")
    await ada.composer.press_sequentially("@k")
    await expect(ada.page.get_by_role("option")).to_have_count(1)
    await both_themes(ada, axe)
    await press("Escape")
    await press("Escape")
    await ada.draft("")
    await press("Control+k")
    await both_themes(ada, axe)
    await press("Escape")
    await press("Shift+Tab")
    await press("?")
    await both_themes(ada, axe)
    await press("Escape")
    await press("ArrowUp")
    await press("Enter")
    await expect(ada.page.get_by_role("menu")).to_be_visible()
    await both_themes(ada, axe)
    await ada.page.get_by_role("menuitem", name="Delete").click()
    await both_themes(ada, axe)
    await press("Escape")
    if size:
        for opener in ("sidebar", "people"):
            await ada.page.locator(f"[data-drawer={opener}]").click()
            await both_themes(ada, axe)
            await press("Escape")


@pytest.mark.settings(rate_limit="1", rate_window_seconds="60")
@pytest.mark.gen_test(timeout=180)
async def test_axe_finds_nothing_about_what_waits_and_what_was_refused(
    site: Site, browser: Browser, axe: str
) -> None:
    ada = await browser.person(site, "Ada")
    await ada.write("one")
    await ada.sees("one")
    await ada.write("two")
    await ada.sees("two", "refused")
    await both_themes(ada, axe)
    await ada.press_button("Go offline")
    await ada.write("three")
    await ada.sees("three", "pending")
    await both_themes(ada, axe)


# -- what is read out


HEARD = """() => {
  window.heard = [];
  const log = document.querySelector("[role=log]");
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) {
      const element = node instanceof Element ? node : node.parentElement;
      const region = element?.closest("[aria-live]");
      if (region === log && node.textContent.trim() !== "") window.heard.push(element.querySelector(".message__body")?.textContent ?? node.textContent);
    }
  }).observe(log, { childList: true, subtree: true });
}"""


@NO_LIMITS
@pytest.mark.gen_test(timeout=180)
async def test_the_log_reads_out_new_messages_of_others_and_nothing_else(
    site: Site, browser: Browser
) -> None:
    kim = await site.join(await site.account("Kim"))
    for number in range(60):
        await kim.say(f"old {number}")
    ada = await browser.person(site, "Ada")
    log = ada.page.get_by_role("log")
    await expect(log).to_have_attribute("aria-live", "polite")
    await expect(log).to_have_accessible_name("Messages in Lobby")
    await ada.page.evaluate(HEARD)
    await kim.say("first news")
    await ada.sees("first news")
    await ada.write("my own")
    await ada.sees("my own")
    sent = await kim.say("second news")
    await ada.sees("second news")
    kim.send(type="edit", id=sent["id"], text="second news, changed", room="lobby")
    await ada.sees("second news, changed")
    await ada.page.locator("#timeline").evaluate("(box) => { box.scrollTop = 0; }")
    await expect(ada.message("old 1")).to_have_count(1)
    await ada.press_button("Go offline")
    await kim.say("missed meanwhile")
    await ada.press_button("Go online")
    await ada.sees("missed meanwhile")
    assert await ada.page.evaluate("() => window.heard") == ["first news", "second news"]


@pytest.mark.gen_test(timeout=180)
async def test_a_refusal_is_read_out_and_the_counter_is_not(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada")
    note = ada.page.locator("#composer-note")
    await ada.draft("a" * 499)
    await expect(note).to_have_text("499 / 500")
    await expect(note).to_have_attribute("aria-live", "off")
    await ada.draft("a" * 501)
    await ada.press("Enter")
    await expect(note).to_have_attribute("aria-live", "polite")
    await expect(note).to_contain_text("Nothing was sent.")


@pytest.mark.gen_test(timeout=180)
async def test_every_page_has_one_heading_of_the_first_rank_and_one_main_part(
    site: Site, browser: Browser
) -> None:
    ada = await browser.person(site, "Ada", "owner")
    browser.expect(r"status of 404")
    for path in ("/rooms/lobby", "/rooms", "/account", "/people", "/join-links", "/confirm", "/nowhere"):
        await ada.open(path)
        await expect(ada.page.get_by_role("heading", level=1)).to_have_count(1)
        await expect(ada.page.get_by_role("main")).to_have_count(1)


# -- motion


@pytest.mark.gen_test(timeout=180)
async def test_nothing_moves_for_who_wants_less_motion(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada", viewport=PHONE)
    longest = """() => Math.max(...[...document.querySelectorAll("*")].flatMap((one) => {
      const style = getComputedStyle(one);
      return [style.transitionDuration, style.animationDuration].flatMap((all) => all.split(", ").map(parseFloat));
    }))"""
    assert await ada.page.evaluate(longest) > 0.05
    await ada.page.emulate_media(reduced_motion="reduce")
    assert await ada.page.evaluate(longest) == 0
