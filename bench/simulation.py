"""A small model of an installation: messages, transactions, hints and writes as jobs with the unit costs of a machine.

`scaling.py` asks it what one to three processes do on the machine that was measured, and whether the arithmetic of
a large installation holds when things wait for each other. No chance is in it: the same costs give the same answer.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bench.unit_costs import Costs

WRITER_SLOTS = 8
"""Rooms that one process stores at the same time (`backends/sql/postgresql_writer.py`)."""
PAUSE_LIMIT_S = 0.005
"""After a flush a room waits as long as it took, at most this (`core/rooms.py`)."""
_US = 1e-6
Done = Callable[[], None]


@dataclass(frozen=True)
class Setup:
    """What is simulated. `cores` None: everything has a core of its own, as on machines enough."""

    processes: int
    rooms: int
    room_members: int
    senders: int = 0
    """Of each room, who keep `window` messages under way; 0: `rate` counts."""
    window: int = 0
    rate: float = 0.0
    """Messages a second in all, the rooms and processes in turn."""
    cores: int | None = 2


@dataclass(frozen=True)
class Outcome:
    """What came out, for each second and each delivery."""

    deliveries_per_s: float
    messages_per_s: float
    cpu_us: float
    process_share: float
    """How busy the busiest process is."""
    redis_share: float
    database_cores: float
    p50_ms: float
    p99_ms: float


class Clock:
    """Jobs that share the cores, and timers; the heart of the model."""

    def __init__(self, cores: int | None) -> None:
        self.now = 0.0
        self._cores = cores or math.inf
        self._order = itertools.count()
        self._timers: list[tuple[float, int, Done]] = []
        self._virtual = 0.0
        """CPU that each running job has had: all of them get the same."""
        self._jobs: list[tuple[float, int, Done]] = []

    def after(self, seconds: float, done: Done) -> None:
        """Calls `done` later."""
        heapq.heappush(self._timers, (self.now + seconds, next(self._order), done))

    def work(self, cpu_us: float, done: Done) -> None:
        """Calls `done` once so much CPU was had."""
        heapq.heappush(self._jobs, (self._virtual + cpu_us * _US, next(self._order), done))

    def run(self, until: float) -> None:
        """Goes on to that moment."""
        while True:
            speed = min(1.0, self._cores / len(self._jobs)) if self._jobs else 1.0
            job_at = self.now + (self._jobs[0][0] - self._virtual) / speed if self._jobs else math.inf
            timer_at = self._timers[0][0] if self._timers else math.inf
            moment = min(job_at, timer_at, until)
            self._virtual += max(0.0, moment - self.now) * speed
            self.now = moment
            if moment >= until:
                return
            heap = self._jobs if job_at <= timer_at else self._timers
            heapq.heappop(heap)[2]()


class Thread:
    """Does one batch after the other: whatever waits when it is free is its next batch."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, Done]] = []
        self._busy = False
        self.used_us = 0.0

    def give(self, cpu_us: float, done: Done) -> None:
        """Something to do."""
        self._waiting.append((cpu_us, done))
        if not self._busy:
            self._begin()

    def _begin(self) -> None:
        batch, self._waiting = self._waiting, []
        cost = sum(cpu_us for cpu_us, _ in batch)
        self._busy = True
        self._clock.work(cost, lambda: self._end(batch, cost))

    def _end(self, batch: list[tuple[float, Done]], cost: float) -> None:
        self.used_us += cost
        for _, done in batch:
            done()
        self._busy = False
        if self._waiting:
            self._begin()


Message = tuple[int, int, float]
"""(room, member, when it was sent)"""


