"""`--processes 3` on a real PostgreSQL and a real Redis: killed, replaced and ended under load."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.checker import Record, Stored
from tests.faults.client import Member
from tests.faults.crowd import BUSY, RESTARTING, come_to_rest, end_all, gather, judge, write
from tests.faults.stage import ROOMS, Running, Scenery, build
from tests.processes import children_of
from tests.services import PostgreSQL, Redis

COUNT = 3


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until_gone(*pids: int) -> None:
    async with asyncio.timeout(120):
        while any(map(lives, pids)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


class Together(Running):
    """Three processes on one port, with their database and their Redis."""

    def __init__(self, scenery: Scenery, postgresql: PostgreSQL, variables: Mapping[str, str]) -> None:
        super().__init__(scenery.folder, scenery.cookies)
        self.variables = variables
        self._postgresql = postgresql

    async def begin(self) -> None:
        await self.start("--processes", str(COUNT), variables=self.variables)

    def sql(self, statement: str) -> list[str]:
        return self._postgresql.sql(statement, self.variables["DATABASE_URL"].rpartition("/")[2]).splitlines()

    def heads(self) -> dict[str, int]:
        rows = (line.split("|") for line in self.sql("SELECT slug, seq FROM rooms"))
        return {slug: int(seq) for slug, seq in rows}

    async def store(self) -> dict[str, Stored]:
        heads = await asyncio.to_thread(self.heads)
        return {room: Stored(heads[room], await self.messages(room)) for room in ROOMS}

    async def until_event(self, name: str, number: int = 1) -> None:
        """Until the log has it so often."""
        assert self.server is not None
        async with asyncio.timeout(150):
            while self.server.log.count(f'"event": "{name}"') < number:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


@pytest.fixture
def together(tmp_path: Path, postgresql: PostgreSQL, redis: Redis) -> Iterator[Together]:
    variables = {"DATABASE_URL": postgresql.database(), "REDIS_URL": redis.url}
    scenery = asyncio.run(build(tmp_path / "data", variables))
    found = Together(scenery, postgresql, variables)
    yield found
    found.close()


def test_a_process_that_is_killed_comes_back_and_loses_nothing(
    together: Together, chance: random.Random
) -> None:
    record = Record()

    async def scenario() -> None:
        await together.begin()
        members = gather(together, record, chance, 15)
        for member in members:
            await member.until(lambda m=member: m.position is not None)
        writing = [asyncio.create_task(write(member, 0.05)) for member in members]
        for number in range(1, 4):
            victim = chance.choice(children_of(together.pid))
            os.kill(victim, signal.SIGKILL)
            await together.until_event("process.start", COUNT + number)
        await end_all(writing)
        await come_to_rest(together, members)
        assert len(children_of(together.pid)) == COUNT
        await judge(together, record, members, excused=BUSY)

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_a_rolling_restart_under_load_refuses_no_reconnect_and_loses_nothing(
    together: Together, chance: random.Random
) -> None:
    """Besides those who are told to come back there are some whose lines are cut all the time."""
    record = Record()
    tries: Counter[str] = Counter()

    async def cut(member: Member) -> None:
        while True:
            await member.until(lambda: member._caught_up)
            await asyncio.sleep(member.chance.uniform(0, 0.3))
            if member.line is not None:
                member.line.abort()
                await member.until(lambda: member.line is None)

    async def scenario() -> None:
        await together.begin()
        before = children_of(together.pid)
        members = gather(together, record, chance, 15, on_try=lambda: tries.update("t"))
        for member in members:
            await member.until(lambda m=member: m.position is not None)
        tasks = [asyncio.create_task(write(member, 0.5)) for member in members[:10]]
        tasks += [asyncio.create_task(cut(member)) for member in members[10:]]
        os.kill(together.pid, signal.SIGHUP)
        await together.until_event("processes.replaced")
        await until_gone(*before)
        await end_all(tasks)
        await come_to_rest(together, members)
        assert len(children_of(together.pid)) == COUNT
        assert tries["t"] == sum(member.opened for member in members), "every try got in"
        assert all(not member.refused for member in members)
        told = sum((Counter(member.closed) for member in members), Counter[int]())
        assert told[1012] >= COUNT
        print(f"{tries['t']} handshakes, lines ended with {dict(told)}, {len(record.acks)} messages")
        await judge(together, record, members, excused=BUSY)
        assert await together.stop() == 0

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_the_end_answers_all_that_was_taken(together: Together, chance: random.Random) -> None:
    record = Record()

    async def scenario() -> None:
        await together.begin()
        members = gather(together, record, chance, 12, pause_seconds=(5, 5))
        for member in members:
            await member.until(lambda m=member: m.position is not None)
        for number in range(200):
            for member in members:
                member.post(f"message {number}")
        await members[0].until(lambda: len(record.acks) > 50)
        assert await together.stop(signal.SIGTERM) == 0
        for member in members:
            await member.until(lambda m=member: m.line is None)  # who was sent on to another process, too
            assert member.closed[1012] >= 1
        assert set(together.sql("SELECT nonce FROM messages")) == set(record.acks)
        await together.begin()
        await come_to_rest(together, members)
        await judge(together, record, members, excused=RESTARTING)

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_processes_end_when_their_supervisor_is_killed(together: Together) -> None:
    async def scenario() -> None:
        await together.begin()
        workers = children_of(together.pid)
        assert await together.stop(signal.SIGKILL) == -signal.SIGKILL
        await until_gone(*workers)
        await together.begin()  # nothing is in the way
        assert await together.stop() == 0

    asyncio.run(asyncio.wait_for(scenario(), 600))
