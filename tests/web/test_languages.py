"""The pages in the reader's language: which one, all of it, and in a real browser what the scripts say."""

import gettext
import json
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from markupsafe import Markup
from playwright.async_api import Browser, async_playwright, expect
from tornado.httpclient import HTTPResponse
from tornado.ioloop import IOLoop

from chat_app.web.languages import ENGLISH, Language, Languages
from chat_app.web.templates import PageLoader, folder
from tests import packages
from tests.conftest import PASSWORD, Site, cookie_of
from tests.e2e.browser import WAIT_MS, noon

OPEN = pytest.mark.settings(registration="open")


def page(answer: HTTPResponse) -> str:
    return answer.body.decode()


def lang(answer: HTTPResponse) -> str:
    found = re.search(r'<html lang="([\w-]+)" dir="ltr">', page(answer))
    assert found is not None
    assert answer.headers["Content-Language"] == found[1]
    assert "Accept-Language" in answer.headers["Vary"].split(", ")
    return found[1]


# -- which language --------------------


@pytest.mark.gen_test
async def test_a_page_comes_in_the_language_of_the_browser(site: Site) -> None:
    await site.account("Masa", "owner")
    assert lang(await site.get("/login")) == "en"
    german = await site.get("/login", Accept_Language="de-AT,de;q=0.9,en;q=0.1")
    assert lang(german) == "de" and "<h1>Anmelden</h1>" in page(german)
    japanese = await site.get("/login", Accept_Language="ja")
    assert lang(japanese) == "ja" and "<h1>ログイン</h1>" in page(japanese)


@pytest.mark.gen_test
async def test_the_account_keeps_its_language_over_browsers_and_sessions(site: Site) -> None:
    cookie = await site.account("Masa")
    changed = await site.post("/account/language", {"language": "ja"}, cookie=cookie)
    assert (changed.code, changed.headers["Location"]) == (303, "/account?notice=language")
    shown = await site.get("/account?notice=language", cookie=cookie, Accept_Language="de")
    assert lang(shown) == "ja" and "言語を変更しました。" in page(shown)
    assert re.search(r'<option value="ja" lang="ja" selected>日本語</option>', page(shown))
    assert (
        lang(await site.get("/rooms/lobby", cookie=await site.sign_in("Masa"), Accept_Language="de")) == "ja"
    )
    await site.post("/account/language", {"language": ""}, cookie=cookie)
    assert lang(await site.get("/account", cookie=cookie, Accept_Language="de")) == "de"


@pytest.mark.gen_test
async def test_a_language_that_is_not_there_is_refused(site: Site) -> None:
    cookie = await site.account("Masa")
    for wrong in ("tlh", "../de", "DE", "\u0000"):
        answer = await site.post(
            "/account/language", {"language": wrong}, cookie=cookie, Accept_Language="de"
        )
        assert answer.code == 400 and "Diese Sprache gibt es hier nicht." in page(answer)
    assert (
        (await site.post("/account/language", {"language": "de"}))
        .headers["Location"]
        .startswith("/login?next=")
    )


@pytest.mark.gen_test
async def test_refusals_and_errors_are_told_in_the_language(site: Site) -> None:
    cookie = await site.account("Masa")
    wrong = await site.post("/login", {"name": "Masa", "password": "x"}, Accept_Language="de")
    assert wrong.code == 401 and "Der Name oder das Passwort ist falsch." in page(wrong)
    title = await site.post("/rooms", {"slug": "x", "title": ""}, cookie=cookie, Accept_Language="de")
    assert "Ein Titel hat 1 bis 64 sichtbare Zeichen." in page(title)
    missing = await site.get("/nowhere", Accept_Language="ja")
    assert (
        missing.code == 404 and lang(missing) == "ja" and "<h1>ページが見つかりません</h1>" in page(missing)
    )


@pytest.mark.gen_test
async def test_what_programs_read_stays_english(site: Site) -> None:
    for path in ("/session", "/rooms/lobby/messages"):
        answer = await site.get(path, Accept_Language="de")
        assert json.loads(answer.body)["error"]["message"] == "Sign in first."
        assert "Content-Language" not in answer.headers
    client = await site.join(await site.account("Masa"))
    client.send(type="message", text="")
    assert (await client.until("error"))["message"] == "Message text is required."