class _Process:
    """One of our processes."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.thread = Thread(world.clock)
        self.queues: dict[int, list[Message]] = {}
        self.storing: set[int] = set()
        self.ready: deque[int] = deque()
        self.slots = WRITER_SLOTS
        self.pending: dict[int, list[Message]] = {}
        self.paused: set[int] = set()
        self.outbox: list[tuple[int, list[Message]]] = []
        self.publishing = False

    def post(self, message: Message) -> None:
        self.thread.give(self.world.costs.message_us, lambda: self._queue(message))

    def _queue(self, message: Message) -> None:
        self.queues.setdefault(message[0], []).append(message)
        self._store(message[0])

    def _store(self, room: int) -> None:
        """One transaction of a room at a time, and of `WRITER_SLOTS` rooms."""
        if room in self.storing or not self.queues.get(room):
            return
        if self.slots == 0:
            if room not in self.ready:
                self.ready.append(room)
            return
        self.slots -= 1
        self.storing.add(room)
        self.world.database.lock(room, lambda: self._locked(room))

    def _locked(self, room: int) -> None:
        messages = self.queues.pop(room)
        self.world.database.commit(room, len(messages), lambda: self._committed(room, messages))

    def _committed(self, room: int, messages: list[Message]) -> None:
        self.thread.give(self.world.costs.commit_us, lambda: self._stored(room, messages))

    def _stored(self, room: int, messages: list[Message]) -> None:
        self.slots += 1
        self.storing.discard(room)
        self.world.stored += len(messages)
        self.outbox.append((room, messages))
        self.publish()
        self.show(room, messages)
        self._store(room)
        if self.ready:
            self._store(self.ready.popleft())

    def publish(self) -> None:
        """One message to Redis after the other: while one is under way, the next one gathers."""
        if self.outbox and not self.publishing:
            hints, self.outbox = self.outbox, []
            self.publishing = True
            self.world.publish(self, hints)

    def published(self) -> None:
        self.publishing = False
        self.publish()

    def hear(self, hints: list[tuple[int, list[Message]]]) -> None:
        costs = self.world.costs
        cost = costs.heard_us
        for room, messages in hints:
            somebody = self.world.members_of(room, self.number) > 0
            cost += (costs.hint_shown_us if somebody else costs.hint_us) * len(messages)

        def shown() -> None:
            for room, messages in hints:
                self.show(room, messages)

        self.thread.give(cost, shown)

    def show(self, room: int, messages: list[Message]) -> None:
        if not self.world.members_of(room, self.number):
            return
        fresh = room not in self.pending
        self.pending.setdefault(room, []).extend(messages)
        if fresh and room not in self.paused:
            self.flush(room)

    def flush(self, room: int) -> None:
        """Everybody here gets all that is there in one write; what comes in the meantime waits a little."""
        costs, members = self.world.costs, self.world.members_of(room, self.number)
        count = len(self.pending[room])
        cost = members * (costs.send_us + (count - 1) * costs.delivery_us)
        self.paused.add(room)
        messages = self.pending.pop(room)
        self.thread.give(cost, lambda: self._flushed(room, messages, cost))

    def _flushed(self, room: int, messages: list[Message], cost: float) -> None:
        self.world.deliver(self.number, room, messages)
        self.world.clock.after(min(PAUSE_LIMIT_S, cost * _US), lambda: self._go_on(room))

    def _go_on(self, room: int) -> None:
        self.paused.discard(room)
        if room in self.pending:
            self.flush(room)


class _Database:
    """PostgreSQL: a backend for each transaction, and the row of a room locked until the commit."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.used_us = 0.0
        self._waiting: dict[int, deque[Done]] = {}
        costs = world.costs
        cpu = costs.commit_us + costs.database_commit_us + costs.database_message_us
        self._sync_s = max(0.0, costs.commit_ms / 1000 - cpu * _US)

    def lock(self, room: int, done: Done) -> None:
        if room in self._waiting:
            self._waiting[room].append(done)
        else:
            self._waiting[room] = deque()
            done()

    def commit(self, room: int, messages: int, done: Done) -> None:
        costs = self.world.costs
        cost = costs.database_commit_us + messages * costs.database_message_us
        self.used_us += cost
        self.world.clock.work(
            cost, lambda: self.world.clock.after(self._sync_s, lambda: self._end(room, done))
        )

    def _end(self, room: int, done: Done) -> None:
        waiting = self._waiting[room]
        if waiting:
            waiting.popleft()()
        else:
            del self._waiting[room]
        done()


