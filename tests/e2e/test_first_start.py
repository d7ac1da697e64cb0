"""The way in: the first owner, signing in and out, and invitations."""

import pytest
from playwright.async_api import expect

from tests.conftest import PASSWORD, Site
from tests.e2e.browser import Browser

pytestmark = pytest.mark.gen_test(timeout=180)


async def test_the_setup_link_makes_the_owner_who_signs_out_and_in_again(
    site: Site, browser: Browser
) -> None:
    token = await site.app.services.identity.setup_token()
    ada = await browser.visitor(site.url)
    await ada.open(f"/setup?token={token}")
    await ada.sign_in("Ada", button="Create the owner account")
    await ada.is_at("/rooms/lobby")
    await ada.is_on_line()
    await expect(ada.page.locator("#sidebar .me")).to_contain_text("owner")

    await ada.press_button("Sign out")
    await ada.is_at("/login")
    await ada.open("/rooms/lobby")
    await ada.is_at("/login?next=%2Frooms%2Flobby")

    browser.expect(r"status of 401")
    await ada.sign_in("Ada", "not her password")
    await ada.sees_alert("The name or the password is wrong.")
    await expect(ada.page.get_by_label("Password")).to_be_focused()
    await ada.sign_in("Ada")
    await ada.is_at("/rooms/lobby")


async def test_an_unknown_name_gets_the_same_message_as_a_wrong_password(
    site: Site, browser: Browser
) -> None:
    await site.account("Ada", "owner")
    browser.expect(r"status of 401")
    told = []
    for name in ("Ada", "Nobody"):
        visitor = await browser.visitor(site.url)
        await visitor.open("/login")
        await visitor.sign_in(name, "not the password")
        await expect(visitor.page.get_by_role("alert")).to_be_visible()
        told.append(await visitor.page.get_by_role("alert").all_inner_texts())
    assert told[0] == told[1]
    assert len(told[0]) == 1


async def test_signing_out_asks_first_while_something_is_not_sent(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada", "owner")
    await ada.press_button("Go offline")
    await ada.write("not sent yet")
    await ada.sees("not sent yet", "pending")
    await ada.press_button("Sign out")
    dialog = ada.page.get_by_role("dialog", name="Sign out now?")
    await expect(dialog).to_contain_text("One message was not sent yet.")
    await ada.press_button("Stay")
    await expect(dialog).to_be_hidden()
    await ada.is_at("/rooms/lobby")
    await ada.press_button("Sign out")
    await ada.press_button("Sign out and lose it")
    await ada.is_at("/login")
    assert await ada.stored("outbox") == []


async def test_an_invitation_lets_one_newcomer_in_and_is_used_up_then(site: Site, browser: Browser) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    ada = await browser.person(site, "Ada", "owner", path="/join-links", permissions=permissions)
    await ada.press_button("Create link")
    shown = ada.page.get_by_role("status")
    link = await shown.get_by_label("Invitation link").input_value()
    await shown.get_by_role("button", name="Copy").click()
    await expect(shown.get_by_role("button")).to_have_text("Copied")
    assert await ada.page.evaluate("() => navigator.clipboard.readText()") == link

    kim = await browser.visitor(site.url)
    await kim.page.goto(link)
    await kim.sign_in("Kim", PASSWORD, button="Join")
    await kim.is_at("/rooms/lobby")
    await kim.sees_people("Kim")

    late = await browser.visitor(site.url)
    browser.expect(r"status of 410")
    answer = await late.page.goto(link)
    assert answer is not None
    assert answer.status == 410
    await expect(late.page.get_by_role("heading")).to_be_visible()
    await expect(late.page.locator("form")).to_have_count(0)
    await ada.open("/join-links")
    await expect(ada.page.locator("main")).to_contain_text("used up")