@pytest.mark.gen_test
async def test_scripts_get_their_texts_where_they_are_not_english(site: Site) -> None:
    await site.account("Masa", "owner")
    german = page(await site.get("/login", Accept_Language="de"))
    found = re.search(r'<script type="application/json" id="texts">(.*?)</script>', german)
    assert found is not None and json.loads(found[1])["Online"] == "Online"
    assert 'id="texts"' not in page(await site.get("/login"))


@pytest.mark.gen_test
async def test_what_people_wrote_stays_data_inside_a_translated_text(site: Site) -> None:
    cookie = await site.account("Masa")
    title = """"'><i>%(room)s %s &amp;"""
    assert (await site.post("/rooms", {"slug": "x", "title": title}, cookie=cookie)).code == 303
    for language in ("en", "de", "ja"):
        shown = page(await site.get("/rooms/x", cookie=cookie, Accept_Language=language))
        assert "<i>" not in shown
        labels = [text for text in Words(shown).texts if title in text]
        assert len(labels) >= 4, labels


# -- all of it --------------------


class Pseudo(gettext.NullTranslations):
    """Every text that went through the catalogues stands in brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


_NO_WORDS = ("script", "style", "kbd", "code")  # names of keys and filters are the same in every language


class Words(HTMLParser):
    """What a person sees or hears of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent = 0
        self._running = ""
        self.feed(source)
        self.texts.append(self._running)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _NO_WORDS
        self.texts += [
            value or "" for name, value in attrs if name in ("aria-label", "title", "placeholder", "alt")
        ]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _NO_WORDS

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._running += data + "\n"


DATA = re.compile(
    r"Roomlog|Esc|/rooms/|English|Deutsch|日本語|\d{4}-\d\d-\d\d(?: \d\d:\d\d UTC)?|^  UTC$|127\.0\.0\.1"
    r"|http://localhost:\d+/\S+|Ḷøƀƀÿ|Lobby|Ḿäṡä|Ƀøƀ|Ʈïƭłë|ħëłłø|Firefox|Linux|Mozilla/5.0 .*|Tornado/[\d.]+",
    re.IGNORECASE | re.MULTILINE,
)


def bare(answer: HTTPResponse) -> list[str]:
    """The words of the page that did not go through the catalogues and are not known to be data."""
    left = []
    for text in Words(page(answer)).texts:
        inner = None
        while inner != text:
            inner, text = text, re.sub(r"⟦[^⟦⟧]*⟧", "", text)
        rest = DATA.sub("", text)
        rest = re.sub(r"(?<!\w)[ḾɃ](?!\w)", "", rest)  # the letters in the avatars
        left += re.findall(r"[^\W\d_]+", rest)
    return left


def speak_pseudo(site: Site) -> None:
    """From now on `xx` is a language of the site."""
    assets = site.app.services.assets
    pseudo = Language("xx", "English", "ltr", Pseudo(), Markup(""))
    languages = Languages({**assets.languages, "xx": pseudo})
    object.__setattr__(assets, "languages", languages)
    assets.loaders["xx"] = PageLoader(folder("templates"), pseudo)


@OPEN
@pytest.mark.gen_test
async def test_pages_before_signing_in_hold_no_text_beside_the_catalogues(site: Site) -> None:
    speak_pseudo(site)
    pseudo = {"Accept_Language": "xx"}
    token = await site.app.services.identity.setup_token() or ""
    answers = [await site.get("/setup-needed", **pseudo), await site.get(f"/setup?token={token}", **pseudo)]
    wrong = {"token": token, "name": "Ḿäṡä", "password": "short"}
    answers.append(await site.post("/setup", wrong, **pseudo))
    owner = cookie_of(await site.post("/setup", wrong | {"password": PASSWORD}))
    link = await site.post("/join-links", {"role": "moderator", "uses": "2", "days": "3"}, cookie=owner)
    shown = await site.get(link.headers["Location"], cookie=owner)
    join = re.findall(r"/join/[\w-]+", page(shown))[0]
    one_time = await site.app.services.administration.sign_in_link("Ḿäṡä")
    answers += [
        await site.get("/login", **pseudo),
        await site.post("/login", {"name": "Ḿäṡä", "password": "wrong"}, **pseudo),
        await site.post("/register", {"name": "Ḿäṡä", "password": PASSWORD}, **pseudo),
        await site.get(join, **pseudo),
        await site.post(join, {"name": "", "password": PASSWORD}, **pseudo),
        await site.get(one_time, **pseudo),
        await site.get("/link/none", **pseudo),
        await site.get("/nowhere", **pseudo),
        await site.get("/logout", **pseudo),
        await site.get("/rooms", Host="evil.example", **pseudo),
    ]
    for _ in range(5):
        throttled = await site.post("/login", {"name": "Ḿäṡä", "password": "wrong"}, **pseudo)
    answers.append(throttled)
    assert throttled.code == 429
    for answer in answers:
        assert "⟦" in page(answer) and bare(answer) == [], answer.effective_url


