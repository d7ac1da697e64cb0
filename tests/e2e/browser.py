"""People in a real browser, so that the tests read as sentences.

Used by the tests of this folder through the fixture `browser`; it never looks inside the server. Whatever goes wrong
in a page (an error on its console, which is where breaches of the content security policy go too, an uncaught
exception, a request that failed) is kept, and fails the test unless the test said that it expects it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

from playwright.async_api import Browser as Chromium, BrowserContext, Locator, Page, Request, WebError, expect

from tests.conftest import PASSWORD, Site

WAIT_MS = 30_000
"""How long a page may take to show what it should; only a failing test takes so long."""
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 700}


def noon() -> str:
    """A zone in which it is about noon: no day ends there while a test runs."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"  # POSIX counts the hours to the west


async def holds(page: Page, predicate: str, argument: Any = None) -> None:
    """Waits until the async function of the page says so: `wait_for_function` takes its promise for a yes."""
    script = f"""async ([argument, patience]) => {{
      const predicate = {predicate};
      const deadline = performance.now() + patience;
      while (!(await predicate(argument))) {{
        if (performance.now() > deadline) throw new Error("it never came to hold");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }}
    }}"""
    await page.evaluate(script, [argument, WAIT_MS])


class Browser:
    """One test's share of Chromium: the people in it, and what went wrong in their pages."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium
        self._contexts: list[BrowserContext] = []
        self._expected: list[str] = []
        self._problems: list[str] = []

    async def visitor(self, url: str, **options: Any) -> Person:
        """Somebody who is not signed in, with a page that is still empty; `options` are the context's."""
        context = await self._chromium.new_context(
            base_url=url, **{"viewport": WIDE, "timezone_id": noon(), **options}
        )
        self._contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.on("console", lambda message: self._note(message.type, message.text))
        context.on("weberror", self._threw)
        context.on("requestfailed", self._failed)
        return Person(context, await context.new_page(), self)

    async def person(
        self, site: Site, name: str, role: str = "member", path: str = "/rooms/lobby", **options: Any
    ) -> Person:
        """A new account, signed in and looking at `path`."""
        return await self.holder_of(await site.account(name, role), site, path, **options)

    async def holder_of(self, cookie: str, site: Site, path: str = "/rooms/lobby", **options: Any) -> Person:
        """Whoever that session belongs to, looking at `path`."""
        person = await self.visitor(site.url, **options)
        cookie_name, _, value = cookie.partition("=")
        await person.context.add_cookies([{"name": cookie_name, "value": value, "url": site.url}])
        return await person.open(path)

    def expect(self, *patterns: str) -> None:
        """From the start to the end of this test such problems are no failure."""
        self._expected.extend(patterns)

    @property
    def problems(self) -> list[str]:
        """What no test expected."""
        return [text for text in self._problems if not any(re.search(one, text) for one in self._expected)]

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self._problems.append(f"{kind}: {text}")

    def _threw(self, error: WebError) -> None:
        self._problems.append(f"uncaught: {error.error.message}")

    def _failed(self, request: Request) -> None:
        if request.failure == "net::ERR_ABORTED":  # a page that is left ends what it was loading
            return
        self._problems.append(f"failed: {request.method} {request.url}: {request.failure}")


class Person:
    """Somebody at one tab of a browser of their own."""

    def __init__(self, context: BrowserContext, page: Page, browser: Browser) -> None:
        self.context = context
        self.page = page
        self._browser = browser

    async def another_tab(self, path: str = "/rooms/lobby") -> Person:
        """The same person and browser, in a further tab."""
        return await Person(self.context, await self.context.new_page(), self._browser).open(path)

    async def open(self, path: str) -> Self:
        await self.page.goto(path)
        return await self.settled()

    async def reload(self) -> Self:
        await self.page.reload()
        return await self.settled()

    async def settled(self) -> Self:
        """A room is shown and its line is there; other pages are ready as they are."""
        if await self.page.locator("#chat[data-line]").count():
            await self.is_on_line()
        return self

    async def is_on_line(self) -> None:
        await expect(self.page.locator("#chat")).to_have_attribute("data-line", "online")
        await expect(self.page.locator("#people-list .person").first).to_be_attached()

    # -- doing

    async def sign_in(self, name: str, password: str = PASSWORD, *, button: str = "Sign in") -> None:
        """Through the form of the page that is open."""
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_label("Password").fill(password)
        await self.press_button(button)

    async def press_button(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def draft(self, text: str) -> None:
        await self.composer.fill(text)

    async def press(self, key: str) -> None:
        await self.composer.press(key)

    async def write(self, text: str) -> None:
        await self.draft(text)
        await self.press("Enter")

    async def enter(self, title: str) -> None:
        """Another room, by the list of rooms."""
        await self.room_link(title).click()
        await expect(self.page.locator("#room-title")).to_have_text(title)

    async def choose(self, text: str, action: str) -> None:
        """One entry of the menu of a message."""
        row = self.message(text)
        await row.hover()
        await row.get_by_role("button", name="More about this message").click()
        await self.page.get_by_role("menuitem", name=action).click()

    # -- seeing

    @property
    def composer(self) -> Locator:
        return self.page.locator("#composer-text")

    @property
    def messages(self) -> Locator:
        return self.page.locator("#messages .message")

    def message(self, text: str) -> Locator:
        """The message with exactly this text."""
        body = self.page.locator(".message__body", has_text=re.compile(rf"^\s*{re.escape(text)}\s*$"))
        return self.messages.filter(has=body)

    def room_link(self, title: str) -> Locator:
        return self.page.locator("#rooms .room-link", has_text=title)

    async def sees(self, text: str, state: str = "sent") -> Locator:
        """This message, once, in this state: sent, pending or refused."""
        row = self.message(text)
        await expect(row).to_have_count(1)
        await expect(row).to_have_attribute("data-state", state)
        return row

    async def sees_messages(self, *texts: str) -> None:
        """These and no others, in this order."""
        await expect(self.messages.locator(".message__body")).to_have_text(list(texts))

    async def sees_people(self, *names: str) -> None:
        await expect(self.page.locator("#people-list .person__name")).to_have_text(list(names))
        await expect(self.page.locator("#online")).to_have_text(str(len(names)))

    async def sees_status(self, text: str | re.Pattern[str]) -> None:
        await expect(self.page.locator("#status-text")).to_have_text(text)

    async def sees_alert(self, text: str) -> None:
        await expect(self.page.get_by_role("alert")).to_have_text(text)

    async def is_at(self, path: str) -> None:
        await expect(self.page).to_have_url(re.compile(rf"^http://[^/]+{re.escape(path)}$"))

    async def stored(self, prefix: str) -> Sequence[str]:
        """What this browser keeps under `roomlog:PREFIX`."""
        found: list[str] = await self.page.evaluate(
            "(prefix) => Object.keys(localStorage).filter((key) => key.startsWith(prefix)).map((key) => localStorage[key])",
            f"roomlog:{prefix}:",
        )
        return found
