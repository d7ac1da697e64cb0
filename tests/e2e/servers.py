"""Servers that are processes of their own, for tests that kill them while pages are open."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from chat_app.administering import open_administration
from chat_app.core.administration import Administration
from chat_app.data_folder import ensure_data
from chat_app.settings import load
from tests.conftest import PASSWORD
from tests.e2e.browser import Browser, Person
from tests.ports import free_port
from tests.processes import Server

AWAY = (
    r"ERR_CONNECTION_REFUSED",
    r"ERR_CONNECTION_RESET",
    r"ERR_EMPTY_RESPONSE",
    r"error occurred when fetching the script",  # the service worker, when the server goes meanwhile
)
"""What Chromium writes on the console while there is no server."""


async def start(data: Path, *flags: str) -> Server:
    """Entered already; the loop goes on meanwhile, since what happens in the pages comes over it.

    The port stays free for the next one, whose pages look for it there.
    """
    flags = flags if "--port" in flags else (*flags, "--port", str(free_port()))
    return await asyncio.to_thread(Server(data, *flags).__enter__)


async def kill(server: Server) -> None:
    assert await asyncio.to_thread(server.stop, signal.SIGKILL) == -signal.SIGKILL


def administration(data: Path) -> AbstractAsyncContextManager[Administration]:
    """As the commands have it while there is no server."""
    return open_administration(ensure_data(load({"data": str(data)}, {})))


async def accounts(data: Path, *names: str) -> None:
    async with administration(data) as commands:
        for name in names:
            await commands.add_user(name, "member", PASSWORD)


async def people(browser: Browser, url: str, *names: str) -> list[Person]:
    """Signed in through the form, in the lobby."""
    found = [await browser.visitor(url) for _ in names]
    for name, person in zip(names, found, strict=True):
        await person.open("/login?next=/rooms/lobby")
        await person.sign_in(name)
        await person.is_on_line()
    return found
