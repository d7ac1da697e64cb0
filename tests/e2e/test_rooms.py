"""Rooms in the page: who is there, switching, drafts, what is unread, and the past."""

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.core.people_nodes import Network, Node, elsewhere
from tests.e2e.browser import Browser, Person

pytestmark = pytest.mark.gen_test(timeout=180)

NO_LIMITS = pytest.mark.settings(
    rate_limit="0", account_rate_limit="0", address_rate_limit="0", frame_rate_limit="0"
)


TWO_FAILURES = """
Math.random = () => 0.999; // waits half a second, then one
let tries = 0;
window.WebSocket = class extends WebSocket {
  constructor(address) {
    tries += 1;
    super(tries > 2 ? address : address.replace("/chat", "/nowhere"));
  }
};
"""


async def make_room(site: Site, slug: str, title: str) -> None:
    owner = (await site.app.services.administration.list_users())[0]
    await site.app.services.management.create_room(owner, slug, title)


async def fill(site: Site, count: int, name: str = "Bo", room: str = "lobby") -> None:
    """`count` messages, "message 1" and on, written by somebody who leaves again."""
    bo = await site.join(await site.account(name), f"room={room}")
    for number in range(count):
        await bo.say(f"message {number + 1}", room)
    bo.connection.close()


# -- people


async def test_a_second_tab_does_not_count_twice_and_leaving_is_told_after_five_seconds(
    site: Site, browser: Browser
) -> None:
    ada = await browser.person(site, "Ada")
    bo, kim = await browser.person(site, "Bo"), await browser.person(site, "Kim")
    second = await kim.another_tab()
    for tab in (ada, bo, kim, second):
        await tab.sees_people("Ada", "Bo", "Kim")
    left = await ada.page.evaluate_handle("() => ({ at: performance.now() })")
    await second.page.close()
    await bo.page.close()
    await ada.sees_people("Ada", "Kim")  # so Kim, whose second tab went before, is here by the one left
    waited: float = await left.evaluate("(left) => performance.now() - left.at")
    assert waited > 4_500
    await kim.write("still here")
    await ada.sees("still here")


async def test_people_of_another_node_are_in_the_list_which_says_when_they_are_not_known(
    site: Site, browser: Browser
) -> None:
    network, services = Network(), site.app.services
    here = elsewhere(network, "here", services.registry, services.tasks)
    there = Node(network, "there", services.registry.all()[0].info.id)
    network.tell_alive()
    ada = await browser.person(site, "Ada")
    line = ada.page.get_by_text("Who is on other servers is not known right now.")
    there.join("Bo", there.registry.all()[0].info.slug)
    await ada.sees_people("Ada", "Bo")
    await expect(line).to_be_hidden()
    network.go_away()
    await expect(line).to_be_visible()
    answer = await site.get("/rooms/lobby", cookie=await site.sign_in("Ada"))
    assert b'<p class="people__partial quiet" id="people-partial">' in answer.body
    await ada.sees_people("Ada", "Bo")
    network.come_back()
    network.tell_alive()
    await expect(line).to_be_hidden()
    await ada.sees_people("Ada", "Bo")
    here.close()
    await there.close()


# -- switching


async def test_each_room_has_its_messages_and_its_own_draft_that_survives_a_reload(
    site: Site, browser: Browser
) -> None:
    await site.account("Owner", "owner")
    await make_room(site, "den", "The den")
    ada = await browser.person(site, "Ada")
    await ada.write("in the lobby")
    await ada.draft("half a thought")
    await ada.enter("The den")
    await ada.is_at("/rooms/den")
    await ada.sees_messages()
    await expect(ada.composer).to_have_value("")
    await ada.write("in the den")
    await ada.sees("in the den")
    await ada.draft("half a den")
    await ada.enter("Lobby")
    await expect(ada.composer).to_have_value("half a thought")
    await ada.sees_messages("in the lobby")
    await ada.reload()
    await expect(ada.composer).to_have_value("half a thought")
    await ada.page.go_back()
    await expect(ada.page.locator("#room-title")).to_have_text("The den")
    await expect(ada.composer).to_have_value("half a den")
    await ada.sees_messages("in the den")
    await expect(ada.room_link("The den")).to_have_attribute("aria-current", "page")
    await expect(ada.page).to_have_title("The den · Roomlog")


