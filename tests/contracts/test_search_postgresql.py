"""How PostgreSQL searches: along one index, within its time, and with an index that several nodes keep."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chat_app.backends.sql import search_postgresql, search_terms
from chat_app.backends.sql.failures import is_conflict
from chat_app.backends.sql.postgresql_connections import migrating_engine
from chat_app.backends.sql.search_index import follow, index_more
from chat_app.backends.sql.search_index_postgresql import POSITION, hashes, position_of
from chat_app.models import Message
from chat_app.protocol import SEQ_LIMIT
from tests.services import PostgreSQL

from .store import DAY, NOW, Place, Store, opened, run
from .test_search import find, left, texts


@pytest.fixture
def place(shared: Place) -> Place:
    return shared


def test_a_position_is_a_number_that_a_browser_can_hold() -> None:
    assert position_of(NOW, 2**40 + 5) == NOW * 2048 + 5
    assert position_of(4_000_000_000_000, 2047) < SEQ_LIMIT, "until 2096"


def test_the_order_is_that_of_time_across_rooms(place: Place) -> None:
    async def scenario(store: Store) -> None:
        day = time.strftime("%Y-%m-%d", time.gmtime(NOW / 1000))
        start = NOW - NOW % DAY
        ops = await store.rooms.create("ops", "Ops", account_id="id-ann", now_ms=NOW)
        for number, sent_ms in enumerate([start - 3 * DAY, start - 1, start + 5, start - 2, start + 2 * DAY]):
            room = ops.id if number % 2 else store.lobby.id
            await store.post("ann", f"build {number}", sent_ms=sent_ms, room_id=room)
        for _ in range(2):
            assert await texts(store, "build") == [f"build {number}" for number in (4, 2, 1, 3, 0)]
            assert await texts(store, f"build before:{day}") == [f"build {number}" for number in (1, 3, 0)]
            yesterday = time.strftime("%Y-%m-%d", time.gmtime((start - DAY) / 1000))
            assert await texts(store, f"build after:{yesterday}") == [f"build {number}" for number in (4, 2)]
            await store.database.search.catch_up()

    run(place, scenario)


def test_a_page_never_ends_between_two_at_the_same_position(place: Place) -> None:
    async def scenario(store: Store) -> None:
        ops = await store.rooms.create("ops", "Ops", account_id="id-ann", now_ms=NOW)
        for number in range(4):  # at the same time, with the same seq
            await store.post("ann", f"build lobby {number}")
            await store.post("ann", f"build ops {number}", room_id=ops.id)
        await store.database.search.catch_up()
        seen: list[str] = []
        before = None
        for _ in range(10):
            page = await find(store, "build", before=before, limit=3)
            seen += [message.text for message in page.messages]
            if (before := page.next) is None:
                break
        assert sorted(seen) == sorted(
            f"build {room} {number}" for room in ("lobby", "ops") for number in range(4)
        )

    run(place, scenario)


def test_stretches_of_time_leave_nothing_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_postgresql, "STRETCH", 3)
    monkeypatch.setattr(search_postgresql, "GROWTH", (2, 4))

    async def scenario(store: Store) -> None:
        for number in range(40):
            await store.post("ann", f"build {number:02}", sent_ms=NOW + number)
        await store.database.search.catch_up()
        found: list[str] = []
        before = None
        while True:
            page = await find(store, "build", before=before, limit=7)
            found += [message.text for message in page.messages]
            if (before := page.next) is None:
                break
        assert found == [f"build {number:02}" for number in range(39, -1, -1)]

    run(place, scenario)


@pytest.mark.parametrize("slow", ["_BY_POSITION", "_BY_INDEX"])
def test_what_takes_too_long_ends_with_what_was_found_and_can_be_gone_on_with(
    place: Place, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    """The server itself ends the statement, while it runs and while its rows are brought over."""
    monkeypatch.setattr(search_postgresql, "STRETCH", 2)
    monkeypatch.setattr(search_postgresql, "GROWTH", ())

    async def scenario(store: Store) -> None:
        for number in range(6):
            await store.post("ann", f"build {number}", sent_ms=NOW + number)
        await store.database.search.catch_up()
        quick = getattr(search_postgresql, slow)
        monkeypatch.setattr(search_terms, "DEADLINE_SECONDS", 2.0)
        monkeypatch.setattr(
            search_postgresql, slow, quick.replace("ORDER BY", "AND pg_sleep(90) IS NOT NULL ORDER BY")
        )
        started = time.monotonic()
        page = await find(store, "build")
        assert time.monotonic() - started < 60
        assert not page.complete
        if slow == "_BY_POSITION":
            assert (page.messages, page.next) == ((), None)
            return
        assert [message.text for message in page.messages] == ["build 5", "build 4"]
        monkeypatch.setattr(search_postgresql, slow, quick)
        rest = await find(store, "build", before=page.next)
        assert [message.text for message in rest.messages] == [f"build {number}" for number in (3, 2, 1, 0)]
        assert (rest.next, rest.complete) == (None, True)

    run(place, scenario)


def plans(connection: Connection) -> dict[str, str]:
    """What PostgreSQL does for each statement, where it has more than a page of rows."""
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    found = {}
    for name in ("_BY_POSITION", "_BY_INDEX", "_NEWEST", "_FRESH"):
        statement = getattr(search_postgresql, name).format(
            position=POSITION, conditions="messages.deleted_ms IS NULL AND messages.account_id = :author"
        )
        values = {"low": 0, "end": 2**62, "limit": 40, "pieces": hashes(["rar"]), "author": "id-ann",
                  "ids": ["lobby"], "uptos": [5]}  # fmt: skip
        given = {key: value for key, value in values.items() if f":{key}" in statement}
        rows = connection.execute(text(f"EXPLAIN {statement}"), given).scalars()
        found[name] = "\n".join(rows)
    return found


def test_every_search_runs_along_one_index(place: Place, postgresql: PostgreSQL) -> None:
    async def scenario(store: Store) -> None:
        await store.submit(*(store.post_of("ann", f"build {number}") for number in range(2_000)))
        await store.post("ann", "a rarity")
        await store.database.search.catch_up()
        postgresql.sql("VACUUM ANALYZE", str(place.postgresql).rpartition("/")[2])
        done = await store.database._readers.read(plans)  # type: ignore[attr-defined]
        assert "ix_messages_index_position" in done["_BY_POSITION"], done["_BY_POSITION"]
        assert "ix_messages_index_pieces" not in done["_BY_POSITION"]
        assert "ix_messages_index_pieces" in done["_BY_INDEX"], done["_BY_INDEX"]
        assert "Index Scan Backward using ix_messages_position" in done["_NEWEST"], done["_NEWEST"]
        assert "messages_room_id_seq_key" in done["_FRESH"], done["_FRESH"]
        for name in ("_BY_POSITION", "_BY_INDEX"):
            assert "Index Scan using messages_pkey on messages" in done[name], done[name]

    run(place, scenario)


def test_what_a_node_left_unindexed_another_one_indexes(place: Place) -> None:
    async def main() -> None:
        first, second = await opened(place), await opened(place)
        try:
            await second.database.search.catch_up()
            message = await first.post("ann", "the canary")
            await second.database.search.catch_up()
            assert await second.database._readers.read(left) == 1  # type: ignore[attr-defined]
            await first.delete(message, "ann")
            assert await second.database._readers.read(left) == 0  # type: ignore[attr-defined]
        finally:
            await first.database.close()
            await second.database.close()

    run(place, lambda store: asyncio.sleep(0))  # makes the accounts
    asyncio.run(main())


async def transaction(place: Place, work: Callable[[AsyncConnection], Any]) -> None:
    engine = migrating_engine(str(place.postgresql))
    async with engine.connect() as connection:
        await work(connection)
    await engine.dispose()


def test_an_edit_while_its_message_is_being_indexed_waits_and_wins(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message = await store.post("ann", "the canary")

        async def indexing(connection: AsyncConnection) -> None:
            assert not await connection.run_sync(index_more)
            edited = asyncio.create_task(store.edit(message, "ann", "the sparrow"))
            await store.database.search.catch_up()  # does nothing: somebody is about it already
            read = store.database._readers.read  # type: ignore[attr-defined]
            while not await read(waiting):  # noqa: ASYNC110 # PostgreSQL alone knows
                await asyncio.sleep(0.01)
            assert not edited.done()
            await connection.commit()
            await edited

        await transaction(place, indexing)
        assert await store.database._readers.read(left) == 0  # type: ignore[attr-defined]
        await store.database.search.catch_up()
        assert await texts(store, "sparrow") == ["the sparrow"]
        assert await texts(store, "canary") == []

    run(place, scenario)


def waiting(connection: Connection) -> bool:
    """Whether somebody waits for a lock."""
    return bool(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())


def test_indexing_gives_way_to_an_edit_that_is_under_way(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message: Message = await store.post("ann", "the canary")

        async def editing(connection: AsyncConnection) -> None:
            await connection.run_sync(lambda it: follow(it, message, "the sparrow"))
            await connection.execute(text("UPDATE messages SET text = 'the sparrow'"))
            engine = migrating_engine(str(place.postgresql))
            async with engine.connect() as other:
                with pytest.raises(Exception) as raised:
                    await other.run_sync(index_more)
                assert is_conflict(raised.value), "it does not wait for long"
            await engine.dispose()
            await store.database.search.catch_up()
            await connection.commit()

        await transaction(place, editing)
        await store.database.search.catch_up()
        assert await store.database._readers.read(left) == 0  # type: ignore[attr-defined]
        assert await texts(store, "sparrow") == ["the sparrow"]

    run(place, scenario)
