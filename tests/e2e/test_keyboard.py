"""All of it without a mouse: the switcher, the keys for rooms, the messages, what Escape closes, and where the focus is."""

import asyncio
import re

import pytest
from playwright.async_api import Locator, Route, expect

from tests.conftest import Site
from tests.e2e.browser import PHONE, Browser, Person
from tests.e2e.test_rooms import make_room


async def with_rooms(site: Site, browser: Browser) -> Person:
    await site.account("Owner", "owner")
    for slug, title in (("deploys", "Deploys and builds"), ("cafe", "Café"), ("help", "Customer help")):
        await make_room(site, slug, title)
    ada = await browser.person(site, "Ada")
    await expect(ada.composer).to_be_focused()
    return ada


async def say(site: Site, room: str, *texts: str, name: str = "Bo") -> None:
    """Somebody who is not looked at writes there."""
    client = await site.join(await site.account(name), f"room={room}")
    for text in texts:
        await client.say(text, room)


def options(person: Person) -> Locator:
    return person.page.get_by_role("option")


async def is_in(person: Person, title: str) -> None:
    await expect(person.page.locator("#room-title")).to_have_text(title)
    await expect(person.composer).to_be_focused()


@pytest.mark.gen_test(timeout=180)
async def test_the_switcher_finds_a_room_by_parts_of_words_and_goes_there(
    site: Site, browser: Browser
) -> None:
    ada = await with_rooms(site, browser)
    await say(site, "help", "please")
    await expect(ada.room_link("Customer help").locator(".badge__count")).to_have_text("1")
    await ada.press("Control+k")
    field = ada.page.get_by_role("combobox", name="Go to a room")
    await expect(field).to_be_focused()
    titles = options(ada).locator(".room-link__title")
    await expect(titles).to_have_text(["Customer help", "Café", "Deploys and builds", "Lobby"])
    await expect(options(ada).first).to_have_attribute("aria-selected", "true")
    await expect(options(ada).last).to_contain_text("you are here")

    for key, index in (("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", 3), ("ArrowDown", 0)):
        await field.press(key)
        await expect(ada.page.locator("[role=option][aria-selected=true]")).to_have_count(1)
        await expect(options(ada).nth(index)).to_have_attribute("aria-selected", "true")
        active = await field.get_attribute("aria-activedescendant")
        await expect(options(ada).nth(index)).to_have_id(str(active))

    await field.fill("nowhere")
    await expect(
        ada.page.get_by_role("status").filter(has_text="No room has that in its name.")
    ).to_be_visible()
    await field.press("Enter")
    await expect(field).to_be_focused()
    await field.fill("uild")
    await expect(titles).to_have_text(["Deploys and builds"])
    await field.press("Enter")
    await is_in(ada, "Deploys and builds")
    await ada.is_at("/rooms/deploys")

    await ada.press("Control+k")
    await field.press("Escape")
    await expect(field).to_be_hidden()
    await expect(ada.composer).to_be_focused()
    await ada.press_button("Go to a room")
    await options(ada).filter(has_text="Café").click()
    await is_in(ada, "Café")


@pytest.mark.gen_test(timeout=180)
async def test_what_is_typed_before_the_switcher_is_loaded_counts(site: Site, browser: Browser) -> None:
    await site.account("Owner", "owner")
    await make_room(site, "cafe", "Café")
    await make_room(site, "cabin", "Cabin")
    browser.expect("Service Worker registration blocked")
    ada = await browser.person(site, "Ada", service_workers="block")
    asked, typed = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await typed.wait()
        await route.continue_()

    await ada.page.route("**/views/switcher.js*", hold)
    await ada.press("Control+k")
    await asked.wait()
    await ada.page.keyboard.type("ca")
    await ada.page.keyboard.press("ArrowDown")
    await ada.page.keyboard.press("Enter")
    typed.set()
    await is_in(ada, "Café")
    await expect(ada.composer).to_have_value("")


@pytest.mark.gen_test(timeout=180)
async def test_alt_and_arrows_go_to_the_next_unread_room_else_to_the_neighbour(
    site: Site, browser: Browser
) -> None:
    ada = await with_rooms(site, browser)
    await ada.press("Alt+ArrowDown")
    await is_in(ada, "Café")
    await ada.press("Alt+ArrowUp")
    await is_in(ada, "Lobby")
    await say(site, "deploys", "rolled out")
    await expect(ada.room_link("Deploys").locator(".badge")).to_be_visible()
    await ada.press("Alt+ArrowUp")
    await is_in(ada, "Deploys and builds")
    await expect(ada.room_link("Deploys").locator(".badge")).to_be_hidden()
    await ada.press("Alt+ArrowUp")
    await is_in(ada, "Customer help")
    await ada.page.go_back()
    await is_in(ada, "Deploys and builds")


