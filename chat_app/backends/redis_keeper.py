"""Keeps this node's keys in Redis alive and as they should be, and counts the other nodes.

`redis.RedisBroker` runs it beside its lines, over connections of its own: a write of many people holds up no
hint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from chat_app.backends.redis_line import AWAY, Intervals, Lines
from chat_app.backends.redis_people import PeopleKeys, Rooms


class Keeper:
    """`on_counted` is told the versions of the other nodes that live."""

    def __init__(
        self,
        lines: Lines,
        *,
        prefix: str,
        node_id: str,
        intervals: Intervals,
        on_counted: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._writing, self._reading = lines.line(), lines.line()
        self._reads = asyncio.Lock()
        self._keys = PeopleKeys(
            self._writing, prefix=prefix, node_id=node_id, life_seconds=intervals.life_seconds
        )
        self._intervals = intervals
        self._on_counted = on_counted
        self._people: tuple[int, Rooms] = (0, {})
        self._known: frozenset[str] = frozenset()
        """The other nodes as they were counted last."""
        self._stale = asyncio.Event()
        """The keys are not as they should be, or `_known`."""
        self._anew = True
        """Nothing is known of what the keys hold."""
        self._census_due = False
        self.remove = self._keys.remove

    def set_people(self, version: int, rooms: Rooms) -> None:
        """They are read when they are written."""
        self._people = (version, rooms)
        self._stale.set()

    def write_anew(self) -> None:
        """Redis may be another one, or empty."""
        self._anew = True
        self._stale.set()

    def heard(self, node_id: str) -> None:
        """A node lives; who is not known is counted before its time."""
        if node_id not in self._known:
            self._census_due = True
            self._stale.set()

    async def read(self, node_id: str) -> tuple[int, dict[str, dict[str, str]]] | None:
        """The people of a node; None when it is gone, Redis is away, or they cannot be read."""
        try:
            async with self._reads:
                return await self._keys.read(self._reading, node_id)
        except (*AWAY, msgspec.DecodeError, ValueError):  # perhaps those of a newer version
            return None

    async def run(self) -> None:
        """Writes who came and went, a while of them together, and renews the life."""
        loop, intervals = asyncio.get_running_loop(), self._intervals
        renewal = loop.time()
        while True:
            self._stale.clear()
            anew, self._anew = self._anew, False
            try:
                await self._keys.write(*self._people, anew=anew)
                if anew or self._census_due or loop.time() >= renewal:
                    await self._count_nodes()
                    renewal = loop.time() + intervals.renew_seconds
            except AWAY:
                self._anew = True
                renewal = loop.time() + intervals.probe_seconds
            await asyncio.sleep(intervals.gather_seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(renewal):
                    await self._stale.wait()

    async def close(self) -> None:
        """Nobody waits for Redis."""
        await self._writing.drop()
        await self._reading.drop()

    async def _count_nodes(self) -> None:
        self._census_due = False
        versions = await self._keys.living()
        self._known = frozenset(versions)
        self._on_counted(versions)
