"""Fault 9 and the drain before it: everybody is told, nothing taken is left unanswered, everybody comes back."""

import asyncio
import os
import random
import resource
import signal
import sqlite3
import time
import urllib.error
from collections import Counter
from contextlib import closing

import pytest

from tests.faults.checker import Record
from tests.faults.client import Line, Member, Refused
from tests.faults.crowd import RESTARTING, come_to_rest, end_all, gather, judge, write
from tests.faults.stage import Stage

SPREAD_SECONDS = 5.0
"""After 1012 a client waits a random part of it, as static/js/net/closing.js does."""
BACK_SECONDS = 10.0
DRAIN_SECONDS = 25.0
IN_FLIGHT = 1_000


def test_a_drain_answers_all_it_took_of_what_is_in_flight(stage: Stage, chance: random.Random) -> None:
    """People go on writing while it ends, as fast as they are answered; how many are unanswered is bounded, or who
    reads too slowly on a busy machine would be left without an answer.
    """
    record = Record()

    async def write_on(members: list[Member]) -> None:
        while True:
            await members[0].until(lambda: len(record.texts) - len(record.acks) < IN_FLIGHT)
            for member in members:
                member.post(f"message {len(record.texts)}")

    async def scenario() -> None:
        await stage.start()
        members = gather(stage, record, chance, 20, pause_seconds=(0.5, 0.5))
        for member in members:
            await member.until(lambda m=member: m.position is not None)
        writing = asyncio.create_task(write_on(members))
        await members[0].until(lambda: len(record.acks) > 2 * IN_FLIGHT)
        for number in range(IN_FLIGHT // 2):
            members[number % len(members)].post(f"just before {number}")
        answered = len(record.acks)
        started = time.monotonic()
        assert await stage.stop(signal.SIGTERM) == 0
        assert time.monotonic() - started < DRAIN_SECONDS
        for member in members:
            await member.until(lambda m=member: m.closed.get(1012, 0) > 0)
            assert member.closed[1012] == 1
        with closing(sqlite3.connect(f"file:{stage.data / 'chat.db'}?mode=ro", uri=True)) as connection:
            stored = {nonce for (nonce,) in connection.execute("SELECT nonce FROM messages")}
        assert stored == set(record.acks)
        print(
            f"{len(stored)} of {len(record.texts)} were taken, {len(stored) - answered} of what was in flight"
        )
        writing.cancel()
        await stage.start()
        await come_to_rest(stage, members)
        await judge(stage, record, members, excused=RESTARTING)

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_while_it_drains_it_is_not_ready_and_takes_nobody_in(stage: Stage) -> None:
    """A peer that does not answer the close frame holds the drain up for some seconds."""

    async def scenario() -> None:
        await stage.start()
        line = await Line.open(stage.address, "/chat", stage.cookies[0])
        assert (await stage.get("/readyz"))["ok"]
        assert stage.server is not None
        stage.server.process.send_signal(signal.SIGTERM)
        await line.reader.readuntil(b"the server restarts")
        for path in ("/readyz", "/chat"):
            with pytest.raises(urllib.error.HTTPError) as answer:
                await stage.get(path)
            assert answer.value.code == (503 if path == "/readyz" else 403)  # a socket needs an origin first
            answer.value.close()
        status = await _status(stage)
        assert status == 503
        assert await stage.ended() == 0
        line.abort()

    asyncio.run(asyncio.wait_for(scenario(), 600))


async def _status(stage: Stage) -> int:
    with pytest.raises(Refused) as refusal:
        await Line.open(stage.address, "/chat", stage.cookies[0])
    return refusal.value.status


def test_a_drain_while_the_database_is_held_by_another_ends_in_time(
    stage: Stage, chance: random.Random
) -> None:
    record = Record()

    async def scenario() -> None:
        await stage.start()
        members = gather(stage, record, chance, 4, pause_seconds=(0.5, 0.5))
        for member in members:
            await member.until(lambda m=member: m.position is not None)
        with closing(sqlite3.connect(stage.data / "chat.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for number in range(700):
                for member in members:
                    member.post(f"message {number}")
            started = time.monotonic()
            assert await stage.stop(signal.SIGTERM) == 0
            assert time.monotonic() - started < DRAIN_SECONDS
            assert not record.acks
        await stage.start()
        await come_to_rest(stage, members)
        await judge(stage, record, members, excused=RESTARTING)

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_everybody_is_back_and_resumed_within_ten_seconds_of_a_restart(
    stage: Stage, chance: random.Random, long: bool
) -> None:
    count = min(5_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4) if long else 400
    record = Record()
    tries: list[float] = []

    async def scenario() -> None:
        await stage.start()
        members = gather(
            stage, record, chance, count, pause_seconds=(SPREAD_SECONDS, SPREAD_SECONDS),
            on_try=lambda: tries.append(time.monotonic()),
        )  # fmt: skip
        for member in members:
            await member.until(lambda m=member: m.position is not None)
        writing = [asyncio.create_task(write(member, 0.2)) for member in members[:5]]
        await asyncio.sleep(1)
        assert await stage.stop(signal.SIGTERM) == 0
        await stage.start()
        started, spent = time.monotonic(), stage.cpu_seconds()
        for member in members:
            await member.until(lambda m=member: m.tape.count("resumed") > 0)
        took, cost = time.monotonic() - started, stage.cpu_seconds() - spent
        assert cost < BACK_SECONDS - SPREAD_SECONDS
        if os.getloadavg()[0] < (os.cpu_count() or 1):  # else others have the processors
            assert took < BACK_SECONDS
        await end_all(writing)
        await come_to_rest(stage, members)
        assert {member.closed[1012] for member in members} == {1}
        after = Counter(int((moment - started) / 0.5) for moment in tries if moment > started)
        assert max(after.values()) < count * 0.35, after  # a tenth each, when it is spread over 5 s
        await judge(stage, record, members, excused=RESTARTING)
        print(
            f"{count} clients resumed {took:.1f} s after the start for {cost:.1f} s of the server's processor, tries in half seconds: {sorted(after.items())}"
        )

    asyncio.run(asyncio.wait_for(scenario(), 600))
