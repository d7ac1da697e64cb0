"""`backup` and `restore` with PostgreSQL: the same files as with SQLite, so that each goes into either."""

import asyncio
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from sqlalchemy import Connection, text

from chat_app.backends.sql import rows
from chat_app.backends.sql.database import open_database
from chat_app.core.search import parse
from chat_app.errors import ChatError
from tests.contracts.store import Place, Store, opened, run
from tests.installations import live_in, looked_at, post
from tests.processes import command
from tests.services import PostgreSQL

Told = Callable[..., CompletedProcess[str]]


@pytest.fixture
def place(postgresql: PostgreSQL, tmp_path: Path) -> Place:
    """A PostgreSQL installation with something of everything in it."""
    place = Place(tmp_path, postgresql.database())
    run(place, live_in)
    return place


@pytest.fixture
def told(place: Place) -> Told:
    """What a command says, on that installation unless another is named."""

    def told(
        *arguments: str, url: str = place.url, data: Path = place.folder / "data"
    ) -> CompletedProcess[str]:
        return command(*arguments, CHAT_DATA=str(data), DATABASE_URL=url)

    return told


def texts(place: Place) -> list[str]:
    return [message.text for message in looked_at(place)[3].messages]


def epochs(place: Place) -> set[str]:
    return {room.epoch for room in looked_at(place)[0]}


def test_a_backup_is_a_private_file_that_is_made_while_the_database_is_served(
    place: Place, told: Told, tmp_path: Path
) -> None:
    async def serving() -> None:
        database = await open_database(place.url, backups=tmp_path, shared=False)
        try:
            assert await database.last_backup_ms() is None
            before = time.time() * 1000
            done = await asyncio.to_thread(told, "backup", str(tmp_path / "a.db"))
            assert (done.returncode, done.stdout) == (0, f"The backup is in {tmp_path / 'a.db'}.\n"), (
                done.stderr
            )
            assert before <= (await database.last_backup_ms() or 0) <= time.time() * 1000
            await database.backup(tmp_path / "b.db")
            with pytest.raises(ChatError) as refused:
                await database.backup(tmp_path / "b.db")
            assert refused.value.code == "exists"
        finally:
            await database.close()

    asyncio.run(serving())
    for name in ("a.db", "b.db"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        with closing(sqlite3.connect(tmp_path / name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("SELECT count(*) FROM messages").fetchone() == (7,)
    assert not list(tmp_path.glob(".*")), "nothing half made is left"


def test_a_backup_is_one_snapshot(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored while it is made is in it whole or not at all."""

    async def scenario(store: Store) -> None:
        loop = asyncio.get_running_loop()
        stream = rows.stream

        def interrupted(connection: Connection, chosen: object) -> object:
            if "FROM messages" in str(chosen) and connection.dialect.name == "postgresql":
                asyncio.run_coroutine_threadsafe(post(store, "ann", "meanwhile @bob"), loop).result(60)
            return stream(connection, chosen)  # type: ignore[arg-type]

        monkeypatch.setattr(rows, "stream", interrupted)
        await store.database.backup(tmp_path / "a.db")

    run(place, scenario)
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        assert database.execute("SELECT count(*) FROM messages WHERE text LIKE 'mean%'").fetchone() == (0,)
        heads = "SELECT rooms.seq - max(messages.rev) FROM rooms JOIN messages ON rooms.id = room_id GROUP BY rooms.id"
        assert {difference for (difference,) in database.execute(heads)} <= {0}
    assert "meanwhile @bob" in texts(place)


def test_a_backup_goes_into_either_database(
    place: Place, told: Told, tmp_path: Path, postgresql: PostgreSQL
) -> None:
    before = looked_at(place)
    backup = tmp_path / "a.db"
    assert told("backup", str(backup)).returncode == 0
    run(place, lambda store: post(store, "bob", "after the backup"))
    done = told("restore", str(backup))
    assert (done.returncode, done.stdout) == (0, f"{backup} is restored; every room has a new epoch.\n"), (
        done.stderr
    )
    (kept,) = (tmp_path / "data" / "backups").iterdir()
    assert kept.name.startswith("before-restore-")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with closing(sqlite3.connect(kept)) as database:
        found = database.execute("SELECT count(*) FROM messages WHERE text = 'after the backup'").fetchone()
        assert found == (1,)
    assert (
        told(
            "restore", str(backup), url=f"sqlite:///{tmp_path / 'lite' / 'chat.db'}", data=tmp_path / "lite"
        ).returncode
        == 0
    )
    fresh = Place(tmp_path, postgresql.database())
    assert told("restore", str(backup), url=fresh.url).returncode == 0
    assert len(list((tmp_path / "data" / "backups").iterdir())) == 1, "there was nothing to keep"
    seen_epochs = [{room.epoch for room in before[0]}]
    for restored in (place, Place(tmp_path / "lite"), fresh):
        assert "after the backup" not in texts(restored)
        assert [page.messages for page in looked_at(restored)[3:4]] == [page.messages for page in before[3:4]]
        seen_epochs.append(epochs(restored))
    assert len(set().union(*seen_epochs)) == sum(map(len, seen_epochs)), "every restored room has its own"


def test_links_made_before_are_void_and_what_was_found_is_found_again(
    place: Place, told: Told, tmp_path: Path
) -> None:
    assert told("backup", str(tmp_path / "a.db")).returncode == 0
    assert told("restore", str(tmp_path / "a.db")).returncode == 0

    async def scenario(store: Store) -> None:
        def tokens(connection: Connection) -> int:
            return int(connection.execute(text("SELECT count(*) FROM tokens")).scalar_one())

        assert await store.database._readers.read(tokens) == 0  # type: ignore[attr-defined]
        for _ in range(2):
            page = await store.database.search.find(
                parse("answer"), account_id="id-bob", before=None, limit=5
            )
            assert len(page.messages) == 1
            await store.database.search.catch_up()

    run(place, scenario)


def test_a_served_database_is_not_restored(place: Place, told: Told, tmp_path: Path) -> None:
    assert told("backup", str(tmp_path / "a.db")).returncode == 0

    async def serving() -> None:
        store = await opened(place, shared=False)
        try:
            done = await asyncio.to_thread(told, "restore", str(tmp_path / "a.db"))
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
            assert "is being served; stop every process that serves it first." in done.stderr
        finally:
            await store.database.close()

    asyncio.run(serving())


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, None], ids=["empty", "other", "none"])
def test_what_is_no_backup_changes_nothing(
    place: Place, told: Told, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "bad.db").write_bytes(content)
    before = looked_at(place)
    done = told("restore", str(tmp_path / "bad.db"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert looked_at(place) == before


def test_a_backup_that_cannot_be_made_is_one_line(place: Place, told: Told, tmp_path: Path) -> None:
    (tmp_path / "there.db").write_text("precious")
    for arguments, words in (
        (["/proc/a.db"], "cannot be written"),
        ([str(tmp_path / "there.db")], "exists already"),
    ):
        done = told("backup", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert words in done.stderr
    done = told("backup", str(tmp_path / "a.db"), url="postgresql://u:canary@127.0.0.1:1/x")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "cannot be reached" in done.stderr and "canary" not in done.stderr
    assert not (tmp_path / "a.db").exists() and not list(tmp_path.glob(".*"))
    assert (tmp_path / "there.db").read_text() == "precious"
