"""Hostile names, titles and messages in a real browser: they stay text."""

import sqlite3

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.e2e.browser import Browser, Person

pytestmark = pytest.mark.gen_test(timeout=180)


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
    "[local](/logout) [other](//evil.example/x) [nothing](%00javascript:alert(1))",
    '<https://example.org/"onmouseover=alert(1)>',
    "https://example.org/<img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data=x><embed src=x><base href=//evil.example/>",
    "<style>@import '//evil.example/x.css'</style><link rel=stylesheet href=//evil.example/x.css>",
    "<form action=//evil.example/><input name=password autofocus onfocus=alert(1)><button formaction=javascript:alert(1)>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template><div id=chat data-line=offline></div>",
    "<a id=chat name=getElementById href=x>clobber</a>",
    "{{7*7}} ${7*7} <%= 7*7 %> %(name)s {0}",
    "&lt;script&gt;alert(1)&lt;/script&gt; &amp;lt;b&amp;gt;",
    "\u2028\u2029</script><script>alert(1)</script>",
    "> <img src=x onerror=alert(1)>\n- <svg onload=alert(1)>\n1. <b onclick=alert(1)>x</b>",
]
# What a page does that it should not; the fixture `browser` holds console errors and uncaught ones beside it.
WATCH = """
window.broken = [];
addEventListener("securitypolicyviolation", (event) => window.broken.push(event.violatedDirective + " " + event.blockedURI));
"""


ELEMENTS = {"P", "BR", "STRONG", "EM", "CODE", "PRE", "BLOCKQUOTE", "UL", "OL", "LI", "A"}


async def watched(site: Site, person: Person) -> list[str]:
    """Dialogs and requests to other sites, as they come; its page tells of breaches of the policy."""
    noticed: list[str] = []
    person.page.on("dialog", lambda dialog: noticed.append(dialog.message))
    person.page.on(
        "request",
        lambda asked: None if asked.url.startswith((site.url, "data:")) else noticed.append(asked.url),
    )
    await person.context.add_init_script(WATCH)
    await person.reload()
    return noticed


@pytest.mark.settings(rate_limit="0", account_rate_limit="0")
async def test_hostile_texts_stay_texts(site: Site, browser: Browser) -> None:
    ada, kim = await browser.person(site, "Ada"), await browser.person(site, "Kim")
    noticed = await watched(site, kim)
    for text in HOSTILE:
        await ada.write(text)
    await expect(kim.messages).to_have_count(len(HOSTILE))
    for _ in ("live", "from the server"):
        bodies = kim.page.locator(".message__body *")
        found: list[list[str]] = await bodies.evaluate_all(
            "(all) => all.map((one) => [one.tagName, ...one.getAttributeNames()])"
        )
        assert {tag for tag, *_ in found} <= ELEMENTS
        assert {name for _, *names in found for name in names} <= {"href", "rel", "start", "tabindex"}
        links: list[list[str]] = await kim.page.locator(".message__body a").evaluate_all(
            "(all) => all.map((a) => [a.protocol, a.rel])"
        )
        assert {protocol for protocol, _ in links} == {"https:"}
        assert {rel for _, rel in links} == {"noopener noreferrer nofollow"}
        await expect(kim.page).to_have_title("Lobby · Roomlog")
        assert await kim.page.evaluate("window.broken") == []
        assert (
            await kim.page.locator(
                "iframe, object, embed, base, link[href*=evil], main form[action*=evil]"
            ).count()
            == 0
        )
        assert await kim.page.locator("#chat").count() == 1
        await kim.reload()
    assert noticed == []


async def test_hostile_names_stay_names(site: Site, browser: Browser) -> None:
    """Such a name is refused; should one ever stand in the database, it still is only text."""
    ada = await browser.person(site, "Ada", "owner")
    noticed = await watched(site, ada)
    await site.account("Kim")
    name = "<img src=x onerror=alert(1)>\u202e"
    with sqlite3.connect(site.folder / "chat.db") as database:
        database.execute("UPDATE accounts SET name = ? WHERE name = 'Kim'", (name,))
    database.close()
    await site.app.services.management.create_room(
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
    for path in ("/rooms/odd", "/rooms", "/people", "/manage-rooms", "/join-links", "/account"):
        await ada.open(path)
        assert await ada.page.locator("[onerror], [onclick], main b, img[src='x']").count() == 0
        assert await ada.page.evaluate("window.broken") == []
    assert noticed == []
