"""`copy`: an installation moves from one database into another and loses nothing, whichever they are."""

import asyncio
import sqlite3
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chat_app import maintenance
from chat_app.backends.sql.database import open_database
from chat_app.core.search import parse
from chat_app.models import JoinLink
from chat_app.settings import Settings, SettingsError, load
from tests.contracts.store import NOW, Place, Store, account, run
from tests.installations import live_in, looked_at, post
from tests.processes import Server, command
from tests.services import PostgreSQL


@pytest.fixture
def source(tmp_path: Path) -> Place:
    """A SQLite installation with something of everything in it."""
    place = Place(tmp_path / "old")
    run(place, live_in)
    return place


@pytest.fixture
def target(postgresql: PostgreSQL) -> Place:
    return Place(Path("/nonexistent"), postgresql.database())


def settings(folder: Path, **flags: str) -> Settings:
    return load({"data": str(folder), **flags}, {})


def copied(source: Place, target: Place, *, replace: bool = False) -> tuple[bool, dict[str, int]]:
    """Whether anything was changed, and the rows by table."""
    found = maintenance.copy(settings(source.folder), source.url, target.url, replace=replace)
    return found.changed, {name: digest.rows for name, digest in found.tables.items()}


def refusal(source: Place, target: Place, **options: bool) -> str:
    with pytest.raises(SettingsError) as raised:
        copied(source, target, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def in_it(place: Place, work: Callable[[Store], Awaitable[Any]]) -> None:
    async def scenario(store: Store) -> None:
        await work(store)

    run(place, scenario)


def test_everything_is_as_it_was_in_either_database(source: Place, target: Place, tmp_path: Path) -> None:
    before = looked_at(source)
    changed, rows = copied(source, target)
    assert changed and all(rows.values()), "each table had something to lose"
    assert looked_at(target) == before
    back = Place(tmp_path / "back")
    assert copied(target, back) == (True, rows)
    assert looked_at(back) == before
    second = Place(tmp_path / "second")
    assert copied(back, second) == (True, rows)
    assert looked_at(second) == before


def test_life_goes_on_in_the_copy(source: Place, target: Place, tmp_path: Path) -> None:
    copied(source, target)

    async def goes_on(store: Store) -> None:
        assert (await post(store, "bob", "one more")).seq == store.lobby.seq + 1
        await store.database.search.catch_up()
        page = await store.database.search.find(parse("answer"), account_id="id-bob", before=None, limit=5)
        assert [message.text for message in page.messages] == ["an answer @ann"]

    run(target, goes_on)
    back = Place(tmp_path / "back")
    copied(target, back)

    async def goes_on_again(store: Store) -> None:
        page = await store.database.search.find(parse("in:lobby"), account_id="id-bob", before=None, limit=5)
        assert page.messages[0].text == "one more", "the newest one is the newest here too"
        assert (await post(store, "bob", "and another")).seq == store.lobby.seq + 1

    run(back, goes_on_again)


@pytest.mark.parametrize("to", ["postgresql", "sqlite"])
def test_it_can_be_run_again(source: Place, target: Place, tmp_path: Path, to: str) -> None:
    if to == "sqlite":
        target = Place(tmp_path / "new")
    _, rows = copied(source, target)
    assert copied(source, target) == (False, rows)

    async def more(store: Store) -> None:
        message = await post(store, "ann", "later")
        await store.edit(message, "ann", "edited")
        await store.accounts.end_sessions("id-ann")
        await store.rooms.create("later", "Later", account_id="id-bob", now_ms=NOW)

    run(source, more)
    changed, after = copied(source, target)
    assert changed
    assert (after["messages"], after["rooms"]) == (rows["messages"] + 1, rows["rooms"] + 1)
    assert after["sessions"] == 0
    assert looked_at(target) == looked_at(source)


@pytest.mark.parametrize("to", ["postgresql", "sqlite"])
@pytest.mark.parametrize(
    ("what", "holds"),
    [
        ("account", "an account"),
        ("post", "a room"),
        ("room", "a room"),
        ("edit", "a room"),
        ("link", "an invitation link"),
        ("race", "a message"),
    ],
)
def test_what_the_source_does_not_know_is_never_lost(
    source: Place, target: Place, tmp_path: Path, what: str, holds: str, to: str
) -> None:
    if to == "sqlite":
        target = Place(tmp_path / "new")
    copied(source, target)

    async def work(store: Store) -> None:
        match what:
            case "account":
                await store.accounts.create(account("zoe"), "hash")
            case "post" | "race":
                await post(store, "ann", "only here", id="only-here")
            case "room":
                await store.rooms.create("here", "Here", account_id="id-ann", now_ms=NOW)
            case "edit":
                (message,) = (await store.history.latest(store.lobby.id, upto=1, limit=1)).messages
                await store.edit(message, "ann", "changed here")
            case "link":
                await store.accounts.create_join_link(
                    JoinLink("here", "member", None, None, False, "id-ann", NOW)
                )

    run(target, work)
    if what == "race":  # the source went on too, as far and farther

        async def farther(store: Store) -> None:
            for number in range(3):
                await post(store, "bob", "only there", id=f"there-{number}")

        run(source, farther)
    before = looked_at(target)
    told = refusal(source, target)
    assert told.startswith(
        str(Path(target.url.removeprefix("sqlite:///"))) if to == "sqlite" else "postgresql://127"
    )
    assert f"holds {holds} that {source.folder / 'chat.db'} does not know; nothing was changed" in told
    assert looked_at(target) == before
    assert copied(source, target, replace=True)[0]
    assert looked_at(target) == looked_at(source)


def test_an_earlier_life_of_the_source_is_not_its_copy(source: Place, target: Place, tmp_path: Path) -> None:
    copied(source, target)
    backup = tmp_path / "backup.db"
    in_it(source, lambda store: store.database.backup(backup))
    maintenance.restore(settings(source.folder), backup)
    assert "holds a room that" in refusal(source, target)


def test_a_new_database_with_nothing_but_a_lobby_is_taken(
    source: Place, target: Place, tmp_path: Path
) -> None:
    async def opened(place: Place) -> None:
        await (await open_database(place.url, backups=tmp_path)).close()

    asyncio.run(opened(target))
    assert copied(source, target)[0]
    assert looked_at(target) == looked_at(source)


def test_what_does_not_arrive_as_it_was_undoes_all_of_it(
    source: Place, target: Place, postgresql: PostgreSQL
) -> None:
    copied(source, target)
    before = looked_at(target)
    in_it(source, lambda store: post(store, "ann", "more"))
    name = target.url.rpartition("/")[2]
    postgresql.sql(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.text := upper(NEW.text); RETURN NEW; END $$; "
        "CREATE TRIGGER spoil BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION spoil()",
        name,
    )
    assert "The table messages did not arrive as it was" in refusal(source, target)
    postgresql.sql("DROP TRIGGER spoil ON messages", name)
    assert looked_at(target) == before
    assert copied(source, target)[0]


def test_a_text_that_postgresql_cannot_hold_is_told_and_nothing_is_changed(
    source: Place, target: Place, postgresql: PostgreSQL
) -> None:
    with closing(sqlite3.connect(source.folder / "chat.db")) as database, database:
        database.execute("UPDATE messages SET text = 'a' || char(0) || 'b' WHERE seq = 1")
    assert "cannot be used: " in refusal(source, target)
    assert (
        postgresql.sql(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", target.url.rpartition("/")[2]
        )
        == "0"
    )


def test_a_served_database_is_neither_copied_nor_overwritten(
    source: Place, target: Place, tmp_path: Path
) -> None:
    copied(source, target)
    with Server(source.folder) as server:
        told = refusal(source, target)
        assert f"in use by process {server.process.pid}" in told
        assert "would be missing in the copy" in told
        assert f"in use by process {server.process.pid}" in refusal(target, source, replace=True)

    async def serving() -> None:
        database = await open_database(target.url, backups=tmp_path, shared=False)
        try:
            for old, new in ((source, target), (target, source), (target, Place(tmp_path / "new"))):
                told = await asyncio.to_thread(refusal, old, new, replace=True)
                assert "is being served" in told
        finally:
            await database.close()

    asyncio.run(serving())
    assert not (tmp_path / "new" / "chat.db").exists()


def test_a_source_of_another_version_is_told_what_to_do(source: Place, target: Place) -> None:
    with closing(sqlite3.connect(source.folder / "chat.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0003'")
    assert "start the server on it once" in refusal(source, target)


def test_a_database_of_another_program_is_never_overwritten(
    source: Place, target: Place, postgresql: PostgreSQL
) -> None:
    name = target.url.rpartition("/")[2]
    postgresql.sql("CREATE TABLE recipes (name text)", name)
    assert "database of another program" in refusal(source, target, replace=True)
    assert postgresql.sql("SELECT count(*) FROM recipes", name) == "0"


@pytest.mark.parametrize("way", ["there", "back"])
def test_memory_does_not_grow_with_the_messages(
    source: Place, target: Place, tmp_path: Path, way: str
) -> None:
    texts = 20_000 * 1_000
    with closing(sqlite3.connect(source.folder / "chat.db")) as database, database:
        (room, account, head) = database.execute(
            "SELECT room_id, account_id, max(seq) FROM messages"
        ).fetchone()
        rows = ((f"m{n}", room, head + n, head + n, account, f"{n:01000}", NOW) for n in range(1, 20_001))
        database.executemany(
            "INSERT INTO messages (id, room_id, seq, rev, account_id, text, sent_ms) VALUES (?,?,?,?,?,?,?)",
            rows,
        )
        database.execute("UPDATE rooms SET seq = seq + 20000 WHERE id = ?", (room,))
    if way == "back":
        copied(source, target)
        source, target = target, Place(tmp_path / "back")
    tracemalloc.start()
    try:
        copied(source, target)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < texts / 2


def test_the_command_prints_a_table(source: Place, target: Place) -> None:
    def copy(*more: str) -> Any:
        return command("copy", "--from", source.url, "--to", target.url, *more, CHAT_DATA=str(source.folder))

    done = copy()
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["TABLE", "ROWS", "DIGEST"]
    assert ["messages", "7", "ok"] in lines
    assert done.stdout.splitlines()[-1].startswith("Copied and compared ")
    assert copy().stdout.endswith("It holds exactly this already; nothing was changed.\n")
    in_it(target, lambda store: post(store, "ann", "only here"))
    refused = copy()
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert copy("--replace").returncode == 0


def test_no_password_is_told(source: Place, tmp_path: Path) -> None:
    url = "postgresql://ann:canary@127.0.0.1:1/chat"
    done = command("copy", "--from", source.url, "--to", url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "canary" not in done.stderr
    assert "cannot be reached" in done.stderr
