"""Counting in memory comes to what the store would count, whatever happens between two ticks."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable

import pytest

from chat_app.core.connection import Connection
from chat_app.core.connections import Connections
from chat_app.core.rooms import Registry, Tasks, follow, unfollow
from chat_app.core.unread import COUNT_LIMIT, Unreads
from chat_app.errors import Busy
from chat_app.metrics import Metrics
from chat_app.models import Committed, Message, RoomInfo, Unread

from .fakes import FakeSink, MemoryHistory, connect


class MemoryRooms:
    """Read positions, and counts as `ports.Rooms` promises them, of one room."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.head = 0
        self.named: dict[str, tuple[str, ...]] = {}
        self.marks: dict[str, int] = {}
        self.busy = False
        self.asked = 0
        self.hold: asyncio.Event | None = None

    def post(self, author: str, named: tuple[str, ...] = ()) -> Committed:
        self.head += 1
        message = Message(f"m{self.head}", "r", self.head, self.head, author, author, "x", None, 1)
        self.messages[message.id], self.named[message.id] = message, named
        return Committed("message", "r", self.head, message, mentioned=named)

    def delete(self, message_id: str) -> Committed:
        self.head += 1
        message = self.messages.pop(message_id)
        return Committed("deleted", "r", self.head, message)

    async def unread(self, account_id: str) -> list[Unread]:
        if self.busy:
            raise Busy()
        self.asked += 1
        counted = self.counted(account_id)
        if self.hold is not None:
            await self.hold.wait()
        return [counted]

    def counted(self, account_id: str) -> Unread:
        read = self.marks.get(account_id, 0)
        beyond = [m for m in self.messages.values() if m.seq > read and m.account_id != account_id]
        named = [m for m in beyond if account_id in self.named[m.id]]
        return Unread("r", read, min(len(beyond), 1000), min(len(named), 1000), self.head)

    async def mark_read(self, marks: dict[tuple[str, str], int]) -> None:
        if self.busy:
            raise Busy()
        for (account_id, _), seq in marks.items():
            self.marks[account_id] = max(seq, self.marks.get(account_id, 0))


class World:
    def __init__(self) -> None:
        self.store = MemoryRooms()
        self.connections = Connections(metrics=Metrics())
        tasks = Tasks(lambda: None)
        registry = Registry(history=MemoryHistory(), history_limit=50, tasks=tasks)  # type: ignore[arg-type]
        self.room = registry.add(RoomInfo("r", "team", "Team", "e1", 0, 0))
        self.unreads = Unreads(rooms=self.store, registry=registry, connections=self.connections)  # type: ignore[arg-type]

    async def open(self, name: str) -> tuple[Connection, FakeSink]:
        connection, sink = connect(name)
        self.connections.add(connection)
        await self.unreads.opened(connection)
        return connection, sink

    def close(self, connection: Connection) -> None:
        unfollow(connection, self.room)
        self.connections.remove(connection)
        connection.closed = True
        self.unreads.closed(connection)

    def publish(self, change: Committed) -> None:
        self.room.publish(change)
        self.unreads.published(change)


def told(sink: FakeSink) -> list[tuple[int, int]]:
    return [(frame["count"], frame["mentions"]) for frame in sink.frames() if frame["type"] == "unread"]