@pytest.mark.gen_test
async def test_pages_of_members_hold_no_text_beside_the_catalogues(site: Site) -> None:
    speak_pseudo(site)
    cookie = await site.account("Ḿäṡä", "owner")
    other = await site.account("Ƀøƀ")
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    await site.post("/login", {"name": "Ḿäṡä", "password": PASSWORD}, User_Agent=agent)
    asked = {"cookie": cookie, "Accept_Language": "xx"}
    client, guest = await site.join(cookie), await site.join(other)
    for text in ("ħëłłø", "**ħëłłø**"):
        ack = await client.say(text)
    client.send(type="edit", id=ack["id"], text="ħëłłø ħëłłø")
    await client.until("edited")
    ack = await client.say("ħëłłø")
    client.send(type="delete", id=ack["id"])
    await client.until("deleted")
    await guest.say("ħëłłø")
    answers = [
        await site.get(path, **asked)
        for path in (
            "/rooms/lobby",
            "/rooms/lobby?before=2",
            "/rooms",
            "/account",
            "/confirm",
            "/rooms/none",
            "/rooms/lobby?before=x",
            "/rooms/lobby/settings?notice=notify",
            "/rooms?notice=removed",
            "/search?q=%C4%A7%C3%AB%C5%82%C5%82%C3%B8",
            "/search?q=none",
            "/direct",
        )
    ]
    answers += [
        await site.post("/rooms", {"slug": "lobby", "title": "Ʈïƭłë"}, **asked),
        await site.post("/confirm", {"password": "wrong"}, **asked),
        await site.post("/account/name", {"name": ""}, **asked),
        await site.post("/account/sessions/none/end", {}, **asked),
        await site.post("/account/password", {"current": "wrong", "password": PASSWORD}, **asked),
        *[await site.get(f"/account?notice={name}", **asked) for name in ("name", "password", "others", "session", "language")],
    ]  # fmt: skip
    for answer in answers:
        assert "⟦" in page(answer) and bare(answer) == [], answer.effective_url
    assert "⟦This message was deleted.⟧" in page(answers[0]) and "⟦Firefox on Linux⟧" in page(answers[3])


@pytest.mark.gen_test
async def test_pages_of_administration_hold_no_text_beside_the_catalogues(site: Site) -> None:
    speak_pseudo(site)
    cookie = await site.account("Ḿäṡä", "owner")
    await site.account("Ƀøƀ")
    identity = site.app.services.identity
    (bob,) = [one for one in await identity.people.all() if one.name == "Ƀøƀ"]
    asked = {"cookie": cookie, "Accept_Language": "xx"}
    answers = [await site.get("/join-links", **asked)]
    for uses in ("1", "2", "3"):
        created = await site.post("/join-links", {"role": "admin", "uses": uses, "days": "3"}, **asked)
        answers.append(await site.get(created.headers["Location"], **asked))
    code = re.findall(r"/join/([\w-]+)", page(answers[-1]))[0]
    await site.post(f"/join-links/{code}/revoke", {}, **asked)
    (once,) = [link for link in await identity.people.join_links() if link.uses_left == 1]
    await site.post(f"/join/{once.code}", {"name": "Ƀøƀ 2", "password": PASSWORD})
    answers += [
        await site.get("/join-links", **asked),
        await site.post("/join-links", {"role": "admin", "uses": "0", "days": "3"}, **asked),
        await site.post(f"/people/{bob.id}/link", {}, **asked),
        await site.post(f"/people/{bob.id}/role", {"role": "none"}, **asked),
    ]
    await site.post(f"/people/{bob.id}/disable", {}, **asked)
    names = ("role", "disabled", "enabled")
    answers += [
        await site.get("/manage-rooms?notice=title", **asked),
        await site.post("/manage-rooms/lobby/title", {"title": ""}, **asked),
        await site.get("/join-links?notice=revoked", **asked),
    ]
    answers += [await site.get(f"/people?notice={name}", **asked) for name in names]
    for answer in answers:
        assert "⟦" in page(answer) and bare(answer) == [], answer.effective_url
    assert "⟦used up⟧" in page(answers[4]) and "⟦revoked⟧" in page(answers[4])
    assert "⟦disabled⟧" in page(answers[-1])


