"""Permalinks: a message in its context, however old, from there on and back, while the room goes on."""

import re

import pytest
from playwright.async_api import expect

from tests.conftest import Client, Site
from tests.e2e.browser import Browser, Person
from tests.e2e.test_rooms import NO_LIMITS, make_room, top_of

pytestmark = [pytest.mark.gen_test(timeout=180), NO_LIMITS]

TO_NEWEST = "To the newest messages"


async def full(site: Site, count: int = 200) -> Client:
    """Kim, who wrote "message 1" and on."""
    kim = await site.join(await site.account("Kim"))
    for number in range(1, count + 1):
        kim.send(type="message", text=f"message {number}")
    await kim.until("message", seq=count)
    return kim


async def looks_at(person: Person, text: str) -> None:
    row = person.message(text)
    await expect(row).to_be_in_viewport()
    await expect(row).to_have_class(re.compile("message--marked"))
    await expect(person.page.locator(".message--marked")).to_have_count(1)


async def is_live(person: Person, text: str) -> None:
    await expect(person.message(text)).to_be_in_viewport()
    await expect(person.page.locator("#to-end")).to_be_hidden()
    await person.is_at("/rooms/lobby")


async def test_a_permalink_opens_an_old_message_in_its_context_and_leads_back(
    site: Site, browser: Browser
) -> None:
    kim = await full(site)
    ada = await browser.person(site, "Ada", path="/rooms/lobby?at=60#message-60")
    await looks_at(ada, "message 60")
    await expect(ada.message("message 200")).to_have_count(0)
    before = await top_of(ada, "message 60")
    await kim.say("meanwhile")
    await expect(ada.page.locator("#to-end")).to_have_text("New messages")
    await expect(ada.message("meanwhile")).to_have_count(0)
    assert abs(await top_of(ada, "message 60") - before) <= 1
    await ada.page.locator("#to-end").click()
    await is_live(ada, "meanwhile")
    await expect(ada.message("message 60")).to_have_count(0)
    await ada.page.go_back()
    await looks_at(ada, "message 60")
    await ada.page.go_forward()
    await is_live(ada, "meanwhile")


async def test_the_context_is_paged_both_ways_until_it_meets_the_log(site: Site, browser: Browser) -> None:
    kim = await full(site)
    ada = await browser.person(site, "Ada", path="/rooms/lobby?at=100")
    await looks_at(ada, "message 100")
    box = ada.page.locator("#timeline")
    await box.evaluate("(box) => { box.scrollTop = 0; }")
    await expect(ada.message("message 51")).to_have_count(1)
    while await ada.message("message 200").count() == 0:
        count = await ada.messages.count()
        await box.evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
        await expect(ada.messages).not_to_have_count(count)
    await box.evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
    await expect(ada.page.locator("#newer")).to_be_hidden()
    await kim.say("live")
    await expect(ada.message("live")).to_be_in_viewport()
    shown = await ada.messages.locator(".message__body").all_inner_texts()
    first = int(shown[0].split()[1])
    assert [one.strip() for one in shown] == [f"message {n}" for n in range(first, 201)] + ["live"]


async def test_changes_of_what_is_looked_at_arrive_also_after_an_absence(
    site: Site, browser: Browser
) -> None:
    kim = await full(site)
    page = await site.app.services.database.history.around(
        site.app.services.registry.all()[0].info.id, 60, limit=2
    )
    ids = [message.id for message in page.messages]
    ada = await browser.person(site, "Ada", path="/rooms/lobby?at=60")
    await looks_at(ada, "message 60")
    kim.send(type="react", id=ids[-1], emoji="🎉")
    await expect(ada.page.locator(".reaction[data-emoji='🎉']")).to_be_visible()
    await ada.press_button("Go offline")
    kim.send(type="edit", room="lobby", id=ids[0], text="edited meanwhile")
    await kim.until("edited")
    await ada.press_button("Go online")
    await ada.sees("edited meanwhile")
    await expect(ada.message("message 200")).to_have_count(0)
    await ada.choose("edited meanwhile", "Reply")
    await ada.write("late, but yes")
    await is_live(ada, "late, but yes")
    await expect((await ada.sees("late, but yes")).locator(".message__quote")).to_have_text(
        "Kim edited meanwhile"
    )


