"""Faults 1, 2, 3, 4, 9 and 11 on three nodes: they die, lines are cut, everybody lands elsewhere, two of them race."""

import asyncio
import os
import random
import resource
import signal
import time
from typing import get_args

from chat_app.failpoints import VARIABLE, Point
from tests.faults.checker import Record
from tests.faults.client import Member
from tests.faults.cluster import Cluster, judge_all
from tests.faults.crowd import RESTARTING, come_to_rest, end_all, gather, write
from tests.faults.proxy import Fate, Proxy, misfortune
from tests.faults.stage import ROOMS

WRITERS = 20
HEARTBEAT_SECONDS = 0.5
SPREAD_SECONDS = 5.0
"""After 1012 a client waits a random part of it, as static/js/net/closing.js does."""
BACK_SECONDS = 10.0


def test_nodes_killed_again_and_again_under_twenty_writers_keep_the_promise(
    cluster: Cluster, chance: random.Random, long: bool
) -> None:
    kills = 500 if long else 6
    record = Record()

    async def scenario() -> None:
        await cluster.start()
        members = gather(cluster, record, chance, WRITERS)
        writing = [asyncio.create_task(write(member, 0.25)) for member in members]
        for kill in range(kills):
            if kill % 25 == 24:
                print(f"{kill + 1} kills, {len(record.acks)} messages acknowledged", flush=True)
            for member in members:
                await member.until(lambda m=member: m.line is not None)
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            node = chance.choice(cluster.nodes)
            assert await node.stop(signal.SIGKILL) == -signal.SIGKILL
            await node.serve()
        await end_all(writing)
        await judge_all(cluster, record, chance, members)

    asyncio.run(asyncio.wait_for(scenario(), 7_200 if long else 600))
    moves = sum(tape.lines for tape in record.tapes) - len(record.tapes)
    print(f"{kills} kills survived, {moves} reconnects; {len(record.texts)} messages typed, "
          f"{len(record.acks)} acknowledged, none lost or doubled")  # fmt: skip


def test_a_node_dying_between_two_steps_leaves_one_row_for_a_nonce_on_all_nodes(
    cluster: Cluster, chance: random.Random, long: bool
) -> None:
    """Everybody who was on it sends the same again, to another node."""
    record = Record()

    async def scenario() -> None:
        await cluster.start()
        members = gather(cluster, record, chance, 12)
        for member in members:
            await member.until(lambda m=member: m.line is not None)
        for point in get_args(Point) * (20 if long else 1):
            node = chance.choice(cluster.nodes)
            await node.stop(signal.SIGTERM)
            # The first transactions are those of its start.
            await node.serve(**{VARIABLE: f"{point}:{chance.randrange(4, 14)}"})
            writing = [asyncio.create_task(write(member, 0.25)) for member in members]
            dying = asyncio.create_task(node.ended())
            while not dying.done():  # nobody moves to it by himself
                throw_out(chance, members)
                await asyncio.wait({dying}, timeout=0.05)
            assert await dying == -signal.SIGKILL
            await end_all(writing)
            assert node.server is not None
            assert "Traceback" not in node.server.log
            await node.serve()
        await judge_all(cluster, record, chance, members, excused=RESTARTING)  # 503 by who stops in order

    asyncio.run(asyncio.wait_for(scenario(), 1_200 if long else 600))
    print(f"{len(record.acks)} messages acknowledged")


def throw_out(chance: random.Random, members: list[Member]) -> None:
    """Somebody's line ends, and he lands somewhere."""
    connected = [member.line for member in members if member.line is not None]
    if connected:
        chance.choice(connected).abort()


def test_lines_to_all_nodes_that_break_or_fall_silent_leave_no_hole_and_no_duplicate(
    cluster: Cluster, chance: random.Random, long: bool
) -> None:
    record = Record()
    seconds = 600 if long else 5

    async def scenario() -> None:
        await cluster.start("--heartbeat-seconds", str(HEARTBEAT_SECONDS))
        async with Proxy(lambda: cluster.address, misfortune(chance)) as proxy:
            members = gather(
                cluster, record, chance, WRITERS, address=lambda: proxy.address,
                silence_seconds=2.5 * HEARTBEAT_SECONDS,
            )  # fmt: skip
            writing = [asyncio.create_task(write(member, 0.25)) for member in members]
            await asyncio.sleep(seconds)
            await end_all(writing)
            proxy.script = Fate  # the network is well again
            proxy.cut_all()
            await come_to_rest(cluster, members)
            assert proxy.cuts > seconds
            await judge_all(cluster, record, chance, members)
            print(f"{proxy.lines} lines, {proxy.cuts} of them cut, {len(record.acks)} messages acknowledged")

    asyncio.run(asyncio.wait_for(scenario(), seconds + 600))


