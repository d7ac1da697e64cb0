"""Faults 3 and 4: the network between clients and server cuts, delays, swallows and half-opens."""

import asyncio
import random

from tests.faults.checker import Record
from tests.faults.client import Member
from tests.faults.crowd import come_to_rest, end_all, gather, judge, write
from tests.faults.proxy import Fate, Proxy, misfortune
from tests.faults.stage import Stage

HEARTBEAT_SECONDS = 0.5
SILENCE_SECONDS = 2.5 * HEARTBEAT_SECONDS


def test_lines_that_end_in_mid_frame_fall_silent_or_half_open_leave_no_hole_and_no_duplicate(
    stage: Stage, chance: random.Random, long: bool
) -> None:
    record = Record()
    seconds = 60 if long else 6

    async def scenario() -> None:
        await stage.start("--heartbeat-seconds", str(HEARTBEAT_SECONDS))
        async with Proxy(lambda: stage.address, misfortune(chance)) as proxy:
            members = gather(
                stage, record, chance, 20, address=lambda: proxy.address, silence_seconds=SILENCE_SECONDS
            )
            writing = [asyncio.create_task(write(member, 0.1)) for member in members]
            await asyncio.sleep(seconds)
            await end_all(writing)
            proxy.script = Fate  # the network is well again
            proxy.cut_all()
            await come_to_rest(stage, members)
            assert proxy.cuts > seconds
            await judge(stage, record, members)
            print(f"{proxy.lines} lines, {proxy.cuts} of them cut, {len(record.acks)} messages acknowledged")

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_everybody_thrown_out_every_200_ms_misses_nothing(
    stage: Stage, chance: random.Random, long: bool
) -> None:
    record = Record()
    times = 200 if long else 25

    async def scenario() -> None:
        await stage.start()
        async with Proxy(lambda: stage.address) as proxy:
            members = gather(
                stage, record, chance, 20, address=lambda: proxy.address, pause_seconds=(0.0, 0.02)
            )
            writing = [asyncio.create_task(write(member, 0.06)) for member in members]
            for _ in range(times):
                await asyncio.sleep(0.2)
                proxy.cut_all()
            await end_all(writing)
            await come_to_rest(stage, members)
            assert sum(tape.lines for tape in record.tapes) > times * 2
            await judge(stage, record, members)
            print(f"{times} times, {len(record.acks)} messages acknowledged")

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_a_line_dead_only_towards_the_client_is_noticed_by_both_sides(
    stage: Stage, chance: random.Random
) -> None:
    """Half-open: the client by the heartbeat that does not come, the server by the pong that does not."""
    record = Record()

    async def scenario() -> None:
        await stage.start("--heartbeat-seconds", str(HEARTBEAT_SECONDS))
        dead = Fate(swallow_to_client_after_bytes=1_500, swallow_to_server_after_bytes=0)
        async with Proxy(lambda: stage.address, lambda: fates.pop(0) if fates else Fate()) as proxy:
            fates = [Fate(swallow_to_client_after_bytes=0), dead]
            dead.swallow_to_server_after_bytes = 600
            member: Member
            (member,) = gather(
                stage, record, chance, 1, address=lambda: proxy.address, silence_seconds=SILENCE_SECONDS
            )
            await member.until(lambda: proxy.lines >= 2 and member.position is not None)
            member.post("into the void")
            await member.until(lambda: proxy.lines >= 3 and not member.outbox)
            await come_to_rest(stage, [member])
            while await stage.metric("chat_connections") != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            await judge(stage, record, [member])

    asyncio.run(asyncio.wait_for(scenario(), 600))
