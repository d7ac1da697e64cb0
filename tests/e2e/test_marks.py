"""What stands beside messages, between two and three people: replies, reactions, pins, mentions, notices."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.conftest import Site
from tests.e2e.browser import PHONE, Browser, Person
from tests.e2e.test_rooms import make_room
from tests.web.test_marks import twenty_react

pytestmark = pytest.mark.gen_test(timeout=180)

OFFLINE = (r"ERR_INTERNET_DISCONNECTED", r"WebSocket connection .* failed", r"Failed to fetch")


def quote(row: Locator) -> Locator:
    return row.locator(".message__quote")


def chip(row: Locator, emoji: str) -> Locator:
    return row.locator(f".reaction[data-emoji='{emoji}'] button")


async def talked(site: Site, browser: Browser, *texts: str) -> tuple[Person, Person]:
    """Ada and Kim, who wrote these."""
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim", "moderator")
    for text in texts:
        await kim.write(text)
        await ada.sees(text)
    return ada, kim


# -- replies


async def test_a_reply_quotes_the_original_as_it_is_now_for_everybody(site: Site, browser: Browser) -> None:
    ada, kim = await talked(site, browser, "shall we?")
    await ada.choose("shall we?", "Reply")
    bar = ada.page.locator("#replying")
    await expect(bar).to_contain_text("Kim shall we?")
    await expect(ada.composer).to_be_focused()
    await ada.write("yes")
    await expect(bar).to_be_hidden()
    for person in (ada, kim):
        await expect(quote(await person.sees("yes"))).to_have_text("Kim shall we?")
    await kim.press("ArrowUp")
    await kim.write("shall we go?")
    for person in (ada, kim):
        await expect(quote(person.message("yes"))).to_have_text("Kim shall we go?")
    await kim.choose("shall we go?", "Delete")
    await kim.press_button("Delete")
    for person in (ada, kim):
        await expect(quote(person.message("yes"))).to_have_text("Kim This message was deleted.")
        await person.reload()
        await expect(quote(person.message("yes"))).to_have_text("Kim This message was deleted.")


async def test_what_is_answered_is_kept_with_the_draft_and_given_up_by_escape(
    site: Site, browser: Browser
) -> None:
    ada, kim = await talked(site, browser, "first", "second")
    await ada.page.keyboard.press("Shift+Tab")
    await expect(ada.message("second")).to_be_focused()
    await ada.page.keyboard.press("r")
    bar = ada.page.locator("#replying")
    await expect(bar).to_contain_text("second")
    await ada.composer.press_sequentially("half")
    await ada.reload()
    await expect(bar).to_contain_text("Kim second")
    await expect(ada.composer).to_have_value("half")
    await kim.press("ArrowUp")
    await kim.write("second, edited")
    await expect(bar).to_contain_text("second, edited")
    await ada.press("Escape")
    await expect(bar).to_be_hidden()
    await expect(ada.composer).to_have_value("half")
    await ada.press("Enter")
    await expect(quote(await ada.sees("half"))).to_have_count(0)
    assert await ada.stored("draft") == []


async def test_a_reply_typed_offline_is_sent_as_one(site: Site, browser: Browser) -> None:
    ada, kim = await talked(site, browser, "are you there?")
    await ada.press_button("Go offline")
    await ada.choose("are you there?", "Reply")
    await ada.write("in a tunnel")
    await expect(quote(await ada.sees("in a tunnel", "pending"))).to_have_text("Kim are you there?")
    await ada.page.reload()
    await ada.is_on_line()
    for person in (ada, kim):
        await expect(quote(await person.sees("in a tunnel"))).to_have_text("Kim are you there?")


# -- reactions


async def test_a_reaction_is_put_and_taken_by_a_click_and_told_to_everybody(
    site: Site, browser: Browser
) -> None:
    ada, kim = await talked(site, browser, "done")
    bo = await browser.person(site, "Bo")
    await ada.choose("done", "Add reaction")
    picker = ada.page.locator("#reaction-picker")
    await picker.get_by_role("button", name="🎉").click()
    for person in (ada, kim, bo):
        face = chip(person.message("done"), "🎉")
        await expect(face).to_have_text("🎉 1 Ada")
        await expect(face).to_have_attribute("aria-pressed", "true" if person is ada else "false")
        await expect(face).to_have_attribute("title", "Ada")
    await chip(kim.message("done"), "🎉").click()
    for person in (ada, kim, bo):
        await expect(chip(person.message("done"), "🎉")).to_have_text("🎉 2 Ada, Kim")
    await ada.reload()
    await expect(chip(ada.message("done"), "🎉")).to_have_attribute("aria-pressed", "true")
    await chip(ada.message("done"), "🎉").click()
    await expect(chip(bo.message("done"), "🎉")).to_have_text("🎉 1 Kim")
    await chip(kim.message("done"), "🎉").click()
    for person in (ada, kim, bo):
        await expect(person.page.locator(".reaction")).to_have_count(0)


async def test_who_reacts_as_the_21st_takes_it_away_again_in_any_tab_and_after_a_reload(
    site: Site, browser: Browser
) -> None:
    ada, kim = await talked(site, browser, "popular")
    await make_room(site, "den", "Den")
    lobby = site.app.services.registry.by_slug("lobby")
    assert lobby is not None
    page = await site.app.services.database.history.latest(lobby.info.id, upto=lobby.seq, limit=1)
    await twenty_react(site, page.messages[0].id, "🎉")
    elsewhere = await ada.another_tab()
    for person in (ada, elsewhere, kim):
        await expect(chip(person.message("popular"), "🎉")).to_contain_text("🎉 20")
    await chip(ada.message("popular"), "🎉").click()
    for person in (ada, elsewhere, kim):
        face = chip(person.message("popular"), "🎉")
        await expect(face).to_contain_text("🎉 21")
        await expect(face).to_have_attribute("aria-pressed", "false" if person is kim else "true")
    await ada.reload()
    await expect(chip(ada.message("popular"), "🎉")).to_have_attribute("aria-pressed", "true")
    await elsewhere.open("/rooms/den")
    await elsewhere.enter("Lobby")  # by the line alone
    await expect(chip(elsewhere.message("popular"), "🎉")).to_have_attribute("aria-pressed", "true")
    await chip(elsewhere.message("popular"), "🎉").click()
    for person in (ada, elsewhere, kim):
        face = chip(person.message("popular"), "🎉")
        await expect(face).to_contain_text("🎉 20")
        await expect(face).to_have_attribute("aria-pressed", "false")


async def test_any_emoji_by_the_keyboard_and_a_clear_word_for_what_is_none(
    site: Site, browser: Browser
) -> None:
    ada, _ = await talked(site, browser, "done")
    keyboard, note = ada.page.keyboard, ada.page.locator("#composer-note")
    await keyboard.press("Shift+Tab")
    await keyboard.press("e")
    picker = ada.page.locator("#reaction-picker")
    await expect(picker.locator("[data-emoji='👍']")).to_be_focused()
    for key, emoji in (("ArrowRight", "❤️"), ("ArrowDown", "👀"), ("ArrowUp", "❤️")):
        await keyboard.press(key)
        await expect(picker.locator(f"[data-emoji='{emoji}']")).to_be_focused()
    field = picker.get_by_role("textbox")
    await field.fill("no")
    await field.press("Enter")
    await expect(note).to_have_text("A reaction is exactly one emoji.")
    await expect(ada.message("done")).to_be_focused()
    await keyboard.press("e")
    await field.fill("🦦")
    await field.press("Enter")
    await expect(chip(ada.message("done"), "🦦")).to_have_text("🦦 1 Ada")
    await expect(note).to_have_text("")
    await expect(ada.message("done")).to_be_focused()
    for name in ("time", "chip"):
        await keyboard.press("Tab")
        await expect(ada.page.locator(":focus")).to_have_class(
            re.compile("message__time" if name == "time" else "reaction__face")
        )
    await keyboard.press("Enter")  # takes the last one away: the focus stays near
    await expect(ada.page.locator(".reaction")).to_have_count(0)
    await expect(ada.message("done")).to_be_focused()


async def test_more_emoji_than_a_message_takes_are_refused_with_the_limit(
    site: Site, browser: Browser
) -> None:
    ada, _ = await talked(site, browser, "done")
    bo = await site.join(await site.account("Bo"))
    kim = await site.join(await site.sign_in("Kim"))
    found = await site.app.services.database.history.latest(
        site.app.services.registry.all()[0].info.id, upto=10, limit=10
    )
    for client, emoji in ((bo, "😀😃😄😁😆😅🤣😂🙂🙃"), (kim, "😉😊😇🥰😍🤩😘😗😚😙")):
        for one in emoji:
            client.send(type="react", id=found.messages[-1].id, emoji=one)
            await client.until("reacted")
    await expect(ada.page.locator(".reaction[data-emoji]")).to_have_count(20)
    await ada.choose("done", "Add reaction")
    await ada.page.locator("#reaction-picker [data-emoji='🚀']").click()
    await expect(ada.page.locator("#composer-note")).to_have_text("At most 20 different emoji on a message.")
    await expect(ada.page.locator(".reaction[data-emoji]")).to_have_count(20)


async def test_chips_do_not_move_who_sticks_to_the_end_and_an_edit_goes_on(
    site: Site, browser: Browser
) -> None:
    kim = await site.join(await site.account("Kim"))
    sent = [await kim.say(f"message {number}") for number in range(15)]
    ada = await browser.person(site, "Ada")
    await ada.write("mine")
    await ada.sees("mine")
    await ada.press("ArrowUp")
    await ada.draft("mine, half edi")
    for ack in sent[-3:]:
        kim.send(type="react", id=ack["id"], emoji="👍")
    own = await ada.message("mine").get_attribute("data-id")
    kim.send(type="react", id=own, emoji="👍")
    await expect(ada.page.locator(".reaction[data-emoji]")).to_have_count(4)
    await expect(ada.message("mine")).to_be_in_viewport(ratio=1)
    await expect(ada.page.locator("#to-end")).to_be_hidden()
    await expect(ada.composer).to_have_value("mine, half edi")


async def test_reactions_pins_and_edits_of_an_absence_are_there_afterwards(
    site: Site, browser: Browser
) -> None:
    ada, kim = await talked(site, browser, "old", "other")
    await ada.choose("old", "Reply")
    await ada.write("answer")
    await ada.sees("answer")
    await ada.press_button("Go offline")
    row = await kim.sees("answer")
    await kim.choose("answer", "Add reaction")
    await kim.page.locator("#reaction-picker [data-emoji='👀']").click()
    await expect(chip(row, "👀")).to_be_visible()
    await kim.choose("other", "Pin")
    await expect(kim.message("other").locator(".message__pinned")).to_be_visible()
    await kim.choose("old", "Edit")
    await kim.write("old, edited")
    await kim.sees("old, edited")
    await expect(ada.page.locator(".reaction")).to_have_count(0)
    await ada.press_button("Go online")
    await ada.is_on_line()
    await expect(chip(ada.message("answer"), "👀")).to_have_text("👀 1 Kim")
    await expect(ada.message("other").locator(".message__pinned")).to_be_visible()
    await expect(quote(ada.message("answer"))).to_have_text("Kim old, edited")


# -- pins


async def test_who_may_pins_and_everybody_finds_it_in_the_list(site: Site, browser: Browser) -> None:
    ada, kim = await talked(site, browser, "the rules", "chatter")
    await ada.message("the rules").hover()
    await ada.message("the rules").get_by_role("button", name="More about this message").click()
    await expect(ada.page.get_by_role("menuitem")).to_have_text(
        ["Reply", "Add reaction", "Copy text", "Copy link"]
    )
    await ada.page.keyboard.press("Escape")
    await kim.choose("the rules", "Pin")
    await expect(ada.message("the rules").locator(".message__pinned")).to_be_visible()
    await ada.page.locator("#pins-link").click()
    dialog = ada.page.get_by_role("dialog", name="Pinned messages")
    await expect(dialog.locator(".pin__text")).to_have_text(["the rules"])
    await dialog.get_by_role("link").press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(ada.message("the rules")).to_be_focused()
    await expect(ada.message("the rules")).to_have_class(re.compile("message--marked"))
    await ada.page.locator("#pins-link").click()
    await kim.choose("the rules", "Unpin")
    await expect(dialog.get_by_role("status")).to_have_text("Nothing is pinned here.")
    await expect(ada.message("the rules").locator(".message__pinned")).to_be_hidden()


# -- mentions


async def test_names_are_completed_by_keys_and_by_the_mouse(site: Site, browser: Browser) -> None:
    ada, kim = await talked(site, browser, "hello")
    await site.account("Kimberly Long")
    options = ada.page.get_by_role("option")
    await ada.composer.press_sequentially("hi @k")
    await expect(options).to_have_text(["Kim here", re.compile("Kimberly Long")])
    await expect(ada.page.locator("#completion-count")).to_have_text("2 names to choose from")
    await ada.press("ArrowDown")
    await expect(ada.composer).to_have_attribute("aria-activedescendant", "completion-1")
    await ada.press("ArrowDown")
    await ada.press("Enter")
    await expect(ada.composer).to_have_value("hi @Kim ")
    await expect(options).to_have_count(0)
    await ada.composer.press_sequentially("and @kimb")
    await expect(options).to_have_count(1)
    await ada.press("Escape")
    await expect(options).to_have_count(0)
    await ada.composer.press_sequentially("e")
    await expect(ada.composer).to_have_value("hi @Kim and @kimbe")
    await ada.draft("")
    await ada.composer.press_sequentially("@ki")
    await options.first.click()
    await expect(ada.composer).to_have_value("@Kim ")
    await expect(ada.composer).to_be_focused()
    await ada.press("Enter")
    row = await kim.sees("@Kim")
    await expect(row).to_have_class(re.compile("message--mention"))
    await expect(ada.message("@Kim")).not_to_have_class(re.compile("message--mention"))


async def test_here_is_offered_to_who_may_call_and_stands_out_for_the_others(
    site: Site, browser: Browser
) -> None:
    ada, kim = await talked(site, browser, "hello")
    options = kim.page.get_by_role("option")
    await kim.composer.press_sequentially("@he")
    await expect(options).to_have_text(["here everybody here now"])
    await kim.press("Tab")
    await kim.composer.press_sequentially("look")
    await kim.press("Enter")
    await expect((await ada.sees("@here look")).locator("mark")).to_have_text("@here")
    await ada.reload()
    await expect((await ada.sees("@here look")).locator("mark")).to_have_text("@here")
    await ada.write("@here me too")
    await expect((await kim.sees("@here me too")).locator("mark")).to_have_count(0)


# -- notices, and what may be done


async def test_changes_of_the_room_are_quiet_lines_and_close_the_field(site: Site, browser: Browser) -> None:
    await site.account("Owner", "owner")
    await make_room(site, "den", "Den")
    owner = (await site.app.services.administration.list_users())[0]
    ada = await browser.person(site, "Ada", path="/rooms/den")
    await ada.write("hello")
    await ada.sees("hello")
    management = site.app.services.management
    await management.change(owner, "den", "topic", value="Caves")
    await management.change(owner, "den", "posting", value="moderators")
    notices = ada.page.locator(".message--notice .message__body")
    texts = ["Owner set the topic: Caves", "Owner lets only moderators write here."]
    await expect(notices).to_have_text(texts)
    await expect(ada.page.locator("#composer")).to_be_hidden()
    await expect(ada.page.locator("#composer-closed")).to_have_text("Only moderators write here.")
    await expect(ada.page.locator(".message--notice .message__more").first).to_be_hidden()
    await ada.reload()
    await expect(notices).to_have_text(texts)
    await expect(ada.page.locator("#composer-closed")).to_be_visible()
    await ada.choose("hello", "Edit")
    await expect(ada.composer).to_be_focused()
    await ada.write("hello, cave")
    await ada.sees("hello, cave")
    await expect(ada.page.locator("#composer")).to_be_hidden()
    await management.change(owner, "den", "archived")
    await expect(ada.page.locator("#composer-closed")).to_have_text("This room is archived.")
    await management.change(owner, "den", "restored")
    await management.change(owner, "den", "posting", value="everyone")
    await expect(ada.composer).to_be_visible()
    await ada.write("open again")
    await ada.sees("open again")


async def test_on_a_phone_everything_beside_a_message_is_large_enough(site: Site, browser: Browser) -> None:
    kim = await site.join(await site.account("Kim"))
    first = await kim.say("first")
    kim.send(type="message", text="answer", replyTo=first["id"])
    kim.send(type="react", id=first["id"], emoji="👍")
    await kim.until("reacted")
    ada = await browser.person(site, "Ada", viewport=PHONE, has_touch=True, is_mobile=True)
    await chip(ada.message("first"), "👍").tap()
    await expect(chip(ada.message("first"), "👍")).to_have_text("👍 2 Kim, Ada")
    await ada.message("first").locator(".reaction__add").tap()
    small = await ada.page.evaluate(
        """() => [...document.querySelectorAll('.reaction__face, .message__quote, .picker button, .picker input, #pins-link')]
          .filter((one) => one.offsetParent && Math.min(one.offsetWidth, one.offsetHeight) < 44).map((one) => one.outerHTML)"""
    )
    assert small == []
