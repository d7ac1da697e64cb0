"""`ports.Broker` over Redis: hints by publish and subscribe, people in keys with a life.

`app.py` makes one where there are several nodes. Redis may be away, empty, stopped or unreachable at any
moment: nothing here makes anybody wait for it but `people` and `close`, and nothing is kept in it whose loss
loses anything. A probe that each node sends to itself tells whether what it sends arrives: a subscription
that lets none through is dropped and made anew, whatever the line looks like.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from chat_app.backends.redis_hints import Outbox, decode, encode, hints_of
from chat_app.backends.redis_keeper import Keeper
from chat_app.backends.redis_line import AWAY, INTERVALS, Intervals, Line, Lines
from chat_app.hints import Hint
from chat_app.logs import log_event
from chat_app.metrics import BrokerMetrics, Metrics
from chat_app.ports import Receiver

CLOSE_SECONDS = 1.0
TURN_SECONDS = 0.002
"""For hints that came together, before others have their turn."""
_log = logging.getLogger(__name__)


class RedisBroker:
    """One node's end. `installation` tells apart those that share a Redis.

    Raises ValueError for a URL that cannot be used; whether Redis can be reached is not asked before `start`.
    """

    def __init__(
        self,
        url: str,
        *,
        installation: str,
        metrics: Metrics,
        intervals: Intervals = INTERVALS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.node_id = secrets.token_hex(8)
        self.up = False
        self._channel = f"roomlog:{installation}"
        self._intervals = intervals
        self._monotonic = monotonic
        self._errors = metrics.errors
        self._metrics = BrokerMetrics(metrics.registry)
        self._lines = Lines(url, reply_seconds=intervals.reply_seconds)
        self._keeper = Keeper(
            self._lines,
            prefix=self._channel,
            node_id=self.node_id,
            intervals=intervals,
            on_counted=lambda versions: self._tell(self._receiver.nodes_alive, versions),
        )
        self._outbox = Outbox(self._metrics)
        self._told: bool | None = None
        self._heard = -math.inf
        """When the last probe came back."""
        self._probing: asyncio.TimerHandle | None = None
        self._probe_due = False
        self._something = asyncio.Event()
        """There is something to publish."""
        self._tasks: list[asyncio.Task[None]] = []
        self._receiver: Receiver

    def start(self, receiver: Receiver) -> None:
        """Begins to listen, to publish and to say that this node lives."""
        self._receiver = receiver
        loop = asyncio.get_running_loop()
        for work in (self._listen, self._publish, self._keeper.run):
            self._tasks.append(loop.create_task(self._lasting(work)))
        self._probe()

    def send(self, hint: Hint) -> None:
        """Queues a hint for the next turn of the loop; see `redis_hints.Outbox` for what is dropped."""
        self._outbox.put(hint)
        self._something.set()

    def set_people(self, version: int, rooms: Mapping[str, Mapping[str, str]]) -> None:
        """It may be the same object each time, changed in the turn in which it is given again."""
        self._keeper.set_people(version, rooms)

    async def people(self, node_id: str) -> tuple[int, dict[str, dict[str, str]]] | None:
        """None too for what a newer version wrote in another form."""
        return await self._keeper.read(node_id)

    async def close(self) -> None:
        """Tells what waits, who has just left among it, and removes the keys."""
        self.up = False
        if self._probing is not None:
            self._probing.cancel()
        while running := [task for task in self._tasks if not task.done()]:
            for task in running:
                task.cancel()  # once more where a library swallowed it
            await asyncio.wait(running, timeout=0.05)
        for work in (self._tell_last, self._keeper.remove):
            try:
                async with asyncio.timeout(CLOSE_SECONDS / 2):
                    await work()
            except AWAY:
                pass  # then the life of the keys runs out
        await self._keeper.close()

    async def _tell_last(self) -> None:
        line = self._lines.line()
        try:
            while hints := self._outbox.take():
                await line.ask("PUBLISH", self._channel, encode(self.node_id, 0.0, hints))
        finally:
            self._outbox.away = True
            await line.drop()

    async def _lasting(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A fault in it ends neither the work nor the process."""
        while True:
            try:
                await work()
            except Exception:
                self._errors.inc()
                _log.exception("broker failed")
            await asyncio.sleep(self._intervals.probe_seconds)

    # Publishing

    def _probe(self) -> None:
        """Every second, and as soon as there is a new subscription to be confirmed."""
        if self._probing is not None:
            self._probing.cancel()
        self._probing = asyncio.get_running_loop().call_later(self._intervals.probe_seconds, self._probe)
        self._probe_due = True
        self._something.set()

    async def _publish(self) -> None:
        """One message after the other: while one is under way, the next one gathers."""
        line = self._lines.line()
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                while self._probe_due or self._outbox:
                    await self._publish_next(line)
        finally:
            await line.drop()

    async def _publish_next(self, line: Line) -> None:
        hints = self._outbox.take()
        probe, self._probe_due = (self._monotonic() if self._probe_due else 0.0), False
        try:
            await line.ask("PUBLISH", self._channel, encode(self.node_id, probe, hints))
        except AWAY:
            self._outbox.fail(len(hints))
            await line.drop()
        else:
            self._outbox.away = False
            self._metrics.sent.inc(len(hints))

    # Listening

    async def _listen(self) -> None:
        """Subscribes again and again. A line that ends is not yet a Redis that is away."""
        failures = 0
        while True:
            line = self._lines.line()
            begun = self._monotonic()
            try:
                await self._follow(line)
            except TimeoutError:
                self._down("silence")
            except AWAY as error:
                if self._heard < begun:
                    self._down(type(error).__name__)
            finally:
                self._metrics.up.set(0)
                await line.drop()
            failures = 0 if self._heard >= begun else failures + 1
            first, most = self._intervals.retry_seconds
            await asyncio.sleep(random.uniform(0.5, 1) * min(first * 2**failures, most))  # nosec B311

    async def _follow(self, line: Line) -> None:
        """One subscription, until it ends or no probe has come for too long."""
        loop, patience = asyncio.get_running_loop(), self._intervals.patience_seconds
        waited = self._monotonic() - self._heard if self.up else 0.0
        async with asyncio.timeout(patience - waited) as watch:
            await line.ask("SUBSCRIBE", self._channel)
            self._probe()
            confirmed, turn_ends = False, 0.0
            while True:
                kind, _, data = await line.read()
                if kind == b"message" and self._take(data):
                    watch.reschedule(loop.time() + patience)
                    if not confirmed:
                        confirmed = True
                        self._confirm()
                if loop.time() > turn_ends:  # what is buffered is read without a pause
                    await asyncio.sleep(0)
                    turn_ends = loop.time() + TURN_SECONDS

    def _take(self, data: bytes) -> bool:
        """Hands on what other nodes tell. Whether it was this node's own probe."""
        message = decode(data)
        if message is None:
            self._metrics.dropped.labels("unreadable").inc()
            return False
        node_id, probe, hints = message
        if node_id == self.node_id:
            if probe:
                self._heard = self._monotonic()
                self._metrics.hop.observe(self._heard - probe)
            return bool(probe)
        self._keeper.heard(node_id)
        for hint in hints_of(hints):
            if hint is None:
                self._metrics.dropped.labels("unreadable").inc()
            else:
                self._metrics.received.inc()
                self._tell(self._receiver.receive, node_id, hint)
        return False

    def _confirm(self) -> None:
        """A new subscription works. What was told before it is lost, and Redis may be another one."""
        if self._told is not True:
            log_event(_log, "broker.up")
        self.up = self._told = True
        self._metrics.up.set(1)
        self._keeper.write_anew()
        self._tell(self._receiver.connection_changed, True)

    def _down(self, reason: str) -> None:
        if self._told is False:
            return
        log_event(_log, "broker.down", level=logging.WARNING, reason=reason)
        self.up = self._told = False
        self._tell(self._receiver.connection_changed, False)

    def _tell(self, told: Callable[..., None], *what: object) -> None:
        """A fault of who is told is not the connection's."""
        try:
            told(*what)
        except Exception:
            self._errors.inc()
            _log.exception("a hint failed")
