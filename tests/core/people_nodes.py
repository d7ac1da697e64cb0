"""Several nodes in one process: a loop whose clock runs only as far as somebody waits for, and a broker that
loses hints, goes away, and forgets."""

from __future__ import annotations

import asyncio
import copy
import selectors
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from chat_app.core.cluster import Cluster
from chat_app.core.connection import Connection
from chat_app.core.remote_people import PeopleElsewhere
from chat_app.core.rooms import Registry, Room, Tasks, follow, unfollow
from chat_app.hints import Hint
from chat_app.models import RoomInfo
from chat_app.ports import Receiver

from .fakes import FakeSink, MemoryHistory, connect


class _Idle(selectors.DefaultSelector):
    """Waits for no time: tells how long it should have."""

    def __init__(self, waited: Callable[[float], None]) -> None:
        super().__init__()
        self._waited = waited

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0 if timeout else timeout)
        if not ready and timeout:
            self._waited(timeout)
        return ready


class ClockLoop(asyncio.SelectorEventLoop):
    """For what has no threads and no sockets: an hour passes in no time, in the order of the timers."""

    def __init__(self) -> None:
        self._now = 1_000.0
        super().__init__(_Idle(self._pass))

    def time(self) -> float:
        return self._now

    def _pass(self, seconds: float) -> None:
        self._now += seconds


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """To its end; whatever fails in a task fails the test."""
    failed: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: failed.append(context))
        runner.run(scenario())  # type: ignore[arg-type]
    assert not failed


class Network:
    """What Redis is to the nodes."""

    def __init__(self) -> None:
        self.brokers: dict[str, FakeBroker] = {}
        self.sent: list[tuple[str, Hint]] = []
        self.reads: list[str] = []
        self.loses: Callable[[Hint], bool] = lambda hint: False
        self.people: dict[str, tuple[int, dict[str, dict[str, str]]]] = {}
        self.up = True

    def tell_alive(self) -> None:
        """As every few seconds: who lives, with the versions of its people."""
        for broker in self.listening():
            others = {key: version for key, (version, _) in self.people.items() if key != broker.node_id}
            broker.receiver.nodes_alive(others)

    def listening(self) -> list[FakeBroker]:
        return [broker for broker in self.brokers.values() if self.up and broker.receiver is not None]

    def go_away(self, *, empty: bool = False) -> None:
        """`empty`: it comes back with nothing in it."""
        self.up = False
        if empty:
            self.people.clear()
        for broker in self.brokers.values():
            broker.receiver.connection_changed(False)

    def come_back(self) -> None:
        self.up = True
        for broker in self.brokers.values():
            broker.receiver.connection_changed(True)

    def kill(self, node_id: str) -> None:
        """Its key is gone as well, as 15 s later."""
        del self.brokers[node_id]
        self.people.pop(node_id, None)


class FakeBroker:
    """`ports.Broker`: a hop takes a turn of the loop."""

    receiver: Receiver

    def __init__(self, network: Network, node_id: str) -> None:
        self.network = network
        self.node_id = node_id
        self.receiver = None  # type: ignore[assignment]
        network.brokers[node_id] = self

    @property
    def up(self) -> bool:
        return self.network.up

    def start(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def send(self, hint: Hint) -> None:
        network = self.network
        if not network.up or self.node_id not in network.brokers:
            return
        network.sent.append((self.node_id, hint))
        if not network.loses(hint):
            asyncio.get_running_loop().call_soon(self._deliver, hint)

    def _deliver(self, hint: Hint) -> None:
        for broker in self.network.listening():
            if broker is not self:
                broker.receiver.receive(self.node_id, hint)

    def set_people(self, version: int, rooms: Mapping[str, Mapping[str, str]]) -> None:
        if self.network.up and self.node_id in self.network.brokers:
            self.network.people[self.node_id] = version, {key: dict(names) for key, names in rooms.items()}

    async def people(self, node_id: str) -> tuple[int, dict[str, dict[str, str]]] | None:
        self.network.reads.append(node_id)
        await asyncio.sleep(0.01)
        return copy.deepcopy(self.network.people.get(node_id)) if self.network.up else None

    async def close(self) -> None:
        self.network.kill(self.node_id)


class Deaf:
    """The parts of a `Cluster` that a test has not."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given: None


class Node:
    """The rooms of one node and who is in them."""

    def __init__(self, network: Network, name: str, *rooms: str) -> None:
        self.tasks = Tasks(lambda: None)
        self.registry = Registry(
            history=MemoryHistory(),  # type: ignore[arg-type]
            history_limit=50,
            tasks=self.tasks,
        )
        for slug in rooms or ("lobby",):
            self.add(slug)
        self.people = elsewhere(network, name, self.registry, self.tasks)
        self.broker = network.brokers[name]

    def add(self, slug: str) -> Room:
        return self.registry.add(RoomInfo(slug, slug, slug, "e", 0, 0))

    def room(self, slug: str = "lobby") -> Room:
        room = self.registry.by_slug(slug)
        assert room is not None
        return room

    def names(self, slug: str = "lobby") -> list[str]:
        return self.room(slug).people.names()

    def join(self, name: str, slug: str = "lobby") -> tuple[Connection, FakeSink]:
        connection, sink = connect(name)
        follow(connection, self.room(slug), since=None, epoch=None)
        return connection, sink

    def leave(self, connection: Connection, slug: str = "lobby") -> None:
        unfollow(connection, self.room(slug))

    async def close(self) -> None:
        self.people.close()
        for room in self.registry.all():
            room.people.close()
        await self.tasks.close()


def presence(sink: FakeSink) -> list[dict[str, Any]]:
    return [frame for frame in sink.frames() if frame["type"] == "presence"]


def elsewhere(network: Network, name: str, registry: Registry, tasks: Tasks) -> PeopleElsewhere:
    """What makes a node of a running server: its people are told, those of others heard of."""
    broker, deaf = FakeBroker(network, name), cast(Any, Deaf())
    people = PeopleElsewhere(broker=broker, registry=registry, start_task=tasks.start)
    broker.start(Cluster(rooms=deaf, accounts=deaf, people=people, limits=deaf))
    return people
