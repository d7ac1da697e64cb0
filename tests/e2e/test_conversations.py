"""Three people: a private room, conversations, notifications, searching, archiving, and what was missed."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.e2e.browser import Browser, Person

pytestmark = pytest.mark.gen_test(timeout=180)

GONE = r"status of 404"
NOTIFICATIONS = """
window.shown = [];
window.Notification = class {
  static permission = "granted";
  static asked = 0;
  static async requestPermission() {
    this.asked += 1;
    this.permission = "granted";
    return this.permission;
  }
  constructor(title, options) {
    window.shown.push(this);
    Object.assign(this, { title, ...options });
  }
  close() {}
};
"""
HIDE = """
Object.defineProperty(document, "visibilityState", { configurable: true, get: () => window.hiddenNow ? "hidden" : "visible" });
window.turn = (hidden) => { window.hiddenNow = hidden; document.dispatchEvent(new Event("visibilitychange")); };
"""


async def three(site: Site, browser: Browser) -> tuple[Person, Person, Person]:
    return (
        await browser.person(site, "Ada"),
        await browser.person(site, "Bo"),
        await browser.person(site, "Kim"),
    )


async def make_room(site: Site, cookie: str, slug: str, **fields: str) -> None:
    assert (
        await site.post("/rooms", {"slug": slug, "title": slug.title(), **fields}, cookie=cookie)
    ).code == 303


def badge(person: Person, title: str) -> Any:
    return person.room_link(title).locator(".badge")


async def test_a_private_room_is_made_filled_and_left_at_once_by_who_is_removed(
    site: Site, browser: Browser
) -> None:
    browser.expect(GONE)
    ada, bo, kim = await three(site, browser)
    await ada.page.get_by_text("New room").click()
    await ada.page.get_by_label("Title").fill("Team")
    await ada.page.get_by_label("Address").fill("team")
    await ada.page.get_by_label("Private: only members see it").check()
    await ada.press_button("Create room")
    await ada.is_on_line()
    await expect(ada.page.locator("#room-mark")).to_contain_text("private")
    await ada.page.locator("#room-menu-button").click()
    await ada.page.get_by_role("link", name="Room settings").click()
    await ada.page.get_by_label("Topic").fill("What we ship")
    await ada.page.get_by_role("button", name="Save").first.click()
    await ada.page.get_by_label("Add somebody by name").fill("bo")
    await ada.press_button("Add")
    group = bo.page.locator("[data-group='private']")
    await expect(group.get_by_role("link", name="Team")).to_be_visible()
    await expect(kim.page.locator("[data-group='private']")).to_be_hidden()
    await bo.enter("Team")
    await expect(bo.page.locator("#room-topic")).to_have_text("What we ship")
    await ada.open("/rooms/team")
    await ada.write("only for us")
    await bo.sees("only for us")
    other_tab = await bo.another_tab()
    await ada.open("/rooms/team/settings")
    await ada.page.get_by_text("Remove …").click()
    await ada.press_button("Remove Bo")
    await bo.is_at("/rooms?notice=removed")
    await expect(bo.page.get_by_role("status")).to_have_text("You are no longer in that room.")
    await expect(other_tab.room_link("Team")).to_have_count(0)
    answer = await bo.page.goto("/rooms/team")
    assert answer is not None and answer.status == 404


async def test_a_conversation_is_found_by_name_both_ways_and_calls_like_a_mention(
    site: Site, browser: Browser
) -> None:
    ada, bo, kim = await three(site, browser)
    await ada.page.get_by_role("link", name="New message").click()
    dialog = ada.page.get_by_role("dialog", name="New message")
    await dialog.get_by_role("combobox").fill("b")
    await expect(dialog.get_by_role("option")).to_have_count(1)
    await dialog.get_by_role("combobox").press("Enter")
    await expect(dialog.locator(".chip")).to_have_text("Bo")
    await dialog.get_by_role("combobox").press_sequentially("ki")
    await dialog.get_by_role("option", name="Kim").click()
    await expect(dialog.locator(".chip__name")).to_have_text(["Bo", "Kim"])
    await dialog.get_by_role("button", name="Remove Kim").click()
    await dialog.get_by_role("button", name="Open the conversation").click()
    await expect(ada.page.locator("#room-title")).to_have_text("Bo")
    await ada.is_on_line()
    slug = ada.page.url.rpartition("/")[2]
    await ada.write("psst")
    await ada.sees("psst")
    await expect(badge(bo, "Ada").locator(".badge__count")).to_have_text("1")
    await expect(badge(bo, "Ada")).to_have_class(re.compile("badge--mention"))
    await expect(bo.page).to_have_title("(@ 1) Lobby · Roomlog")
    await expect(kim.page.locator("[data-group='direct'] .room-link")).to_have_count(0)
    await bo.page.keyboard.press("Control+k")
    await bo.page.keyboard.type("ada")
    await bo.page.keyboard.press("Enter")
    await bo.is_at(f"/rooms/{slug}")
    await bo.sees("psst")
    await expect(badge(bo, "Ada")).to_be_hidden()
    await bo.open("/direct?names=Ada")
    await bo.press_button("Open the conversation")
    await bo.is_at(f"/rooms/{slug}")
    await bo.is_on_line()


async def test_a_room_tells_its_reader_of_all_of_mentions_or_of_nothing(site: Site, browser: Browser) -> None:
    cookie = await site.account("Owner", "owner")
    await make_room(site, cookie, "den")
    ada, bo, _ = await three(site, browser)
    await ada.enter("Den")
    await ada.page.locator("#room-menu-button").click()
    await ada.press_button("nothing")
    await expect(ada.page.locator("#room-menu")).to_be_hidden()
    await expect(ada.page.locator("#room-notify [value='nothing']")).to_have_attribute("aria-pressed", "true")
    await ada.enter("Lobby")
    await bo.enter("Den")
    await bo.write("@Ada are you there?")
    await bo.sees("@Ada are you there?")
    await expect(ada.room_link("Den").locator(".room-link__dot")).to_be_visible()
    await expect(badge(ada, "Den")).to_be_hidden()
    await expect(ada.page).to_have_title("Lobby · Roomlog")
    again = await ada.another_tab()
    await expect(again.room_link("Den").locator(".room-link__dot")).to_be_visible()
    await site.post("/rooms/den/notify", {"notify": "mentions"}, cookie=await site.sign_in("Ada"))
    for tab in (ada, again):
        await expect(badge(tab, "Den")).to_have_class(re.compile("badge--mention"))


async def test_one_notification_for_all_tabs_and_none_of_what_is_in_view(
    site: Site, browser: Browser
) -> None:
    cookie = await site.account("Owner", "owner")
    await make_room(site, cookie, "den")
    ada, bo, _ = await three(site, browser)
    await ada.context.add_init_script(NOTIFICATIONS + HIDE)
    await ada.reload()
    second = await ada.another_tab("/rooms/den")
    await bo.write("@Ada the first")
    await ada.sees("@Ada the first")  # in view in the first tab: of this one there is none, as is seen below
    await ada.page.evaluate("turn(true)")
    await bo.write("nothing for her")
    await bo.write("@Ada the second")
    await ada.page.wait_for_function("() => shown.length === 1")
    told = await ada.page.evaluate("shown.map(({ title, body, tag }) => [title, body, tag])")
    assert told == [["Bo in #Lobby", "@Ada the second", "roomlog:lobby"]]
    assert await second.page.evaluate("shown.length") == 0
    await second.enter("Lobby")
    await bo.write("@Ada the third")
    await second.sees("@Ada the third")
    await bo.enter("Den")
    await bo.write("@Ada the fourth")
    await ada.page.wait_for_function("() => shown.length === 2")  # so of the third one there was none
    assert await ada.page.evaluate("[shown[1].title, shown[1].body]") == ["Bo in #Den", "@Ada the fourth"]
    await ada.page.evaluate("shown[1].onclick()")
    await ada.is_at("/rooms/den")
    await ada.sees("@Ada the fourth")


async def test_the_browser_is_asked_only_by_a_click_and_offered_once(site: Site, browser: Browser) -> None:
    ada, bo, _ = await three(site, browser)
    await ada.context.add_init_script(NOTIFICATIONS.replace("granted", "default", 1) + HIDE)
    await ada.reload()
    offer = ada.page.locator("#notify-offer")
    await bo.write("good morning")
    await ada.sees("good morning")
    await ada.page.evaluate("turn(true)")
    await bo.write("@Ada look")
    await expect(offer).to_be_visible()
    assert await ada.page.evaluate("Notification.asked") == 0
    await offer.get_by_role("button", name="Not now").click()
    await expect(offer).to_be_hidden()
    await ada.reload()
    await ada.page.evaluate("turn(true)")
    await bo.write("@Ada again")
    await expect(ada.page).to_have_title(re.compile(r"^\(@ \d\)"))
    await expect(offer).to_be_hidden()
    await ada.page.evaluate("turn(false)")
    await ada.page.locator("#room-menu-button").click()
    await ada.press_button("Show notifications in this browser")
    await ada.page.wait_for_function(
        "() => Notification.asked === 1 && document.querySelector('#notify-here').hidden"
    )


async def test_what_is_searched_is_found_as_it_is_now(site: Site, browser: Browser) -> None:
    ada, bo, _ = await three(site, browser)
    await ada.write("the deploy went well")
    await ada.sees("the deploy went well")
    await bo.page.keyboard.press("Control+Shift+f")
    await bo.is_at("/search?in=lobby")
    field = bo.page.get_by_role("searchbox")
    await expect(field).to_have_value("in:lobby ")
    await bo.page.wait_for_function("() => document.activeElement?.selectionStart === 'in:lobby '.length")
    await field.press_sequentially("ploy")
    await field.press("Enter")
    await expect(bo.page.locator(".hit mark")).to_have_text(["ploy"])
    await ada.choose("the deploy went well", "Edit")
    await ada.write("the release went well")
    await ada.sees("the release went well")
    await bo.page.reload()
    await expect(bo.page.locator(".hit")).to_have_count(0)
    await bo.page.get_by_role("searchbox").fill("release")
    await bo.page.get_by_role("searchbox").press("Enter")
    hit = bo.page.locator(".hit__link")
    await expect(hit).to_have_attribute("href", re.compile(r"^/rooms/lobby\?at=1#message-1$"))
    await ada.choose("the release went well", "Delete")
    await ada.page.locator("#delete-dialog").get_by_role("button", name="Delete").click()
    await ada.sees("This message was deleted.")
    await bo.page.reload()
    await expect(bo.page.locator(".hit")).to_have_count(0)


async def test_an_archived_room_leaves_the_lists_of_others_and_comes_back(
    site: Site, browser: Browser
) -> None:
    cookie = await site.account("Owner", "owner")
    await make_room(site, cookie, "den")
    ada, bo, _ = await three(site, browser)
    await bo.enter("Den")
    await site.post("/rooms/den/settings", {"title": "Cave", "topic": "dark"}, cookie=cookie)
    await expect(ada.room_link("Cave")).to_be_visible()
    await expect(bo.page.locator("#room-title")).to_have_text("Cave")
    await site.post("/rooms/den/archive", {}, cookie=cookie)
    await expect(bo.page.locator("#room-archived")).to_be_visible()
    await expect(ada.room_link("Cave")).to_have_count(0)
    kept = await ada.another_tab("/rooms")
    await expect(kept.page.locator("#archived")).not_to_have_attribute("open", "")
    await kept.page.locator("#archived summary").click()
    await expect(kept.page.locator("#archived .room-link")).to_have_text(re.compile("Cave"))
    await site.post("/rooms/den/restore", {}, cookie=cookie)
    await expect(bo.page.locator("#room-archived")).to_be_hidden()
    await expect(ada.room_link("Cave")).to_be_visible()
    await expect(ada.page.locator("[data-group='public'] .room-link__title")).to_have_text(["Lobby", "Cave"])


async def test_what_was_missed_is_told_in_one_line_until_it_is_closed_or_read(
    site: Site, browser: Browser
) -> None:
    cookie = await site.account("Owner", "owner")
    await make_room(site, cookie, "den")
    await make_room(site, cookie, "ops")
    ada, bo, _ = await three(site, browser)
    await bo.enter("Den")
    for text in ("one", "two", "@Ada three"):
        await bo.write(text)
        await bo.sees(text)
    await bo.enter("Ops")
    await bo.write("four")
    await bo.sees("four")
    await expect(badge(ada, "Ops")).to_be_visible()
    await ada.reload()
    line = ada.page.locator("#digest")
    await expect(line.locator("#digest-text")).to_have_text(
        "While you were away: 4 messages in 2 rooms, 1 mention"
    )
    await line.get_by_role("link", name="Den").click()
    await ada.is_at("/rooms/den")
    await expect(badge(ada, "Den")).to_be_hidden()
    await expect(line.locator("#digest-text")).to_have_text("While you were away: 1 message in 1 room")
    await ada.sees("two")
    await ada.enter("Ops")
    await ada.sees("four")
    await expect(line).to_be_hidden()
    await ada.enter("Lobby")
    await bo.write("five")
    await expect(badge(ada, "Ops")).to_be_visible()
    await ada.reload()
    await line.get_by_role("button", name="Close").click()
    await ada.reload()
    await expect(badge(ada, "Ops")).to_be_visible()
    await expect(line).to_be_hidden()