def test_everybody_thrown_out_every_200_ms_and_landing_on_another_node_misses_nothing(
    cluster: Cluster, chance: random.Random, long: bool
) -> None:
    record = Record()
    times = 2_000 if long else 20

    async def scenario() -> None:
        await cluster.start()
        async with Proxy(lambda: cluster.address) as proxy:
            members = gather(
                cluster, record, chance, WRITERS, address=lambda: proxy.address, pause_seconds=(0.0, 0.02)
            )
            writing = [asyncio.create_task(write(member, 0.25)) for member in members]
            for _ in range(times):
                await asyncio.sleep(0.2)
                proxy.cut_all()
            await end_all(writing)
            await come_to_rest(cluster, members)
            assert sum(tape.lines for tape in record.tapes) > times * 2
            await judge_all(cluster, record, chance, members)
            print(f"{times} times, {len(record.acks)} messages acknowledged")

    asyncio.run(asyncio.wait_for(scenario(), times * 0.5 + 600))


def test_the_clients_of_a_node_that_restarts_are_back_on_the_others_and_resumed(
    cluster: Cluster, chance: random.Random, long: bool
) -> None:
    count = min(5_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4) if long else 240
    record = Record()

    async def scenario() -> None:
        await cluster.start()
        members = gather(cluster, record, chance, count, pause_seconds=(SPREAD_SECONDS, SPREAD_SECONDS))
        for member in members:
            await member.until(lambda m=member: m.position is not None)
        writing = [asyncio.create_task(write(member, 0.2)) for member in members[:6]]
        leaving = cluster.nodes[0]
        before = await leaving.metric("chat_connections")
        assert before > count / 4
        assert await leaving.stop(signal.SIGTERM) == 0
        started = time.monotonic()
        await leaving.serve()
        moved = [member for member in members if 1012 in member.closed or member.line is None]
        assert len(moved) > count / 4
        for member in moved:
            await member.until(lambda m=member: m.tape.count("resumed") > 0)
        took = time.monotonic() - started
        if os.getloadavg()[0] < (os.cpu_count() or 1):  # else others have the processors
            assert took < BACK_SECONDS
        await end_all(writing)
        await judge_all(cluster, record, chance, members, excused=RESTARTING)
        print(f"{len(moved)} of {count} clients resumed elsewhere {took:.1f} s after their node had ended")

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_two_nodes_that_race_in_one_room_number_without_a_hole_and_store_a_nonce_once(
    cluster: Cluster, chance: random.Random, long: bool
) -> None:
    """The twins are one account with two devices that send the same message at the same time, each to another node."""
    record = Record()
    rounds = 5_000 if long else 150

    async def scenario() -> None:
        await cluster.start()
        first, second = cluster.nodes[:2]
        racers = [
            member
            for node, prefix in ((first, "a"), (second, "b"))
            for member in gather(
                cluster, record, chance, 4, room="lobby", address=lambda n=node: n.address, prefix=prefix
            )
        ]
        twins = [
            Member(name="twin", room=ROOMS[1], cookie=cluster.cookies[0], address=lambda n=node: n.address,
                record=record, chance=random.Random(chance.random())).start()
            for node in (first, second)
        ]  # fmt: skip
        for member in (*racers, *twins):
            await member.until(lambda m=member: m.position is not None)
        for number in range(rounds):
            assert len({twin.post(f"the same {number}") for twin in twins}) == 1
            for racer in racers:
                racer.post(f"{racer.name} says {number}")
            if number % 10 == 9:
                for member in (*racers, *twins):
                    await member.until(lambda m=member: len(m.outbox) < 5)
        await judge_all(cluster, record, chance, [*racers, *twins])
        assert cluster.heads()[ROOMS[1]] == rounds
        print(f"{len(record.acks)} messages, {rounds} of them sent to two nodes at once")

    asyncio.run(asyncio.wait_for(scenario(), 1_200 if long else 600))
