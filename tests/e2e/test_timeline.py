"""What stands between and around messages: days, groups, what is unread and missed, and what the page's title tells."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.e2e.browser import Browser, Person
from tests.e2e.test_rooms import NO_LIMITS, make_room, scroll_to, top_of


async def lines(person: Person) -> list[str]:
    """What stands in the list, in order: lines as they read, messages as their text with a > when they follow."""
    found: list[str] = await person.page.locator("#messages > li").evaluate_all(
        """(all) => all.map((one) => one.classList.contains("message")
          ? (one.classList.contains("message--follows") ? "> " : "") + one.querySelector(".message__body").textContent.trim()
          : `-- ${one.textContent.trim()}`)"""
    )
    return found


@pytest.mark.gen_test(timeout=180)
async def test_the_day_lines_are_called_anew_at_midnight_in_the_readers_zone(
    site: Site, browser: Browser
) -> None:
    """Tokyo's next day begins at 15:00 UTC; the page's clock is set a minute before it."""
    kim = await browser.person(site, "Kim")
    await kim.write("in the evening")
    row = await kim.sees("in the evening")
    now = datetime.fromisoformat(await row.get_attribute("data-sent-at") or "").astimezone(UTC)
    midnight = now.replace(hour=15, minute=0, second=0, microsecond=0) + timedelta(days=now.hour >= 15)
    ada = await browser.visitor(site.url, timezone_id="Asia/Tokyo")
    name, _, value = (await site.account("Ada")).partition("=")
    await ada.context.add_cookies([{"name": name, "value": value, "url": site.url}])
    browser.expect("WebSocket connection to .* failed")  # of all the tries of a day that passes in a moment
    await ada.page.clock.install(time=midnight - timedelta(minutes=1))
    await ada.page.goto("/rooms/lobby")
    await ada.sees("in the evening")
    assert await lines(ada) == ["-- Today", "in the evening"]
    await ada.page.clock.fast_forward(timedelta(minutes=2).seconds * 1000)
    await expect(ada.page.locator(".day-line")).to_have_text("Yesterday")
    await ada.page.clock.fast_forward(timedelta(days=1) / timedelta(milliseconds=1))
    await expect(ada.page.locator(".day-line")).not_to_have_text(re.compile("Yesterday|Today"))


@pytest.mark.gen_test(timeout=180)
async def test_messages_of_one_author_group_within_five_minutes(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada")
    kim = await site.join(await site.account("Kim"))
    await kim.say("first")
    await kim.say("at once")
    await ada.sees("at once")
    await ada.write("mine")
    await ada.sees("mine")
    await kim.say("hers")
    await ada.sees("hers")
    assert (await lines(ada))[1:] == ["first", "> at once", "mine", "hers"]
    shift = """([text, minutes]) => {
      const rows = [...document.querySelectorAll(".message")];
      const row = rows.find((one) => one.querySelector(".message__body").textContent.trim() === text);
      row.dataset.sentAt = new Date(Date.parse(row.dataset.sentAt) - minutes * 60_000).toISOString();
    }"""
    await ada.page.evaluate(shift, ["hers", 5.5])
    await kim.say("late")
    await ada.sees("late")
    assert (await lines(ada))[-2:] == ["hers", "late"]
    await ada.page.evaluate(shift, ["late", 4.5])
    await kim.say("just in time")
    await ada.sees("just in time")
    assert (await lines(ada))[-2:] == ["late", "> just in time"]


@NO_LIMITS
@pytest.mark.gen_test(timeout=270)
async def test_over_a_thousand_missed_ones_are_counted_by_a_bar_that_loads_them(
    site: Site, browser: Browser
) -> None:
    ada = await browser.person(site, "Ada")
    kim = await site.join(await site.account("Kim"))
    await kim.say("seen")
    await ada.sees("seen")
    await ada.press_button("Go offline")
    for number in range(1_010):
        await kim.say(f"missed {number}")
    await ada.press_button("Go online")
    await ada.sees("missed 1009")
    bar = ada.page.locator("#load-older")
    await expect(bar).to_have_text("960 missed · load")
    await ada.page.locator("#timeline").evaluate("(box) => { box.scrollTop = 0; }")
    await expect(bar).to_be_in_viewport()
    await expect(ada.messages).to_have_count(50)
    before = await top_of(ada, "missed 960")
    await bar.click()
    await expect(bar).to_have_text("910 missed · load")
    await expect(ada.message("missed 910")).to_have_count(1)
    assert abs(await top_of(ada, "missed 960") - before) <= 1


@NO_LIMITS
@pytest.mark.gen_test(timeout=180)
async def test_who_comes_back_to_more_than_a_page_is_told_how_much_lies_before(
    site: Site, browser: Browser
) -> None:
    ada = await browser.person(site, "Ada")
    kim = await site.join(await site.account("Kim"))
    other = await site.join(await site.sign_in("Ada"))
    await kim.say("read")
    await other.until("read", seq=1)
    await ada.open("/account")
    for number in range(70):
        await kim.say(f"message {number}")
    await ada.open("/rooms/lobby")
    await expect(ada.page.locator("#load-older")).to_have_text("20 missed · load")
    await ada.page.locator("#timeline").evaluate("(box) => { box.scrollTop = 0; }")
    await expect(ada.message("message 0")).to_have_count(1)
    await expect(ada.page.locator("#load-older")).to_be_hidden()
    found = await lines(ada)
    assert found[found.index("-- New") + 1] == "message 0"


@NO_LIMITS
@pytest.mark.gen_test(timeout=180)
async def test_the_view_holds_on_an_edit_above_and_when_the_field_grows(site: Site, browser: Browser) -> None:
    kim = await site.join(await site.account("Kim"))
    sent = [await kim.say(f"message {number}") for number in range(100)]
    ada = await browser.person(site, "Ada")
    await ada.page.locator("#timeline").evaluate("(box) => { box.scrollTop = 0; }")
    await expect(ada.messages).to_have_count(100)
    await scroll_to(ada, "message 60")
    before = await top_of(ada, "message 60")
    kim.send(type="edit", room="lobby", id=sent[50]["id"], text="much longer\n" * 8)
    await expect(ada.page.locator(".message__edited:visible")).to_have_count(1)
    assert abs(await top_of(ada, "message 60") - before) <= 1
    await ada.draft("a\n" * 6)
    assert abs(await top_of(ada, "message 60") - before) <= 1
    await ada.draft("")
    await ada.press_button("To the end")
    await expect(ada.message("message 99")).to_be_in_viewport(ratio=1)
    await ada.draft("a\n" * 6)
    await expect(ada.message("message 99")).to_be_in_viewport(ratio=1)


@pytest.mark.gen_test(timeout=180)
async def test_the_title_the_icon_and_the_apps_badge_tell_of_what_is_unread_and_of_mentions(
    site: Site, browser: Browser
) -> None:
    await site.account("Owner", "owner")
    await make_room(site, "deploys", "Deploys")
    ada = await browser.visitor(site.url)
    name, _, value = (await site.account("Ada")).partition("=")
    await ada.context.add_cookies([{"name": name, "value": value, "url": site.url}])
    await ada.page.add_init_script(
        "window.badges = []; navigator.setAppBadge = async (count) => { window.badges.push(count); };"
    )
    await ada.open("/rooms/lobby")
    icon, badge = ada.page.locator("#favicon"), ada.room_link("Deploys").locator(".badge")
    await expect(icon).to_have_attribute("href", re.compile(r"/favicon\.svg"))
    kim = await site.join(await site.account("Kim"), "room=deploys")
    await kim.say("rolled out", "deploys")
    await expect(ada.page).to_have_title("(1) Lobby · Roomlog")
    await expect(icon).to_have_attribute("href", re.compile(r"/favicon-unread\.svg"))
    await expect(badge).to_contain_text("1 unread")
    await kim.say("look @Ada", "deploys")
    await expect(ada.page).to_have_title("(@ 2) Lobby · Roomlog")
    await expect(icon).to_have_attribute("href", re.compile(r"/favicon-mention\.svg"))
    await expect(badge).to_have_class(re.compile("badge--mention"))
    assert await ada.page.evaluate("() => window.badges.at(-1)") == 2
    await ada.enter("Deploys")
    await expect(ada.page).to_have_title("Deploys · Roomlog")
    await expect(icon).to_have_attribute("href", re.compile(r"/favicon\.svg"))
    assert await ada.page.evaluate("() => window.badges.at(-1)") == 0


@pytest.mark.gen_test(timeout=180)
async def test_ones_own_name_stands_out_live_and_in_the_servers_page(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada")
    kim = await site.join(await site.account("Kim"))
    for text in ("ask @Ada", "ask @Adam", "in `@Ada` code", "**@Ada**, really"):
        await kim.say(text)
    await ada.write("I am @Ada")
    await ada.sees("I am @Ada")
    for _ in ("live", "from the server"):
        await expect(ada.page.locator(".message--mention .message__body")).to_have_text(
            ["ask @Ada", "@Ada, really"]
        )
        await expect(ada.page.locator("mark")).to_have_text(["@Ada", "@Ada"])
        await ada.reload()
