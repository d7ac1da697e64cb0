"""Hostile names, titles and messages in a real browser: they stay text."""

import sqlite3

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.e2e.browser import Browser

pytestmark = pytest.mark.gen_test(timeout=60)


HOSTILE = [
    '<img src=x onerror="document.title=1">',
    "<script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](JaVa&#x53;cript:alert(1))",
    "<javascript:alert(1)>",
    "![x](https://example.org/x.png)",
    '[a](https://example.org/"onmouseover="alert(1))',
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "`<img src=x onerror=alert(1)>`",
    "```\n</code></pre><script>alert(1)</script>\n```",
    "# no heading\n\n---\n\n| a | b |\n|---|---|\n| <b>1</b> | 2 |",
    "\u202egnp.exe\u202c and \u2066isolate",
    "[[[[[[[[[[[[[[[[**_`<a href='javascript:x'>`_**",
]


ELEMENTS = {"P", "BR", "STRONG", "EM", "CODE", "PRE", "BLOCKQUOTE", "UL", "OL", "LI", "A"}


async def test_hostile_texts_stay_texts(site: Site, browser: Browser) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    opened: list[str] = []
    kim.page.on("dialog", lambda dialog: opened.append(dialog.message))
    for text in HOSTILE:
        await ada.write(text)
    await expect(kim.messages).to_have_count(len(HOSTILE))
    for _ in ("live", "from the server"):
        bodies = kim.page.locator(".message__body *")
        found: list[list[str]] = await bodies.evaluate_all(
            "(all) => all.map((one) => [one.tagName, ...one.getAttributeNames()])"
        )
        assert {tag for tag, *_ in found} <= ELEMENTS
        assert {name for _, *names in found for name in names} <= {"href", "rel", "start"}
        links: list[list[str]] = await kim.page.locator(".message__body a").evaluate_all(
            "(all) => all.map((a) => [a.protocol, a.rel])"
        )
        assert {protocol for protocol, _ in links} == {"https:"}
        assert {rel for _, rel in links} == {"noopener noreferrer nofollow"}
        await expect(kim.page).to_have_title("Lobby · Roomlog")
        await kim.reload()
    assert opened == []


async def test_hostile_names_stay_names(site: Site, browser: Browser) -> None:
    """Such a name is refused; should one ever stand in the database, it still is only text."""
    ada = await browser.person(site, "Ada", "owner")
    await site.account("Kim")
    name = "<img src=x onerror=alert(1)>\u202e"
    with sqlite3.connect(site.folder / "chat.db") as database:
        database.execute("UPDATE accounts SET name = ? WHERE name = 'Kim'", (name,))
    database.close()
    await site.app.services.chat.create_room(
        (await site.app.services.administration.list_users())[0], "odd", "<b onclick=alert(1)>Odd</b>"
    )
    kim = await browser.holder_of(await site.sign_in("Kim"), site)
    await kim.draft("hello")
    await expect(ada.page.locator("#typing bdi")).to_have_text(name)
    await kim.press("Enter")
    row = await ada.sees("hello")
    await expect(row.locator(".message__author")).to_have_text(name)
    await expect(ada.page.locator("#people-list bdi", has_text="onerror")).to_have_count(1)
    await ada.open("/rooms/odd")
    await ada.enter("Lobby")
    await ada.enter("<b onclick=alert(1)>Odd</b>")
    await ada.write("in an odd room")
    await ada.sees("in an odd room")
    for path in ("/rooms/odd", "/rooms", "/people"):
        await ada.open(path)
        assert await ada.page.locator("[onerror], [onclick], main b, img[src='x']").count() == 0
