"""Fault 10: Redis is killed and comes back empty, stands still, loses its subscribers, or swallows everything.

Sending must go on meanwhile, and what is posted on one node must reach the others by the database alone.
"""

import asyncio
import os
import random
import statistics
from collections.abc import Callable

from tests.faults.checker import Record
from tests.faults.cluster import Cluster, judge_all
from tests.faults.crowd import end_all, gather, write
from tests.faults.hop import PAUSE_SECONDS, Hop, kill_subscribers
from tests.faults.proxy import Proxy
from tests.services import Redis

AWAY_SECONDS = 4.0
LONG_AWAY_SECONDS = 30.0
ACK_SECONDS = 1.0
"""The median that an answer may take while Redis is away; nothing of it may wait for Redis."""
MEDIAN_SECONDS = 1.0
HEAL_SECONDS = 5.0
"""In the median and at most, what a message may take to another node: heads are compared every 1 s, and every 0.2 s
once Redis is known to be away. On a quiet machine it is a fraction of that; where others have the processors, too, at
most `BUSY_FACTOR` times as much.
"""
BUSY_FACTOR = 4.0


def at_most() -> float:
    """`HEAL_SECONDS`, or what it comes to on a busy machine."""
    busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    return HEAL_SECONDS * (BUSY_FACTOR if busy else 1.0)


def test_a_redis_that_dies_stands_still_or_swallows_delays_nobody_and_loses_nothing(
    cluster: Cluster, redis: Redis, chance: random.Random, long: bool
) -> None:
    record = Record()
    away = LONG_AWAY_SECONDS if long else AWAY_SECONDS

    async def scenario() -> None:
        async with Proxy(lambda: ("127.0.0.1", redis.port)) as wire:
            cluster.redis_url = f"redis://127.0.0.1:{wire.address[1]}/0"
            await cluster.start()
            members = gather(cluster, record, chance, 9)
            pair = [
                *gather(cluster, record, chance, 1, room="lobby", prefix="speaker", address=lambda: cluster.nodes[0].address),
                *gather(cluster, record, chance, 1, room="lobby", prefix="listener", address=lambda: cluster.nodes[1].address),
            ]  # fmt: skip
            for member in (*members, *pair):
                await member.until(lambda m=member: m.position is not None)
            hop = Hop(*pair, heard=lambda: cluster.nodes[1].metric("chat_hints_received_total"))
            busy = [asyncio.create_task(write(member, 0.2)) for member in members]
            busy.append(asyncio.create_task(hop.talk()))

            async def play(name: str, down: Callable[[], object], up: Callable[[], object]) -> None:
                await fault(cluster, hop, name, down, up, away)

            print(f"hints reached the other node {await hop.hinted():.2f} s after the start")
            await play("killed, back empty", redis.stop, redis.start)
            await play("stopped", redis.pause, redis.resume)
            await play("half-open", lambda: swallow(wire, True), lambda: swallow(wire, False))
            for _ in range(20 if long else 3):
                await brokers(cluster, up=True)
                killed = await asyncio.to_thread(kill_subscribers, redis.port)
                assert killed >= len(cluster.nodes)
                healed = await hop.hinted()
                print(f"{killed} subscribers killed: hints again after {healed:.2f} s")
                assert healed < at_most()
                hop.take()
            await end_all(busy)
            await judge_all(cluster, record, chance, [*members, *pair])
            print(f"{len(record.acks)} messages acknowledged")

    asyncio.run(asyncio.wait_for(scenario(), 900 if long else 600))


async def brokers(cluster: Cluster, *, up: bool) -> None:
    """Waits until every node says so of Redis."""
    while {bool(await node.metric("chat_broker_up")) for node in cluster.nodes} != {up}:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def swallow(wire: Proxy, on: bool) -> None:
    wire.swallowing = on


async def fault(
    cluster: Cluster,
    hop: Hop,
    name: str,
    down: Callable[[], object],
    up: Callable[[], object],
    seconds: float,
) -> None:
    """Redis is away for a while; what that did to who posts and who listens elsewhere."""
    hop.take()
    await asyncio.to_thread(down)
    await asyncio.sleep(seconds)
    await brokers(cluster, up=False)
    answers, hops = hop.take()
    await asyncio.to_thread(up)
    healed = await hop.hinted()
    print(
        f"Redis {name}, {seconds:.0f} s: {len(answers)} answers, median {statistics.median(answers) * 1000:.0f} ms, "
        f"at most {max(answers) * 1000:.0f} ms; to another node median {statistics.median(hops) * 1000:.0f} ms, "
        f"at most {max(hops) * 1000:.0f} ms; hints again {healed:.2f} s after it was back"
    )
    assert len(hops) > seconds / PAUSE_SECONDS / 4
    assert statistics.median(answers) < ACK_SECONDS
    assert statistics.median(hops) < MEDIAN_SECONDS
    assert max(hops) < at_most()
    assert healed < at_most()
