"""Faults 6 and 7: the disk is full, somebody else holds the database, the end of the WAL is lost."""

import asyncio
import random
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from chat_app.backends.sql.database import open_database
from tests.faults.checker import Record
from tests.faults.client import Member
from tests.faults.crowd import BUSY, come_to_rest, end_all, gather, judge, write
from tests.faults.stage import Stage
from tests.processes import MODULE

FILE_LIMIT_KIB = 700
LIMITED = ("bash", "-c", f'ulimit -f {FILE_LIMIT_KIB}; exec "$0" "$@"', *MODULE)


def test_a_full_disk_ends_the_server_with_one_line_and_loses_nothing_acknowledged(
    stage: Stage, chance: random.Random
) -> None:
    """A limit of the size of its files stands for the disk: the write that does not fit fails, as it would."""
    record = Record()

    async def scenario() -> None:
        await stage.start(program=LIMITED)
        members = gather(stage, record, chance, 5)
        writing = [asyncio.create_task(write(member, 0.01)) for member in members]
        assert await stage.ended() == 2
        assert stage.server is not None
        said = [line for line in stage.server.log.splitlines() if not line.startswith("{")]
        assert len(said) == 1, said
        assert said[0].startswith("roomlog: The database cannot be written: ")
        assert len(record.acks) > 20
        await stage.start()  # there is room again
        await end_all(writing)
        await come_to_rest(stage, members)
        await judge(stage, record, members, excused=BUSY)

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_a_database_that_another_process_holds_is_answered_busy_and_then_everything_is_stored_once(
    stage: Stage, chance: random.Random
) -> None:
    record = Record()

    async def scenario() -> None:
        await stage.start()
        members = gather(stage, record, chance, 5)
        for member in members:
            member.post("before")
            await member.until(lambda m=member: not m.outbox)
        with closing(sqlite3.connect(stage.data / "chat.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for member in members:
                for number in range(20):
                    member.post(f"meanwhile {number}")
            for member in members:
                await member.until(lambda m=member: m.errors.get("busy", 0) >= 20)
            assert len(record.acks) == 5
            assert all(len(m.outbox) == 20 for m in members)
            late = gather(stage, record, chance, 1, prefix="late")
            await late[0].until(lambda: late[0].position is not None)  # reading waits for nobody
            other.execute("COMMIT")
        await come_to_rest(stage, [*members, *late])
        for member in members:
            assert set(member.errors) == {"busy"}
        await judge(stage, record, [*members, *late], excused=BUSY)

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_a_wal_without_its_tail_still_has_what_was_synced_before(
    stage: Stage, chance: random.Random, long: bool, tmp_path: Path
) -> None:
    """One message after the other, and how long the WAL was when each had been acknowledged."""
    record = Record()
    sizes: list[tuple[int, int]] = []
    wal = stage.data / "chat.db-wal"

    async def scenario() -> None:
        await stage.start()
        member: Member
        (member,) = gather(stage, record, chance, 1, room="lobby")
        for number in range(60):
            nonce = member.post(f"message {number}")
            await member.until(lambda n=nonce: n in record.acks)
            ((_, _, seq),) = record.acks[nonce]
            sizes.append((wal.stat().st_size, seq))
        await stage.stop(signal.SIGKILL)
        await member.stop()
        full = wal.stat().st_size
        assert sizes[-1] == (full, 60)
        first = sizes[0][0]
        offsets = [
            full,
            full - 1,
            first,
            *(chance.randrange(first, full) for _ in range(200 if long else 20)),
        ]
        for number, offset in enumerate(offsets):
            copy = shutil.copytree(
                stage.data, tmp_path / f"copy{number}", ignore=shutil.ignore_patterns("*.sock", "*-shm")
            )
            with (copy / "chat.db-wal").open("r+b") as file:
                file.truncate(offset)
            kept = max(seq for size, seq in sizes if size <= offset)
            await _intact(copy, kept, record)

    asyncio.run(asyncio.wait_for(scenario(), 600))


async def _intact(data: Path, kept: int, record: Record) -> None:
    """The database opens, holds at least the first `kept` messages, and has no hole."""
    database = await open_database(f"sqlite:///{data / 'chat.db'}", backups=data / "backups")
    try:
        lobby = next(info for info in await database.rooms.all() if info.slug == "lobby")
        page = await database.history.changes(lobby.id, 0, limit=1_000)
        assert lobby.seq == page.seq >= kept
        assert [message.seq for message in page.messages] == list(range(1, lobby.seq + 1))
        for message in page.messages:
            assert record.acks[message.nonce or ""] == {("lobby", message.id, message.seq)}
    finally:
        await database.close()
    with closing(sqlite3.connect(data / "chat.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
