"""A real database, in a folder of the test or in PostgreSQL, with what most tests need in it."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import Connection

from chat_app.backends.sql.database import SqlDatabase, open_database
from chat_app.errors import ChatError
from chat_app.models import Account, Amend, Change, Committed, Message, Post, Role, RoomInfo

NOW = 3_000_000_000_000
"""In 2065, and so after the lobby, which every new database makes by the real clock."""
DAY = 86_400_000


class Place(NamedTuple):
    """Where a database is: `postgresql` is a URL, None where it is a file of the folder."""

    folder: Path
    postgresql: str | None = None

    @property
    def url(self) -> str:
        return self.postgresql or f"sqlite:///{self.folder / 'chat.db'}"

    @property
    def name(self) -> str:
        """Of the database in PostgreSQL."""
        return self.url.rpartition("/")[2]


def account(name: str, role: Role = "member", *, disabled: bool = False) -> Account:
    return Account(f"id-{name}", name, name.casefold(), role, disabled, NOW)


class Store:
    """The open database, its lobby, and what awaits a change."""

    def __init__(self, database: SqlDatabase, lobby: RoomInfo) -> None:
        self.database = database
        self.history = database.history
        self.rooms = database.rooms
        self.accounts = database.accounts
        self.lobby = lobby
        self._posted = 0
        self._node = secrets.token_hex(4)

    def post_of(self, author: str, text: str, *, nonce: str | None = None, **fields: Any) -> Post:
        """A message in the lobby, with an id of its own."""
        self._posted += 1
        given: dict[str, Any] = {
            "id": f"{self._node}-{self._posted}",
            "room_id": self.lobby.id,
            "account_id": f"id-{author}",
            "author": author,
            "text": text,
            "html": None,
            "nonce": nonce,
            "sent_ms": NOW,
        }
        return Post(**given | fields)

    async def submit(self, *changes: Change) -> list[Committed | ChatError]:
        """What becomes of them, queued together, in the order in which the results came."""
        results: list[Committed | ChatError] = []
        everything = asyncio.Event()

        def done(result: Committed | ChatError) -> None:
            results.append(result)
            if len(results) == len(changes):
                everything.set()

        for change in changes:
            self.history.submit(change, done)
        await everything.wait()
        return results

    async def store(self, change: Change) -> Committed:
        """The change is stored; a refusal is raised."""
        (result,) = await self.submit(change)
        if isinstance(result, ChatError):
            raise result
        return result

    async def post(self, author: str, text: str, **fields: Any) -> Message:
        return (await self.store(self.post_of(author, text, **fields))).message

    async def edit(self, message: Message, actor: str, text: str, *, at_ms: int = NOW) -> Committed:
        return await self.store(
            Amend("edited", message.room_id, message.id, f"id-{actor}", False, at_ms, text=text)
        )

    async def delete(self, message: Message, actor: str, *, may_moderate: bool = False) -> Committed:
        return await self.store(
            Amend("deleted", message.room_id, message.id, f"id-{actor}", may_moderate, NOW)
        )


async def opened(where: Path | Place, **options: Any) -> Store:
    place = Place(where) if isinstance(where, Path) else where
    database = await open_database(place.url, backups=place.folder / "backups", **options)
    (lobby, *_) = await database.rooms.all()
    return Store(database, lobby)


def migrated(url: str) -> None:
    """Makes what a new database has."""

    async def main() -> None:
        await (await open_database(url, backups=Path())).close()

    asyncio.run(main())


@asynccontextmanager
async def held(store: Store, place: Place) -> AsyncIterator[None]:
    """Nothing is stored meanwhile: what comes first waits in a transaction, the rest is one batch."""
    if place.postgresql is not None:
        connection = await asyncpg.connect(place.postgresql)
        async with connection.transaction():
            await connection.execute("SELECT FROM rooms FOR UPDATE")
            yield
        await connection.close()
        return
    release, inside, loop = threading.Event(), asyncio.Event(), asyncio.get_running_loop()

    def wait(_: Connection) -> None:
        loop.call_soon_threadsafe(inside.set)
        assert release.wait(60)

    writing = asyncio.create_task(store.database._writer.write(wait))  # type: ignore[attr-defined]
    await inside.wait()
    try:
        yield
    finally:
        release.set()
        await writing


@asynccontextmanager
async def opened_with_people(where: Path | Place, **options: Any) -> AsyncIterator[Store]:
    """An open database with the members ann and bob, which is closed in the end."""
    store = await opened(where, **options)
    try:
        for name in ("ann", "bob"):
            if await store.accounts.by_name(name) is None:
                await store.accounts.create(account(name), "hash")
        yield store
    finally:
        await store.database.close()


def run(where: Path | Place, scenario: Callable[[Store], Awaitable[None]], **options: Any) -> None:
    """The scenario on such a database; a folder alone means a file in it."""

    async def main() -> None:
        async with opened_with_people(where, **options) as store:
            await scenario(store)

    asyncio.run(main())


def run_two(place: Place, scenario: Callable[[Store, Store], Awaitable[None]], **options: Any) -> None:
    """The same with two nodes on one database."""

    async def main() -> None:
        async with opened_with_people(place, **options) as one, opened_with_people(place, **options) as two:
            await scenario(one, two)

    asyncio.run(main())
