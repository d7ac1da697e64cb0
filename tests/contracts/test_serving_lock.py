"""One process alone, or several that say so: anything else is refused, also after a lost connection."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chat_app.administering import open_administration
from chat_app.app import open_app
from chat_app.backends.sql import serving_lock
from chat_app.backends.sql.advisory import LOCKS, SERVING
from chat_app.backends.sql.database import DatabaseError, SqlDatabase, open_database
from chat_app.data_folder import ensure_data
from chat_app.logs import log_event
from chat_app.settings import Settings, SettingsError, load
from tests.faults.proxy import Fate, Proxy
from tests.services import PostgreSQL

from .store import Place

ALONE = "Another process serves this database; several need REDIS_URL \\(--redis\\)."
SHARED = "A process without REDIS_URL \\(--redis\\) serves this database; each of several needs it."
HOLDERS = (
    f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = {LOCKS} AND objid = {SERVING}"
)
END = HOLDERS.replace("count(*)", "pg_terminate_backend(pid)") + " AND granted"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_lock, "START_SECONDS", 0.1)


async def serve(place: Place, *, shared: bool | None) -> SqlDatabase:
    return await open_database(place.url, backups=place.folder, shared=shared)


def heard(monkeypatch: pytest.MonkeyPatch, event: str) -> asyncio.Event:
    """Set when this is logged."""
    found = asyncio.Event()

    def log(logger: Any, name: str, **fields: Any) -> None:
        log_event(logger, name, **fields)
        if name == event:
            found.set()

    monkeypatch.setattr(serving_lock, "log_event", log)
    return found


@pytest.mark.parametrize(
    ("first", "second", "refusal"),
    [(False, False, ALONE), (True, False, ALONE), (False, True, SHARED), (True, True, None), (False, None, None), (None, False, None)],
)  # fmt: skip
def test_who_may_serve_beside_whom(
    shared: Place,
    monkeypatch: pytest.MonkeyPatch,
    first: bool | None,
    second: bool | None,
    refusal: str | None,
) -> None:
    async def scenario() -> None:
        one = await serve(shared, shared=first)
        if refusal is None:
            await (await serve(shared, shared=second)).close()
        else:
            with pytest.raises(DatabaseError, match=refusal):
                await serve(shared, shared=second)
        await one.close()
        monkeypatch.setattr(
            serving_lock, "START_SECONDS", 60.0
        )  # PostgreSQL ends a backend when it comes to it
        await (await serve(shared, shared=False)).close()  # it ends with its holder

    asyncio.run(scenario())


def test_whoever_serves_next_waits_a_moment_for_who_ends(
    shared: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_lock, "START_SECONDS", 10.0)

    async def scenario() -> None:
        first = await serve(shared, shared=False)
        following = asyncio.create_task(serve(shared, shared=False))
        while not following.done():
            await asyncio.sleep(0.05)
            await first.close()
        await following.result().close()

    asyncio.run(scenario())


def test_a_lost_lock_is_taken_again(
    shared: Place, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_lock, "AGAIN_SECONDS", 0.1)

    async def scenario() -> None:
        again = heard(monkeypatch, "database.lock_again")
        database = await serve(shared, shared=False)
        postgresql.sql(END, shared.name)
        await again.wait()
        again.clear()
        postgresql.stop()
        postgresql.start()
        await again.wait()
        with pytest.raises(DatabaseError, match=ALONE):
            await serve(shared, shared=False)
        await database.close()

    asyncio.run(scenario())


def test_a_half_open_line_is_noticed(
    shared: Place, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_lock, "AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(serving_lock, "CHECK_SECONDS", 0.5)
    fates: list[Fate] = []

    def fate() -> Fate:
        fates.append(Fate())
        return fates[-1]

    async def scenario() -> None:
        again = heard(monkeypatch, "database.lock_again")
        async with Proxy(lambda: ("127.0.0.1", postgresql.port), fate) as proxy:
            host, port = proxy.address
            through = Place(shared.folder, f"postgresql://roomlog@{host}:{port}/{shared.name}")
            database = await serve(through, shared=False)
            before = postgresql.sql(HOLDERS.replace("count(*)", "pid"))
            for line in fates:
                line.swallow_to_client_after_bytes = 0
            await again.wait()
            assert postgresql.sql(HOLDERS) == "1"
            assert postgresql.sql(HOLDERS.replace("count(*)", "pid")) != before
            await database.close()

    asyncio.run(scenario())


async def queue(other: asyncpg.Connection, server: PostgreSQL) -> "asyncio.Task[str]":
    """It waits for the lock, and gets it before anybody who only tries."""
    waiting = asyncio.create_task(other.execute(f"SELECT pg_advisory_lock({LOCKS}, {SERVING})"))
    async with asyncio.timeout(60):
        for _ in iter(lambda: server.sql(HOLDERS), "2"):
            await asyncio.sleep(0)
    return waiting


def test_our_own_session_that_the_server_still_believes_in_is_ended(
    shared: Place, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a cut of which the server heard nothing; another connection plays our lost one."""
    monkeypatch.setattr(serving_lock, "AGAIN_SECONDS", 0.1)

    async def scenario() -> None:
        again = heard(monkeypatch, "database.lock_again")
        database = await serve(shared, shared=False)
        ghost = await asyncpg.connect(shared.postgresql)
        waiting = await queue(ghost, postgresql)
        asking = await asyncpg.connect(shared.postgresql)
        session = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = $1"
        database._lock._session = await asking.fetchrow(session, ghost.get_server_pid())  # type: ignore[attr-defined]
        await asking.close()
        postgresql.sql(END, shared.name)
        await waiting
        await again.wait()
        assert postgresql.sql(HOLDERS) == "1"
        await database.close()

    asyncio.run(scenario())


def test_who_lost_the_lock_to_another_process_ends(
    shared: Place, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_lock, "AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(serving_lock, "GHOST_SECONDS", 0.3)

    async def scenario() -> None:
        database = await serve(shared, shared=False)
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        database.on_fatal = told.set_result
        other = await asyncpg.connect(shared.postgresql)
        waiting = await queue(other, postgresql)
        postgresql.sql(END, shared.name)
        assert await told == "Another process serves this database; several need REDIS_URL (--redis)."
        await waiting
        await other.close()
        await database.close()

    asyncio.run(scenario())


def test_a_second_server_is_refused_and_administration_is_not(shared: Place) -> None:
    def settings(name: str) -> Settings:
        flags = {"port": "0", "data": str(shared.folder / name), "database_url": shared.url}
        return ensure_data(load(flags, {}))

    async def scenario() -> None:
        async with open_app(settings("one")) as app:
            with pytest.raises(SettingsError, match=ALONE):
                async with open_app(settings("two")):
                    raise AssertionError("it serves")
            async with open_administration(settings("three")) as administration:
                await administration.add_user("ann", "member", "correct horse battery")
            assert await app.services.database.accounts.by_name("ann") is not None
            await app.drain()

    asyncio.run(scenario())


def test_redis_is_for_postgresql(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = ensure_data(load({"port": "0", "data": str(tmp_path)}, {}))
        with pytest.raises(
            SettingsError, match="REDIS_URL \\(--redis\\) is for several processes on PostgreSQL"
        ):
            async with open_app(replace(settings, redis_url="redis://localhost")):
                raise AssertionError("it serves")

    asyncio.run(scenario())
