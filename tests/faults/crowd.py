"""Members in numbers: what the scenarios of the fault tests share."""

import asyncio
import random
from typing import Any, Protocol

from tests.faults.checker import Record, Stored, problems
from tests.faults.client import Address, Member
from tests.faults.stage import ROOMS

BUSY = frozenset[str | int]({"busy"})
RESTARTING = frozenset[str | int]({"busy", 503})


class Scene(Protocol):
    """Where they are: a `Stage`, or a `Cluster` of nodes."""

    cookies: tuple[str, ...]

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect now."""

    def heads(self) -> dict[str, int]:
        """Room to head, as the database has them."""

    async def store(self) -> dict[str, Stored]:
        """The rooms as they are paged over HTTP."""


def gather(
    stage: Scene,
    record: Record,
    chance: random.Random,
    count: int,
    *,
    address: Address | None = None,
    room: str | None = None,
    prefix: str = "w",
    **how: Any,
) -> list[Member]:
    """Members over all rooms, or in `room`, and all accounts, at once on their way; `how` is for `Member`."""
    return [
        Member(
            name=f"{prefix}{n}", room=room or ROOMS[n % len(ROOMS)], cookie=stage.cookies[n % len(stage.cookies)],
            address=address or (lambda: stage.address), record=record, chance=random.Random(chance.random()),
            **how,
        ).start()
        for n in range(count)
    ]  # fmt: skip


async def write(member: Member, pause_seconds: float) -> None:
    """Types on and on, whatever the line does; at most 50 wait for an answer."""
    for number in range(1_000_000):
        await member.until(lambda: len(member.outbox) < 50)
        member.post(f"{member.name} says {number}")
        await asyncio.sleep(member.chance.uniform(0, pause_seconds))


async def come_to_rest(stage: Scene, members: list[Member]) -> None:
    """Everything typed is acknowledged, and everybody stands at the head."""
    for member in members:
        await member.until(lambda m=member: not m.outbox and m.line is not None)
    heads = await asyncio.to_thread(stage.heads)
    for member in members:
        await member.until(lambda m=member: m.position == heads[m.room])


async def judge(
    stage: Scene,
    record: Record,
    members: list[Member],
    *,
    resets: bool = False,
    excused: frozenset[str | int] = frozenset(),
) -> None:
    """The promise, over everything that was recorded. But for `resets` nobody was ever reset, and nobody was
    told another error or refused with another status than those `excused`.
    """
    store = await stage.store()
    for member in members:
        await member.stop()
    found = problems(record, store)
    assert not found, "\n".join(found[:20])
    assert set(record.texts) == {m["nonce"] for s in store.values() for m in s.messages}
    assert resets or sum(tape.count("reset") for tape in record.tapes) == 0
    told: set[str | int] = {answer for member in members for answer in (*member.errors, *member.refused)}
    assert told <= excused


async def end_all(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
