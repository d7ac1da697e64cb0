"""PostgreSQL goes away, hangs, or loses the answer to a commit: "send it again", and then once."""

import asyncio
import time
from functools import partial

import asyncpg
import pytest
from sqlalchemy import Connection, text

from chat_app.backends.sql import postgresql_connections, postgresql_writer
from chat_app.errors import Busy, ChatError
from chat_app.models import Committed
from tests.faults.proxy import Fate, Proxy
from tests.services import PostgreSQL

from .store import Place, Store, held, opened, opened_with_people, run

Result = Committed | ChatError


async def until(server: PostgreSQL, question: str) -> None:
    """Its answer is 1. PostgreSQL tells nobody what its backends do: it has to be asked."""
    async with asyncio.timeout(60):
        for _ in iter(partial(server.sql, question), "1"):
            await asyncio.sleep(0)


async def once(store: Store, nonce: str, *, seq: int) -> None:
    """Sent again it is stored, or was; and never twice."""
    stored = await store.store(store.post_of("ann", "text", nonce=nonce))
    assert stored.seq == seq
    again = await store.store(store.post_of("ann", "text", nonce=nonce))
    assert (again.duplicate, again.seq, again.message.id) == (True, seq, stored.message.id)
    page = await store.history.changes(store.lobby.id, 0, limit=100)
    assert [m.seq for m in page.messages] == list(range(1, seq + 1))


def test_a_backend_that_is_ended_while_it_stores(shared: Place, postgresql: PostgreSQL) -> None:
    waiting = f"FROM pg_stat_activity WHERE datname = '{shared.name}' AND wait_event_type = 'Lock'"

    async def scenario(store: Store) -> None:
        await store.post("ann", "before")
        async with held(store, shared):
            posting = asyncio.create_task(store.submit(store.post_of("ann", "text", nonce="n")))
            await until(postgresql, f"SELECT count(*) {waiting}")
            postgresql.sql(f"SELECT pg_terminate_backend(pid) {waiting}")
            (outcome,) = await posting
            assert isinstance(outcome, Busy)
        await once(store, "n", seq=2)

    run(shared, scenario)


def test_a_backend_that_is_ended_in_mid_commit(shared: Place, postgresql: PostgreSQL) -> None:
    """A trigger that runs at the commit waits for a lock, and so does the commit."""
    name = shared.name
    postgresql.sql(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END $$; "
        "CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION wait()",
        name,
    )
    waiting = (
        f"FROM pg_stat_activity WHERE datname = '{name}' AND wait_event = 'advisory' AND query LIKE 'COMMIT%'"
    )

    async def scenario(store: Store) -> None:
        holder = await asyncpg.connect(shared.postgresql)
        await holder.execute("SELECT pg_advisory_lock(77)")
        posting = asyncio.create_task(store.submit(store.post_of("ann", "text", nonce="n")))
        await until(postgresql, f"SELECT count(*) {waiting}")
        postgresql.sql(f"SELECT pg_terminate_backend(pid) {waiting}")
        (outcome,) = await posting
        assert isinstance(outcome, Busy)
        await holder.close()
        await once(store, "n", seq=1)

    run(shared, scenario)


