"""Writes the pictures in screenshots/ beside this file: a server of its own, four people, two days.

Started from a clone with the test extra installed; needs Chromium, and for every letter Debian's
fonts-ipafont-gothic and fonts-noto-color-emoji. The browser's clock starts at a fixed time, so that the same
program makes the same pictures.
"""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chat_app.app import open_app
from chat_app.data_folder import ensure_data
from chat_app.settings import load
from tests.conftest import Client, Site

PICTURES = Path(__file__).resolve().parent / "screenshots"
NOW = datetime(2026, 3, 4, 9, 46, tzinfo=UTC)
WIDE = {"width": 1280, "height": 1076}
LOW = {"width": 1280, "height": 720}
LANGUAGE = "en-GB"
PHONE = {"width": 390, "height": 780}
PEOPLE = {"Ada": "owner", "Masa": "admin", "Lena Fuchs": "member", "Chidi": "member"}
ROOMS = {"releases": "Releases", "support": "Support desk", "tea": "Tea & biscuits"}
CODE = """```sql
CREATE INDEX CONCURRENTLY orders_by_day
    ON orders (account_id, created_at);
```"""
PLAN = """Fine with me. In the order of last time:

1. tag and build
2. the replica, then the primary
3. web nodes, one by one"""
TALK = (
    (
        "03 16:42",
        "Masa",
        "The candidate for **2.4** is on staging. Please click around: https://staging.example.org",
    ),
    ("03 16:44", "Lena Fuchs", "Looks good! Only the export takes 40 s for the big account."),
    ("03 16:58", "Ada", CODE),
    ("03 16:59", "Ada", "0.8 s now, and it is in the candidate."),
    ("03 17:05", "Chidi", "> the export takes 40 s\n\nGone. I ran it three times to be sure."),
    ("04 09:02", "Lena Fuchs", "Good morning! Do we ship at **10:30**?"),
    ("04 09:03", "Masa", PLAN),
    (
        "04 09:10",
        "Ada",
        "I watch the queue while the workers restart. Boards are [here](https://example.org/boards).",
    ),
    ("04 09:41", "Chidi", "@Ada the support desk asks whether anybody will notice. I say *no*?"),
    ("04 09:44", "Masa", "`make check` is green, the tag is out. The replica goes first."),
)
EDITED = ("0.8 s now, and it is in the candidate.", "**0.8 s** now, and it is in the candidate.")
REACTIONS = (("👍", ("Ada", "Lena Fuchs")), ("🎉", ("Chidi",)))  # to the last message
READ = 8  # so many of them has Ada read
ELSEWHERE = (
    ("support", "Lena Fuchs", "@Ada a customer asks about invoices"),
    ("support", "Chidi", "I can take that"),
    ("tea", "Masa", "Kettle is on"),
)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        async with serve(data) as site:
            await talk(site)
        date_messages(data / "chat.db")
        async with chromium() as browser:
            for scheme, suffix in (("light", ""), ("dark", "-dark")):
                for name, viewport in (("room", WIDE), ("phone", PHONE)):
                    copy = shutil.copytree(data, Path(folder) / f"{name}{suffix}")  # nothing new is read yet
                    async with serve(copy) as site:
                        await picture(site, browser, f"{name}{suffix}", viewport, scheme)
            for language in ("de-DE", "ja-JP"):
                copy = shutil.copytree(data, Path(folder) / language)
                async with serve(copy) as site:
                    await picture(site, browser, f"room-{language[:2]}", WIDE, "light", language)
            async with serve(data) as site:
                await take(await open_page(browser, site, "/login", None, LOW, "light"), "sign-in")
                ada = await site.sign_in("Ada")
                await take(await open_page(browser, site, "/search?q=candidate", ada, LOW, "light"), "search")


@contextlib.asynccontextmanager
async def serve(data: Path) -> AsyncIterator[Site]:
    settings = ensure_data(load({"port": "0", "data": str(data)}, {}))
    async with open_app(settings) as app:
        site = Site(app, data)
        yield site
        await site.close()


async def talk(site: Site) -> None:
    """Everybody says what is theirs; Ada reads the first part of it."""
    cookies = {name: await site.account(name, role) for name, role in PEOPLE.items()}
    for slug, title in ROOMS.items():
        await site.post("/rooms", {"slug": slug, "title": title}, cookie=cookies["Masa"])
    here = {name: await site.join(cookie, "room=releases") for name, cookie in cookies.items()}
    for index, (_, name, text) in enumerate(TALK):
        said = await here[name].say(text, "releases")
        if text == EDITED[0]:
            here[name].send(type="edit", room="releases", id=said["id"], text=EDITED[1])
            await here[name].until("edited")
        if index + 1 == READ:
            here["Ada"].send(type="read", room="releases", seq=said["seq"])
    for emoji, names in REACTIONS:
        for name in names:
            here[name].send(type="react", room="releases", id=said["id"], emoji=emoji)
            await here[name].until("reacted")
    await site.post("/rooms", {"slug": "board", "title": "Board", "kind": "private"}, cookie=cookies["Ada"])
    await site.post("/direct", {"names": "Lena Fuchs"}, cookie=cookies["Ada"])
    for slug, name, text in ELSEWHERE:
        here[name].send(type="join", room=slug)
        await here[name].until("presence", room=slug)
        await here[name].say(text, slug)


def date_messages(path: Path) -> None:
    """Puts the talk into its two days."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        for when, _, text in TALK:
            sent = datetime.strptime(f"2026-03-{when}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
            stored = EDITED[1] if text == EDITED[0] else text
            database.execute(
                "UPDATE messages SET sent_ms = ? WHERE text = ?", (int(sent.timestamp() * 1000), stored)
            )


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=sandbox)


async def picture(
    site: Site, browser: Browser, name: str, viewport: dict[str, int], scheme: str, language: str = LANGUAGE
) -> None:
    """What Ada sees when the others are here and one of them writes something."""
    cookies = {person: await site.sign_in(person) for person in PEOPLE}
    others = [await site.join(cookies[person], "room=releases") for person in PEOPLE if person != "Ada"]
    page = await open_page(browser, site, "/rooms/releases", cookies["Ada"], viewport, scheme, language)
    await page.locator("#status[data-state='online']").wait_for()
    await page.locator("#people-list .person").nth(len(PEOPLE) - 1).wait_for(state="attached")
    await typing(others[0], page)
    await take(page, name)


async def open_page(
    browser: Browser,
    site: Site,
    path: str,
    cookie: str | None,
    viewport: dict[str, int],
    scheme: str,
    language: str = LANGUAGE,
) -> Page:
    phone = viewport is PHONE
    context = await browser.new_context(
        viewport=viewport, device_scale_factor=2 if phone else 1.5, has_touch=phone, is_mobile=phone,
        color_scheme=scheme, locale=language, timezone_id="UTC",
    )  # fmt: skip
    await context.clock.install(time=NOW)
    if cookie is not None:
        name, _, value = cookie.partition("=")
        await context.add_cookies([{"name": name, "value": value, "url": site.url}])
    page = await context.new_page()
    await page.goto(site.url + path)
    return page


async def typing(client: Client, page: Page) -> None:
    """Until it is seen: the server passes on one such frame in two seconds, maybe before the page listens."""
    while not await page.locator("#typing").inner_text():
        client.send(type="typing", room="releases")
        await page.wait_for_timeout(200)


async def take(page: Page, name: str) -> None:
    await page.screenshot(path=PICTURES / f"{name}.png", caret="hide", animations="disabled")
    await page.context.close()


if __name__ == "__main__":
    asyncio.run(main())