# -- in a real browser --------------------


@pytest.fixture
def chromium(io_loop: IOLoop) -> Iterator[Browser]:
    path = packages.chromium()
    if path is None:
        (pytest.fail if packages.strict() else pytest.skip)(
            "Chromium is needed: sudo apt-get install -y chromium"
        )
    expect.set_options(timeout=WAIT_MS)
    playwright = io_loop.run_sync(async_playwright().start)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    chromium = io_loop.run_sync(lambda: playwright.chromium.launch(executable_path=path, args=sandbox))
    yield chromium
    io_loop.run_sync(chromium.close)
    io_loop.run_sync(playwright.stop)


@pytest.mark.gen_test(timeout=180)
@pytest.mark.settings(max_message_length="20", rate_limit="2", rate_window_seconds="60")
async def test_scripts_speak_the_language_of_the_page(site: Site, chromium: Browser) -> None:
    name, _, value = (await site.account("Masa")).partition("=")
    bob = await site.join(await site.account("Bob"))
    context = await chromium.new_context(locale="de-DE", timezone_id=noon())
    await context.add_cookies([{"name": name, "value": value, "url": site.url}])
    page, problems = await context.new_page(), []
    page.on(
        "console",
        lambda message: problems.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(f"{site.url}/rooms/lobby")
    await expect(page.locator("#status-text")).to_have_text("Online")
    await bob.say("hello")
    await expect(page.locator(".day-line")).to_have_text("Heute")
    bob.send(type="typing")
    await expect(page.locator("#typing")).to_have_text("Bob schreibt …")
    text = page.locator("#composer-text")
    await expect(text).to_have_attribute("placeholder", "Nachricht in #Lobby")
    await text.fill("x" * 21)
    await text.press("Enter")
    await expect(page.locator("#composer-note")).to_contain_text("21 Zeichen sind zu viele: 20 sind erlaubt.")
    for message in ("eins", "zwei", "drei"):
        await text.fill(message)
        await text.press("Enter")
    await expect(page.locator(".message__reason")).to_contain_text(
        "Zu viele Nachrichten. Warte einen Moment. Wird in "
    )
    await page.locator("#line-switch").click()
    await expect(page.locator("#status-text")).to_have_text("Offline · Nachrichten warten hier")
    assert problems == []
    await context.close()


@pytest.mark.gen_test(timeout=180)
@pytest.mark.parametrize("language", [ENGLISH, "de", "ja"])
async def test_no_page_is_wider_than_a_small_phone(site: Site, chromium: Browser, language: str) -> None:
    name, _, value = (await site.account("Masa", "owner")).partition("=")
    await site.account("Bob with a long name ok", "moderator")
    context = await chromium.new_context(viewport={"width": 320, "height": 640}, locale=language)
    page = await context.new_page()
    await page.goto(f"{site.url}/login")
    assert await sideways(page) == []
    await context.add_cookies([{"name": name, "value": value, "url": site.url}])
    await site.post("/join-links", {"role": "moderator", "uses": "2", "days": "3"}, cookie=f"{name}={value}")
    for path in (
        "/rooms/lobby", "/rooms", "/account", "/people", "/join-links", "/manage-rooms", "/confirm", "/nowhere",
    ):  # fmt: skip
        await page.goto(site.url + path)
        assert await sideways(page) == [], path
        await page.evaluate("for (const each of document.querySelectorAll('.page details')) each.open = true")
        assert await sideways(page) == [], path
    await context.close()


async def sideways(page: object) -> list[str]:
    """What stands out of the page, or is cut off in its own box, to the right."""
    found: list[str] = await page.evaluate(  # type: ignore[attr-defined]
        """() => [...document.querySelectorAll("body *")]
          .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".visually-hidden, .skip-link, svg, .drawer"))
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".topbar__nav")
                        || one.matches(".button") && one.offsetHeight > 60
                        || one.matches("button, a, h1, h2, label, .tag") && one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
          .map((one) => one.outerHTML.slice(0, 120))"""
    )
    return found