async def test_unread_messages_show_in_the_list_and_title_and_reading_in_one_tab_clears_the_other(
    site: Site, browser: Browser
) -> None:
    await site.account("Owner", "owner")
    await make_room(site, "den", "The den")
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim", path="/rooms/den")
    second = await ada.another_tab()
    badge = ".badge__count"
    for number in (1, 2, 3):
        await kim.write(f"news {number}")
        await kim.sees(f"news {number}")
    for tab in (ada, second):
        await expect(tab.room_link("The den").locator(badge)).to_have_text("3")
        await expect(tab.page).to_have_title("(3) Lobby · Roomlog")
    icon = ada.page.locator("#favicon")
    await expect(icon).to_have_attribute("href", await icon.get_attribute("data-unread-href") or "")
    await ada.reload()
    await expect(ada.room_link("The den").locator(badge)).to_have_text("3")

    await second.enter("The den")
    await second.sees_messages("news 1", "news 2", "news 3")
    for tab in (ada, second):
        await expect(tab.room_link("The den").locator(".badge")).to_be_hidden()
    await expect(ada.page).to_have_title("Lobby · Roomlog")
    await expect(second.page).to_have_title("The den · Roomlog")
    await ada.reload()
    await expect(ada.room_link("The den").locator(".badge")).to_be_hidden()


async def test_a_room_made_elsewhere_appears_with_its_title_when_somebody_writes_in_it(
    site: Site, browser: Browser
) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim", path="/rooms")
    await kim.page.get_by_label("Title").fill("Fresh paint")
    await kim.page.get_by_label("Address").fill("paint")
    await kim.press_button("Create room")
    await kim.is_at("/rooms/paint")
    await kim.is_on_line()
    await kim.write("first!")
    await kim.sees("first!")
    await expect(ada.room_link("Fresh paint").locator(".badge__count")).to_have_text("1")
    await ada.enter("Fresh paint")
    await ada.sees_messages("first!")


# -- the past


@NO_LIMITS
async def test_scrolling_up_brings_every_message_and_keeps_what_is_looked_at_in_place(
    site: Site, browser: Browser
) -> None:
    await fill(site, 200)
    ada = await browser.person(site, "Ada")
    await expect(ada.messages).to_have_count(50)
    await at_end(ada)
    for shown in (50, 100, 150):
        first = f"message {200 - shown + 1}"
        await expect(ada.messages).to_have_count(shown)
        before = await scroll_to(ada, first)
        await expect(ada.messages).to_have_count(shown + 50)
        after = await top_of(ada, first)
        assert abs(after - before) <= 1
    await ada.sees_messages(*(f"message {number + 1}" for number in range(200)))
    await ada.page.locator("#timeline").evaluate("(box) => { box.scrollTop = 0; }")
    await expect(ada.page.locator("#start")).to_be_in_viewport()
    await expect(ada.page.locator("#load-older")).to_be_hidden()


@NO_LIMITS
async def test_further_up_new_messages_are_announced_and_at_the_end_the_view_goes_with_them(
    site: Site, browser: Browser
) -> None:
    await fill(site, 60)
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    await kim.write("seen at once")
    await expect(await ada.sees("seen at once")).to_be_in_viewport()
    button = ada.page.locator("#to-end")
    await expect(button).to_be_hidden()

    await scroll_to(ada, "message 20")
    await expect(button).to_have_text("To the end")
    before = await top_of(ada, "message 20")
    await kim.write("below the view")
    row = await ada.sees("below the view")
    await expect(button).to_have_text("New messages")
    await expect(row).not_to_be_in_viewport()
    assert abs(await top_of(ada, "message 20") - before) <= 1
    await button.click()
    await expect(row).to_be_in_viewport()
    await expect(button).to_be_hidden()
    await kim.write("followed again")
    row = await ada.sees("followed again")
    await expect(row).to_be_in_viewport()
    await ada.draft("\n" * 8)  # a field that grows takes the room from the other end of the view
    await expect(row).to_be_in_viewport(ratio=1)