@pytest.mark.parametrize("lost", ["the answer", "the question"])
def test_a_commit_of_which_nobody_hears(
    shared: Place, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """The line is silent from the commit on, in one direction, and does not look closed."""
    monkeypatch.setattr(postgresql_connections, "COMMAND_SECONDS", 4.0)
    fates: list[Fate] = []

    def fate() -> Fate:
        fates.append(Fate())
        return fates[-1]

    async def scenario() -> None:
        async with Proxy(lambda: ("127.0.0.1", postgresql.port), fate) as proxy:
            host, port = proxy.address
            through = Place(shared.folder, f"postgresql://roomlog@{host}:{port}/{shared.name}")
            async with opened_with_people(through) as store:
                with monkeypatch.context() as patch:
                    patch.setattr(postgresql_writer, "reach", lambda point: silence(point))
                    started = time.monotonic()
                    (outcome,) = await store.submit(store.post_of("ann", "text", nonce="n"))
                    assert isinstance(outcome, Busy)
                    assert time.monotonic() - started < 14, (
                        "the system itself gives such a line up after 15 s"
                    )
                for line in fates:
                    line.swallow_to_client_after_bytes = line.swallow_to_server_after_bytes = None
                await once(store, "n", seq=1)

    def silence(point: str) -> None:
        if point == "before-commit":
            for line in fates:
                if lost == "the answer":
                    line.swallow_to_client_after_bytes = 0
                else:
                    line.swallow_to_server_after_bytes = 0

    asyncio.run(scenario())


def test_after_a_restart_it_goes_on_by_itself(shared: Place, postgresql: PostgreSQL) -> None:
    async def scenario(store: Store) -> None:
        await store.post("ann", "before")
        assert await store.database.ready()
        postgresql.stop()
        try:
            outcomes = await store.submit(*(store.post_of("ann", "text", nonce=n) for n in ("n", "m")))
            assert [type(outcome) for outcome in outcomes] == [Busy, Busy]
            assert not await store.database.ready()
            for refused in (store.rooms.heads(), store.rooms.set_notify("id-ann", store.lobby.id, "all")):
                with pytest.raises(Busy):
                    await refused
        finally:
            postgresql.start()
        await once(store, "n", seq=2)
        assert await store.database.ready()

    run(shared, scenario)


def test_nobody_notices_a_restart_in_which_nothing_was_asked(shared: Place, postgresql: PostgreSQL) -> None:
    async def scenario(store: Store) -> None:
        await asyncio.gather(*(store.rooms.heads() for _ in range(10)), store.post("ann", "before"))
        postgresql.stop()
        postgresql.start()
        assert (await asyncio.gather(*(store.rooms.heads() for _ in range(10))))[0] == {store.lobby.id: 1}
        assert (await store.post("ann", "after")).seq == 2

    run(shared, scenario)


def test_closing_while_it_is_away_refuses_what_waits(shared: Place, postgresql: PostgreSQL) -> None:
    results: list[Result] = []

    async def scenario(store: Store) -> None:
        postgresql.stop()
        try:
            for number in range(2000):
                store.history.submit(store.post_of("ann", str(number)), results.append)
            await store.database.close()
        finally:
            postgresql.start()
        assert [type(result) for result in results] == [Busy] * 2000
        with pytest.raises(Busy):
            store.history.submit(store.post_of("ann", "late"), results.append)

    run(shared, scenario)


def test_a_function_goes_on_when_who_asked_for_it_goes_away(shared: Place) -> None:
    async def scenario(store: Store) -> None:
        async with held(store, shared):
            asked = asyncio.create_task(store.rooms.set_notify("id-ann", store.lobby.id, "all"))
            await asyncio.sleep(0)
            asked.cancel()
        await store.database.settle()
        assert await store.rooms.notifies() == {store.lobby.id: {"id-ann": "all"}}

    run(shared, scenario)


def test_a_deadlock_is_tried_again(shared: Place) -> None:
    """Somebody holds the rooms and wants the accounts, we hold the accounts and want the rooms."""

    async def scenario(store: Store) -> None:
        tries: list[int] = []
        has_accounts = asyncio.Event()

        def change(connection: Connection) -> None:
            tries.append(1)
            connection.execute(text("UPDATE accounts SET language = 'de'"))
            has_accounts.set()
            connection.execute(text("UPDATE rooms SET topic = 'x'"))

        other = await asyncpg.connect(shared.postgresql)
        await other.execute("SET deadlock_timeout = '60s'")  # the other one is the victim
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT FROM rooms FOR UPDATE")
        changing = asyncio.create_task(store.database._writer.write(change))  # type: ignore[attr-defined]
        await has_accounts.wait()
        await other.execute("UPDATE accounts SET language = 'ja'")
        await transaction.rollback()
        await changing
        assert len(tries) == 2
        assert (await store.rooms.all())[0].topic == "x"
        await other.close()

    run(shared, scenario)


def test_a_migration_by_a_newer_version_does_not_disturb(shared: Place, postgresql: PostgreSQL) -> None:
    """Its plans are stale then: they are made again."""

    async def scenario(store: Store) -> None:
        await store.post("ann", "before")
        await asyncio.gather(*(store.rooms.all() for _ in range(10)))
        postgresql.sql("ALTER TABLE rooms ALTER topic TYPE varchar", shared.name)
        postgresql.sql("ALTER TABLE messages ALTER text TYPE varchar", shared.name)
        assert [len(found) for found in await asyncio.gather(*(store.rooms.all() for _ in range(10)))] == [
            1
        ] * 10
        again = await store.store(store.post_of("ann", "after", nonce="n"))
        assert again.seq == 2
        assert (await store.edit(again.message, "ann", "edited")).seq == 3

    run(shared, scenario)


def test_big_numbers_and_many_ids(shared: Place) -> None:
    async def scenario(store: Store) -> None:
        ids = [f"id-{number}" for number in range(40_000)]  # more than a statement has parameters
        assert await store.accounts.living(ids) == {}
        await store.rooms.mark_read({("id-ann", store.lobby.id): 2**60})
        assert (await store.rooms.unread("id-ann"))[0].read_seq == 2**60

    run(shared, scenario)


def test_closing_ends_on_a_line_that_is_half_open(
    shared: Place, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything under way waits once for its time to pass, nothing for a farewell."""
    monkeypatch.setattr(postgresql_connections, "COMMAND_SECONDS", 3.0)
    fates: list[Fate] = []

    def fate() -> Fate:
        fates.append(Fate(swallow_to_client_after_bytes=0) if silent else Fate())
        return fates[-1]

    silent = False
    results: list[Result] = []

    async def scenario() -> None:
        nonlocal silent
        async with Proxy(lambda: ("127.0.0.1", postgresql.port), fate) as proxy:
            host, port = proxy.address
            through = Place(shared.folder, f"postgresql://roomlog@{host}:{port}/{shared.name}")
            store = await opened(through)
            await asyncio.gather(*(store.rooms.heads() for _ in range(10)))
            silent = True
            for line in fates:
                line.swallow_to_client_after_bytes = 0
            for number in range(1000):
                store.history.submit(store.post_of("ann", str(number)), results.append)
            lobby = store.lobby.id
            asked = [asyncio.create_task(store.rooms.set_notify("id-ann", lobby, "all")) for _ in range(20)]
            await asyncio.sleep(0)
            started = time.monotonic()
            await store.database.close()
            assert time.monotonic() - started < 30, "each of them in its turn would take an hour"
            assert [type(result) for result in results] == [Busy] * 1000
            assert {type(error) for error in await asyncio.gather(*asked, return_exceptions=True)} == {Busy}

    asyncio.run(scenario())
