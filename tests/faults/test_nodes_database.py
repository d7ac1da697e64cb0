"""Fault 13: PostgreSQL ends the backends in the middle of commits, and restarts; the nodes survive both."""

import asyncio
import random
import signal

from tests.faults.checker import Record
from tests.faults.cluster import Cluster, judge_all
from tests.faults.crowd import RESTARTING, come_to_rest, end_all, gather, write
from tests.services import PostgreSQL


def test_backends_that_end_in_mid_commit_and_a_restart_of_the_database_store_everything_once(
    cluster: Cluster, postgresql: PostgreSQL, chance: random.Random, long: bool
) -> None:
    """The outcome is unknown then: it is sent again with the same nonce until it is known."""
    record = Record()
    times = 300 if long else 10

    async def scenario() -> None:
        await cluster.start()
        members = gather(cluster, record, chance, 15)
        for member in members:
            await member.until(lambda m=member: m.position is not None)
        writing = [asyncio.create_task(write(member, 0.1)) for member in members]
        ended = 0
        for _ in range(times):
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            ended += await asyncio.to_thread(cluster.terminate_backends)
        assert ended >= times
        for restart in range(20 if long else 2):
            acknowledged = len(record.acks)
            number = (
                signal.SIGQUIT if restart % 2 else signal.SIGINT
            )  # at once as a crash, or with a checkpoint
            await asyncio.to_thread(postgresql.stop, number)
            await asyncio.sleep(chance.uniform(0, 0.5))
            await asyncio.to_thread(postgresql.start)
            await members[0].until(lambda a=acknowledged: len(record.acks) > a + 50)
        await end_all(writing)
        await come_to_rest(cluster, members)
        assert all(node.starts == 1 and node.living for node in cluster.nodes)
        unknown = sum(member.errors.get("busy", 0) for member in members)
        assert unknown, "nothing was under way when the connections ended"
        await judge_all(cluster, record, chance, members, excused=RESTARTING)
        print(f"{ended} backends ended; {unknown} outcomes unknown, {len(record.acks)} messages acknowledged")

    asyncio.run(asyncio.wait_for(scenario(), 900 if long else 600))