async def test_the_line_of_the_unread_stands_before_the_first_message_not_read(
    site: Site, browser: Browser
) -> None:
    await site.account("Owner", "owner")
    await make_room(site, "den", "The den")
    kim = await browser.person(site, "Kim")
    await kim.write("read in time")
    await kim.sees("read in time")
    ada = await browser.person(site, "Ada", path="/rooms/den")
    badge = ada.room_link("Lobby").locator(".badge")
    await expect(badge).to_contain_text("1")
    reading = await ada.another_tab()
    await expect(badge).to_be_hidden()  # to open it is to read it
    await reading.page.close()
    for text in ("missed", "missed too"):
        await kim.write(text)
    await expect(badge).to_contain_text("2")
    reading = await ada.another_tab()
    line = reading.page.locator("#messages .unread-line")
    await expect(line).to_be_in_viewport()
    await expect(reading.page.locator(".unread-line + .message .message__body")).to_have_text("missed")
    await expect(badge).to_be_hidden()
    await reading.write("caught up")
    await reading.sees("caught up")
    await expect(line).to_have_count(0)
    await reading.reload()
    await reading.sees("caught up")
    await expect(line).to_have_count(0)


async def test_what_is_looked_at_before_there_is_a_line_counts_as_read_once_there_is(
    site: Site, browser: Browser
) -> None:
    await site.account("Owner", "owner")
    await make_room(site, "den", "The den")
    await fill(site, 1)
    ada = await browser.person(site, "Ada", path="/rooms/den")
    badge = ada.room_link("Lobby").locator(".badge")
    await expect(badge).to_contain_text("1")
    browser.expect(r"Unexpected response code: 404")
    await ada.context.add_init_script(TWO_FAILURES)
    await ada.another_tab()
    await expect(badge).to_be_hidden()


async def scroll_to(person: Person, text: str) -> float:
    """Puts a message at the top of the view, and tells where it stands now."""
    return float(
        await person.message(text).evaluate(
            "(row) => { row.scrollIntoView({ block: 'start' }); return row.getBoundingClientRect().top; }"
        )
    )


async def top_of(person: Person, text: str) -> float:
    return float(await person.message(text).evaluate("(row) => row.getBoundingClientRect().top"))


async def at_end(person: Person) -> None:
    await expect(person.messages.last).to_be_in_viewport()
    await expect(person.page.locator("#to-end")).to_be_hidden()


# -- without scripts


@NO_LIMITS
async def test_without_javascript_one_signs_in_reads_pages_back_and_makes_a_room(
    site: Site, browser: Browser
) -> None:
    await fill(site, 120)
    await site.account("Ada", "owner")
    ada = await browser.visitor(site.url, java_script_enabled=False)
    await ada.open("/")
    await ada.is_at("/login")
    await ada.sign_in("Ada")
    await ada.is_at("/rooms/lobby")
    await expect(ada.messages).to_have_count(50)
    await expect(ada.message("message 120")).to_be_in_viewport()
    await expect(ada.page.locator(".composer__noscript")).to_be_visible()
    for first, last in ((21, 70), (1, 20)):
        await ada.page.get_by_role("link", name="Older messages").click()
        await expect(ada.messages).to_have_count(last - first + 1)
        await expect(ada.messages.first.locator(".message__body")).to_have_text(f"message {first}")
        await expect(ada.messages.last.locator(".message__body")).to_have_text(f"message {last}")
    await expect(ada.page.get_by_role("link", name="Older messages")).to_have_count(0)
    await ada.page.get_by_role("link", name="To the newest messages").click()
    await expect(ada.message("message 120")).to_be_in_viewport()

    await ada.page.get_by_text("New room").click()
    await ada.page.get_by_label("Title").fill("Quiet room")
    await ada.page.get_by_label("Address").fill("quiet")
    await ada.press_button("Create room")
    await ada.is_at("/rooms/quiet")
    await expect(ada.page.locator("#room-title")).to_have_text("Quiet room")
    await ada.press_button("Sign out")
    await ada.is_at("/login")