async def test_a_quote_jumps_in_view_or_to_the_context_of_what_is_not_loaded(
    site: Site, browser: Browser
) -> None:
    kim = await full(site)
    history = site.app.services.database.history
    room = site.app.services.registry.all()[0].info.id
    for seq in (20, 190):
        (old, *_) = (await history.around(room, seq, limit=1)).messages
        kim.send(type="message", text=f"about {seq}", replyTo=old.id)
    ada = await browser.person(site, "Ada")
    await ada.sees("about 190")
    for number in range(30):
        await kim.say(f"then {number}")
    await ada.sees("then 29")
    await ada.message("about 190").locator(".message__quote").click()
    await looks_at(ada, "message 190")
    await expect(ada.message("message 190")).to_be_focused()
    await ada.is_at("/rooms/lobby")
    quote = ada.message("about 20").locator(".message__quote")
    await expect(quote).to_have_text("Kim message 20")
    await quote.click()
    await looks_at(ada, "message 20")
    await expect(ada.message("message 20")).to_be_focused()
    await ada.is_at(r"/rooms/lobby?at=20#message-20")
    await ada.reload()
    await looks_at(ada, "message 20")
    await ada.page.get_by_role("button", name=TO_NEWEST).click()
    await is_live(ada, "then 29")


async def test_quotes_of_what_is_not_loaded_are_fetched_together_and_follow_its_edits(
    site: Site, browser: Browser
) -> None:
    kim = await full(site)
    history = site.app.services.database.history
    room = site.app.services.registry.all()[0].info.id
    ids = [(await history.around(room, seq, limit=1)).messages[0].id for seq in (10, 11)]
    await site.account("Owner", "owner")
    await make_room(site, "den", "Den")
    ada = await browser.person(site, "Ada", path="/rooms/den")
    for number, one in enumerate(ids):
        kim.send(type="message", text=f"about {number}", replyTo=one)
    await kim.until("message", seq=202)
    asked: list[str] = []
    ada.page.on("request", lambda request: asked.append(request.url) if "ids=" in request.url else None)
    await ada.enter("Lobby")
    for number in range(2):
        await expect(ada.message(f"about {number}").locator(".message__quote")).to_have_text(
            f"Kim message {number + 10}"
        )
    assert len(asked) == 1
    kim.send(type="delete", room="lobby", id=ids[0])
    kim.send(type="edit", room="lobby", id=ids[1], text="not 11")
    for number, text in enumerate(("This message was deleted.", "not 11")):
        await expect(ada.message(f"about {number}").locator(".message__quote")).to_have_text(f"Kim {text}")


async def test_the_link_of_a_message_is_copied_and_opens_it_for_somebody_else(
    site: Site, browser: Browser
) -> None:
    await full(site, 120)
    ada = await browser.person(site, "Ada", permissions=["clipboard-read", "clipboard-write"])
    bo = await browser.person(site, "Bo")
    await ada.choose("message 110", "Copy link")
    link = await ada.page.evaluate("() => navigator.clipboard.readText()")
    assert link == f"{site.url}/rooms/lobby?at=110#message-110"
    await expect(ada.message("message 110").locator(".message__time")).to_have_attribute(
        "href", "/rooms/lobby?at=110#message-110"
    )
    await bo.open(link)
    await looks_at(bo, "message 110")
    await bo.write(link.replace("110", "5"))
    await bo.message(link.replace("110", "5")).get_by_role("link").last.click()
    await looks_at(bo, "message 5")
