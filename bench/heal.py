"""How long each fault is felt: by who posts on one process, and by who listens on another (tests/faults/hop.py)."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable

from bench.grid import POSTGRESQL, Grid, Installation
from tests.faults.checker import Record
from tests.faults.client import Member
from tests.faults.hop import Hop, kill_subscribers

AWAY_SECONDS = 4.0
ROOM = "lobby"
Heal = tuple[str, dict[str, float]]


def measure(grid: Grid) -> list[Heal]:
    """Each fault on three processes, one after another."""
    with grid.installation(POSTGRESQL, 3) as there:
        return asyncio.run(asyncio.wait_for(_measure(grid, there), 180))


async def _measure(grid: Grid, there: Installation) -> list[Heal]:
    listening = [1]
    record, redis = Record(), there.redis
    assert redis is not None

    def member(number: int, at: Callable[[], int]) -> Member:
        return Member(
            name=f"m{number}", room=ROOM, cookie=grid.cookie(number), record=record, chance=random.Random(number),
            address=lambda: ("127.0.0.1", there.ports[at()]),
        ).start()  # fmt: skip

    speaker, listener = member(0, lambda: 0), member(1, lambda: listening[0])
    for each in (speaker, listener):
        await each.until(lambda m=each: m.position is not None)  # type: ignore[misc]

    def heard() -> Awaitable[float]:
        return asyncio.to_thread(there.metric, listening[0], "chat_hints_received_total")

    hop = Hop(speaker, listener, heard)
    talking = asyncio.create_task(hop.talk())
    await hop.hinted()

    async def subscribers() -> None:
        await asyncio.to_thread(kill_subscribers, redis.port)

    def node_dies() -> None:
        listening[0] = 2
        there.servers[1].stop()

    found = [
        await _fault(hop, "nothing", _at_once, _at_once, hop.hinted),
        await _fault(hop, "Redis killed, back empty", _off(redis.stop), _off(redis.start), hop.hinted),
        await _fault(hop, "Redis stopped", _off(redis.pause), _off(redis.resume), hop.hinted),
        await _fault(hop, "Redis's subscribers killed", _at_once, subscribers, hop.hinted, away=0.5),
        await _fault(hop, "PostgreSQL restarted", _off(grid.postgresql.stop), _off(grid.postgresql.start),
            lambda: hop.next(hop.answered), away=0.0),
        await _fault(hop, "the listener's process killed", _at_once, _off(node_dies), lambda: hop.next(hop.moved), away=0.5),
    ]  # fmt: skip
    talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)
    for each in (speaker, listener):
        await each.stop()
    return found


async def _fault(
    hop: Hop, name: str, down: Callable[[], Awaitable[object]], up: Callable[[], Awaitable[object]],
    healed: Callable[[], Awaitable[float]], *, away: float = AWAY_SECONDS,
) -> Heal:  # fmt: skip
    """`down`, a while, `up`, and then until `healed`; the times of all messages from the beginning on."""
    hop.take()
    kept: tuple[list[float], list[float]] = [], []
    started = time.monotonic()
    await down()
    await asyncio.sleep(away)
    await up()
    gone = time.monotonic() - started
    _keep(kept, hop)
    seconds = await healed()
    while hop.waits():  # what had to wait belongs to this fault, too
        await hop.next(hop.answered)
    await hop.next(hop.moved)
    _keep(kept, hop)
    answers, hops = kept
    return name, {
        "away_s": gone,
        "answer_p50_ms": statistics.median(answers) * 1000, "answer_max_ms": max(answers) * 1000,
        "hop_p50_ms": statistics.median(hops) * 1000, "hop_max_ms": max(hops) * 1000, "healed_s": seconds,
    }  # fmt: skip


def _keep(kept: tuple[list[float], list[float]], hop: Hop) -> None:
    for mine, taken in zip(kept, hop.take(), strict=True):
        mine.extend(taken)


def _off(function: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    return lambda: asyncio.to_thread(function)


async def _at_once() -> None:
    """Nothing is done."""