def run(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World()
        await scenario(world)
        world.room.people.close()

    asyncio.run(main())


def test_counts_are_told_once_a_tick_to_connections_that_do_not_follow() -> None:
    async def scenario(world: World) -> None:
        _, away = await world.open("bob")
        here, here_sink = await world.open("bob")
        _, author = await world.open("ann")
        follow(here, world.room, since=None, epoch=None)
        for number in range(3):
            world.publish(world.store.post("ann", ("bob",) if number else ()))
        assert told(away) == []
        await world.unreads.tick()
        await world.unreads.tick()
        assert told(away) == [(3, 2)]
        assert told(here_sink) == told(author) == []
        assert world.store.asked == 2  # once when an account opened its first connection, never for a message

    run(scenario)


def test_a_deletion_takes_back_what_it_added() -> None:
    async def scenario(world: World) -> None:
        _, bob = await world.open("bob")
        world.publish(world.store.post("ann"))
        world.publish(world.store.post("ann"))
        await world.unreads.tick()
        world.publish(world.store.delete("m1"))
        await world.unreads.tick()
        assert told(bob) == [(2, 0), (1, 0)]

    run(scenario)


def test_what_comes_while_the_store_is_asked_counts_once() -> None:
    async def scenario(world: World) -> None:
        world.publish(world.store.post("ann"))
        world.store.hold = asyncio.Event()
        connection, sink = connect("bob")
        world.connections.add(connection)
        opening = asyncio.create_task(world.unreads.opened(connection))
        await asyncio.sleep(0)
        world.publish(world.store.post("ann"))  # not in the answer that is on its way
        ticking = asyncio.create_task(world.unreads.tick())
        await asyncio.sleep(0)
        world.store.hold.set()
        await asyncio.gather(opening, ticking)
        await world.unreads.tick()
        assert told(sink)[-1] == (2, 0)

    run(scenario)


def test_a_busy_store_delays_counts_and_loses_no_position() -> None:
    async def scenario(world: World) -> None:
        bob, _ = await world.open("bob")
        _, other = await world.open("bob")
        world.publish(world.store.post("ann"))
        world.unreads.read(bob, world.room, 1)
        world.store.busy = True
        await world.unreads.tick()
        assert world.store.marks == {}
        world.store.busy = False
        world.publish(world.store.post("ann"))
        await world.unreads.tick()
        assert world.store.marks == {"bob": 1}
        assert told(other)[-1] == (1, 0)
        assert [frame["seq"] for frame in other.frames() if frame["type"] == "read"] == [1]

    run(scenario)


def test_counts_stop_at_a_thousand() -> None:
    async def scenario(world: World) -> None:
        _, bob = await world.open("bob")
        for _ in range(COUNT_LIMIT + 5):
            world.publish(world.store.post("ann", ("bob",)))
        await world.unreads.tick()
        assert told(bob) == [(COUNT_LIMIT, COUNT_LIMIT)]

    run(scenario)


@pytest.mark.parametrize("named", [(), ("bob",)])
def test_what_stays_as_it_was_told_is_not_told_again(named: tuple[str, ...]) -> None:
    async def scenario(world: World) -> None:
        _, bob = await world.open("bob")
        for _ in range(COUNT_LIMIT):
            world.publish(world.store.post("ann", named))
        await world.unreads.tick()
        world.publish(world.store.post("ann", named))
        await world.unreads.tick()
        assert told(bob) == [(COUNT_LIMIT, COUNT_LIMIT if named else 0)]

    run(scenario)


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_events_comes_to_what_the_store_counts(seed: int) -> None:
    chance = random.Random(seed)

    async def scenario(world: World) -> None:
        people = {name: [await world.open(name)] for name in ("ann", "bob", "kim")}
        for _ in range(400):
            name, action = chance.choice(list(people)), chance.random()
            if action < 0.4:
                named = tuple(other for other in people if other != name and chance.random() < 0.3)
                world.publish(world.store.post(name, named))
            elif action < 0.5 and world.store.messages:
                world.publish(world.store.delete(chance.choice(list(world.store.messages))))
            elif action < 0.65:
                world.unreads.read(people[name][0][0], world.room, chance.randint(0, world.room.seq + 2))
            elif action < 0.75:
                people[name].append(await world.open(name))
            elif action < 0.8 and len(people[name]) > 1:
                world.close(people[name].pop()[0])
            elif action < 0.82:
                world.store.busy = not world.store.busy
                await world.unreads.tick()
                world.store.busy = False
            else:
                await world.unreads.tick()
        for _ in range(3):  # what was uncertain is counted at the next one
            await world.unreads.tick()
        for name in people:
            _, sink = await world.open(name)
            counted = world.store.counted(name)
            last = told(sink)[-1] if told(sink) else (0, 0)
            assert last == (counted.count, counted.mentions), json.dumps({"seed": seed, "name": name})

    run(scenario)


def test_who_leaves_while_positions_are_stored_is_counted_anew_when_back() -> None:
    async def scenario(world: World) -> None:
        bob, _ = await world.open("bob")
        for _ in range(2):
            world.publish(world.store.post("ann"))
        await world.unreads.tick()
        world.unreads.read(bob, world.room, 1)
        store, going, gone = world.store.mark_read, asyncio.Event(), asyncio.Event()
        stored = 0

        async def mark_read(marks: dict[tuple[str, str], int]) -> None:
            nonlocal stored
            stored += 1
            await store(marks)
            if stored == 2:  # what came while the first ones were stored
                going.set()
                await gone.wait()
            else:
                world.unreads._unsaved["bob", "r"] = 1

        world.store.mark_read = mark_read  # type: ignore[method-assign]
        ticking = asyncio.create_task(world.unreads.tick())
        await going.wait()
        world.close(bob)
        gone.set()
        await ticking
        assert "bob" not in world.unreads._marks
        world.publish(world.store.post("ann"))
        await world.unreads.tick()
        _, sink = await world.open("bob")
        assert told(sink) == [(2, 0)]

    run(scenario)