class World:
    """Everything together."""

    def __init__(self, costs: Costs, setup: Setup) -> None:
        self.costs, self.setup = costs, setup
        self.clock = Clock(setup.cores)
        self.database = _Database(self)
        self.redis, self.client = Thread(self.clock), Thread(self.clock)
        self.processes = [_Process(self, number) for number in range(setup.processes)]
        self.stored = self.delivered = 0
        self.waits: list[float] = []

    def members_of(self, room: int, process: int) -> int:
        """Members go to the processes in turn."""
        first = room * self.setup.room_members
        offset = (process - first) % self.setup.processes
        return max(0, -(-(self.setup.room_members - offset) // self.setup.processes))

    def process_of(self, room: int, member: int) -> _Process:
        return self.processes[(room * self.setup.room_members + member) % self.setup.processes]

    def publish(self, sender: _Process, hints: list[tuple[int, list[Message]]]) -> None:
        """Every process hears every hint."""

        def heard() -> None:
            sender.published()
            for each in self.processes:
                if each is not sender:
                    each.hear(hints)

        self.redis.give(self.costs.redis_hint_us + len(self.processes) * self.costs.redis_copy_us, heard)

    def deliver(self, process: int, room: int, messages: list[Message]) -> None:
        members = self.members_of(room, process)
        self.delivered += members * len(messages)
        cost = members * (self.costs.client_read_us + len(messages) * self.costs.client_delivery_us)
        if self.setup.rate:
            self._read(process, room, messages)  # clients are elsewhere
        else:
            self.client.give(cost, lambda: self._read(process, room, messages))

    def _read(self, process: int, room: int, messages: list[Message]) -> None:
        for message in messages:
            self.waits.append(self.clock.now - message[2])
            if not self.setup.rate and self.process_of(room, message[1]).number == process:
                self.send(room, message[1])

    def send(self, room: int, member: int) -> None:
        self.process_of(room, member).post((room, member, self.clock.now))

    def begin(self) -> None:
        if self.setup.rate:
            self._arrive(0)
        for room in range(self.setup.rooms if not self.setup.rate else 0):
            for member in range(self.setup.senders):
                for _ in range(self.setup.window):
                    self.send(room, member)

    def _arrive(self, number: int) -> None:
        room, member = number % self.setup.rooms, (number * 7) % self.setup.room_members
        self.send(room, member)
        self.clock.after(1 / self.setup.rate, lambda: self._arrive(number + 1))


def simulate(costs: Costs, setup: Setup, *, warm_s: float = 0.3, seconds: float = 1.0) -> Outcome:
    """What comes out within `seconds` once it runs."""
    world = World(costs, setup)
    world.begin()
    world.clock.run(warm_s)
    before = world.stored, world.delivered, [p.thread.used_us for p in world.processes]
    redis, database = world.redis.used_us, world.database.used_us
    world.waits.clear()
    world.clock.run(warm_s + seconds)
    delivered = world.delivered - before[1]
    used = [p.thread.used_us - then for p, then in zip(world.processes, before[2], strict=True)]
    waits = sorted(world.waits) or [0.0]
    return Outcome(
        deliveries_per_s=delivered / seconds,
        messages_per_s=(world.stored - before[0]) / seconds,
        cpu_us=sum(used) / max(1, delivered),
        process_share=max(used) * _US / seconds,
        redis_share=(world.redis.used_us - redis) * _US / seconds,
        database_cores=(world.database.used_us - database) * _US / seconds,
        p50_ms=waits[len(waits) // 2] * 1000,
        p99_ms=waits[len(waits) * 99 // 100] * 1000,
    )