@pytest.mark.gen_test(timeout=180)
async def test_a_question_mark_shows_all_keys_but_is_one_in_a_text(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada")
    keys = ada.page.get_by_role("dialog", name="Keyboard shortcuts")
    await ada.press("?")
    await expect(ada.composer).to_have_value("?")
    await expect(keys).to_be_hidden()
    switch = ada.page.get_by_role("button", name="Go offline")
    await switch.focus()
    await switch.press("?")
    await expect(keys).to_be_visible()
    for text in ("Ctrl", "Alt", "Esc", "Shift", "Home"):
        await expect(keys.locator("kbd", has_text=text).first).to_be_visible()
    await ada.page.keyboard.press("Escape")
    await expect(keys).to_be_hidden()
    await expect(switch).to_be_focused()
    await ada.press_button("Keyboard shortcuts")
    await expect(keys).to_be_visible()
    await ada.page.keyboard.press("Control+k")
    await expect(ada.page.locator("#switcher")).to_be_hidden()
    await keys.get_by_role("button", name="Close").click()
    await expect(keys).to_be_hidden()


@pytest.mark.gen_test(timeout=180)
async def test_every_action_of_a_message_is_reached_by_keys_and_the_focus_stays_near(
    site: Site, browser: Browser
) -> None:
    ada = await browser.person(site, "Ada")
    for text in ("one", "two", "three"):
        await ada.write(text)
        await ada.sees(text)
    keyboard = ada.page.keyboard
    await keyboard.press("Shift+Tab")
    await expect(ada.message("three")).to_be_focused()
    for key, text in (
        ("ArrowUp", "two"),
        ("Home", "one"),
        ("ArrowUp", "one"),
        ("End", "three"),
        ("ArrowDown", "three"),
        ("ArrowUp", "two"),
    ):
        await keyboard.press(key)
        await expect(ada.message(text)).to_be_focused()
    await expect(ada.page.locator("#messages [tabindex='0']")).to_have_count(1)

    await keyboard.press("Enter")
    items = ada.page.get_by_role("menuitem")
    await expect(items).to_have_text(["Reply", "Add reaction", "Copy text", "Copy link", "Edit", "Delete"])
    for key, index in (("ArrowDown", 1), ("End", 5), ("ArrowDown", 0), ("ArrowUp", 5), ("Home", 0)):
        await keyboard.press(key)
        await expect(items.nth(index)).to_be_focused()
    await keyboard.press("Escape")
    await expect(items.first).to_be_hidden()
    await expect(ada.message("two")).to_be_focused()

    await keyboard.press("Shift+F10")
    await items.filter(has_text="Edit").press("Enter")
    await expect(ada.composer).to_be_focused()
    await expect(ada.composer).to_have_value("two")
    await ada.write("zwei")
    await expect((await ada.sees("zwei")).locator(".message__edited")).to_be_visible()
    await expect(ada.composer).to_be_focused()

    await keyboard.press("Shift+Tab")
    await keyboard.press("ArrowUp")
    await keyboard.press("Enter")
    await items.filter(has_text="Delete").press("Enter")
    dialog = ada.page.get_by_role("dialog", name="Delete this message?")
    await expect(dialog).to_contain_text("zwei")
    await keyboard.press("Escape")
    await expect(ada.message("zwei")).to_be_focused()
    await keyboard.press("Enter")
    await items.filter(has_text="Delete").press("Enter")
    await dialog.get_by_role("button", name="Delete").press("Enter")
    await expect(ada.message("zwei")).to_have_count(0)
    await expect(ada.message("three")).to_be_focused()
    await keyboard.press("Escape")
    await expect(ada.composer).to_be_focused()


@pytest.mark.gen_test(timeout=180)
async def test_with_the_mouse_the_field_has_the_focus_again_after_a_deletion(
    site: Site, browser: Browser
) -> None:
    ada = await browser.person(site, "Ada")
    await ada.write("wrong window")
    await ada.sees("wrong window")
    await ada.choose("wrong window", "Delete")
    await ada.press_button("Delete")
    await ada.sees("This message was deleted.")
    await expect(ada.composer).to_be_focused()


@pytest.mark.gen_test(timeout=180)
async def test_escape_closes_what_is_open_one_at_a_time(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada", viewport=PHONE)
    await ada.write("to be changed")
    await ada.sees("to be changed")
    await ada.press("ArrowUp")
    editing, sidebar = ada.page.locator("#editing"), ada.page.locator("#sidebar")
    await expect(editing).to_be_visible()
    opener = ada.page.locator("[data-drawer=sidebar]")
    await opener.click()
    await expect(sidebar).to_have_class(re.compile("drawer--open"))
    await ada.press_button("Go to a room")
    await expect(ada.page.locator("#switcher")).to_be_visible()
    press = ada.page.keyboard.press
    await press("Escape")
    await expect(ada.page.locator("#switcher")).to_be_hidden()
    await expect(sidebar).to_have_class(re.compile("drawer--open"))
    await press("Escape")
    await expect(sidebar).not_to_have_class(re.compile("drawer--open"))
    await expect(opener).to_be_focused()
    await expect(editing).to_be_visible()
    await press("Escape")
    await expect(editing).to_be_hidden()
    await expect(ada.composer).to_be_focused()


@pytest.mark.gen_test(timeout=180)
async def test_a_page_can_be_walked_through_with_tab_alone(site: Site, browser: Browser) -> None:
    """Nothing that can be pressed is left out, nothing holds the focus, and it is always seen."""
    ada = await browser.person(site, "Ada")
    for number in range(12):
        await ada.write(f"message {number}")
        await ada.sees(f"message {number}")
    await ada.page.locator(".skip-link").focus()
    seen: list[str] = []
    for _ in range(40):
        await ada.page.keyboard.press("Tab")
        name, outlined = await ada.page.evaluate(
            """() => {
              const at = document.activeElement;
              const text = () => at.querySelector("span, bdi:only-of-type")?.innerText.replace("#", "") || at.innerText;
              const name = at === document.body ? "" : at.id || at.dataset.title || at.ariaLabel || text().trim();
              const box = at.closest(".composer__box") ?? at;
              const style = getComputedStyle(box);
              return [name, style.outlineStyle !== "none" || style.boxShadow !== "none"];
            }"""
        )
        if name == "":
            break
        assert outlined, name
        seen.append(name)
    assert len(seen) == len(set(seen)), seen
    wanted = {
        "Go to a room",
        "Lobby",
        "Keyboard shortcuts",
        "Sign out",
        "line-switch",
        "timeline",
        "composer-text",
        "send",
    }
    assert wanted <= set(seen), seen
    assert sum(name.startswith("message-") for name in seen) == 1
