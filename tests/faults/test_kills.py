"""Faults 1 and 2: the server dies at any moment, and between any two steps of a message."""

import asyncio
import random
import signal
from typing import get_args

import pytest

from chat_app.failpoints import VARIABLE, Point
from tests.faults.checker import Record
from tests.faults.crowd import RESTARTING, come_to_rest, end_all, gather, judge, write
from tests.faults.stage import Stage

WRITERS = 20


def test_killed_again_and_again_under_twenty_writers_it_keeps_the_promise(
    stage: Stage, chance: random.Random, long: bool
) -> None:
    kills = 200 if long else 8
    record = Record()

    async def scenario() -> None:
        await stage.start()
        members = gather(stage, record, chance, WRITERS)
        writing = [asyncio.create_task(write(member, 0.06)) for member in members]
        for kill in range(kills):
            if kill % 25 == 24:
                print(f"{kill + 1} kills, {len(record.acks)} messages acknowledged", flush=True)
            for member in members:
                await member.until(lambda m=member: m.line is not None)
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            assert await stage.stop(signal.SIGKILL) == -signal.SIGKILL
            await stage.start()
        await end_all(writing)
        await come_to_rest(stage, members)
        await judge(stage, record, members)

    asyncio.run(asyncio.wait_for(scenario(), 1800 if long else 600))
    resent = sum(tape.lines for tape in record.tapes) - len(record.tapes)
    print(f"{kills} kills survived, {resent} reconnects; {len(record.texts)} messages typed, "
          f"{len(record.acks)} acknowledged, none lost or doubled")  # fmt: skip


@pytest.mark.parametrize("point", get_args(Point))
def test_dying_between_two_steps_leaves_one_row_for_a_nonce(
    stage: Stage, chance: random.Random, long: bool, point: Point
) -> None:
    record = Record()

    async def scenario() -> None:
        await stage.start()
        members = gather(stage, record, chance, 6)
        for member in members:
            await member.until(lambda m=member: m.line is not None)
        await stage.stop()
        for _ in range(10 if long else 1):
            times = chance.randrange(2, 13)  # the first commit may be the server's own, before it serves
            await stage.start(variables={VARIABLE: f"{point}:{times}"})
            writing = [asyncio.create_task(write(member, 0.05)) for member in members]
            assert await stage.ended() == -signal.SIGKILL
            await end_all(writing)
        assert stage.server is not None
        assert "Traceback" not in stage.server.log
        await stage.start()
        await come_to_rest(stage, members)
        await judge(stage, record, members, excused=RESTARTING)  # 503 by the one that was stopped in order

    asyncio.run(asyncio.wait_for(scenario(), 300 if long else 600))
