"""Several nodes in one process: each with its own rooms, over one real SQLite store, and a broker between them
that delays, loses and goes away. Its members play by docs/protocol.md and record what `tests/faults/checker.py`
judges.
"""

import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from chat_app.backends.sql.database import SqlDatabase, open_database
from chat_app.core.chat import Chat
from chat_app.core.cluster import Cluster
from chat_app.core.connection import Connection
from chat_app.core.connections import Connections
from chat_app.core.follower import Follower
from chat_app.core.management import Management
from chat_app.core.message_limits import Limits
from chat_app.core.rooms import Registry, Room, Tasks, follow
from chat_app.core.unread import Unreads
from chat_app.hints import Hint
from chat_app.metrics import Metrics
from chat_app.models import Account
from chat_app.ports import Database, Receiver
from chat_app.protocol import message_view
from tests.contracts.store import Place, account
from tests.faults.checker import Record, Stored, Tape, problems

from .fakes import FakeSink
from .test_room_machine import whole_frames

WAIT_SECONDS = 60.0
"""Only a failing test waits so long."""
_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Hint)  # type: ignore[arg-type]


class TestBroker:
    """`ports.Broker` of one node. What others sent waits in `inbox` while the node is held."""

    __test__ = False

    def __init__(self, air: "Air", node_id: str) -> None:
        self.node_id, self.up, self.held = node_id, True, False
        self.inbox: deque[tuple[str, bytes]] = deque()
        self.sent: list[Hint] = []
        self._air = air
        self.receiver: Receiver | None = None

    def start(self, receiver: Receiver) -> None:
        self.receiver = receiver
        receiver.connection_changed(True)

    def send(self, hint: Hint) -> None:
        self.sent.append(hint)
        if self.up:
            self._air.carry(self.node_id, _encoder.encode(hint))

    def set_people(self, version: int, rooms: Mapping[str, Mapping[str, str]]) -> None:
        """Nobody asks here."""

    async def people(self, node_id: str) -> tuple[int, dict[str, dict[str, str]]] | None:
        return None

    async def close(self) -> None:
        self.receiver = None

    def deliver(self, most: int | None = None) -> None:
        """The next `most` hints arrive, or all of them."""
        while self.inbox and (most is None or most > 0):
            sender, raw = self.inbox.popleft()
            most = None if most is None else most - 1
            if self.receiver is not None:
                self.receiver.receive(sender, _decoder.decode(raw))

    def lose(self, most: int | None = None) -> None:
        """They never arrive."""
        for _ in range(len(self.inbox) if most is None else min(most, len(self.inbox))):
            self.inbox.popleft()


class Air:
    """Between the nodes. `loses` says which hints to whom are lost."""

    def __init__(self) -> None:
        self.brokers: dict[str, TestBroker] = {}
        self.loses: Callable[[str, str], bool] = lambda sender, receiver: False

    def carry(self, sender: str, raw: bytes) -> None:
        for broker in self.brokers.values():
            if broker.node_id != sender and broker.up and not self.loses(sender, broker.node_id):
                broker.inbox.append((sender, raw))
                if not broker.held:
                    asyncio.get_running_loop().call_soon(broker.deliver, 1)

    def go(self, *, up: bool) -> None:
        """It goes away with all it carried, or comes back."""
        for broker in self.brokers.values():
            broker.up = up
            broker.inbox.clear()
            if broker.receiver is not None:
                broker.receiver.connection_changed(up)


class Nobody:
    """The parts of `Cluster` that are not the rooms'."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


class Node:
    """One process, as `app.py` puts it together."""

    def __init__(self, air: Air, name: str, database: Database, history_limit: int) -> None:
        self.name, self.database = name, database
        self.errors: list[None] = []
        self.broker = air.brokers[name] = TestBroker(air, name)
        self.tasks = Tasks(lambda: self.errors.append(None))
        self.metrics = Metrics()
        self.registry = Registry(history=database.history, history_limit=history_limit, tasks=self.tasks)
        self.connections = Connections(metrics=self.metrics)
        shared: dict[str, Any] = {
            "registry": self.registry, "connections": self.connections, "broker": self.broker,
        }  # fmt: skip
        self.unreads = Unreads(rooms=database.rooms, **shared)
        shared |= {"database": database, "unreads": self.unreads}
        none = Limits(connection=0, account=0, address=0, seconds=1, monotonic=lambda: 0.0)
        self.chat = Chat(limits=none, max_message_length=500, metrics=self.metrics, **shared)
        self.management = Management(**shared)
        self.follower = Follower(
            history=database.history, rooms=database.rooms, registry=self.registry, chat=self.chat,
            management=self.management, unreads=self.unreads, tasks=self.tasks, up=True, grace_seconds=0.0,
        )  # fmt: skip

    async def start(self) -> None:
        rooms = await self.database.rooms.all()
        members, notifies = await self.database.rooms.members(), await self.database.rooms.notifies()
        for info in rooms:
            self.registry.add(info, members.get(info.id, ()), notifies.get(info.id))
        nobody: Any = Nobody()
        self.broker.start(Cluster(rooms=self.follower, accounts=nobody, people=nobody, limits=nobody))

    def room(self, slug: str = "lobby") -> Room:
        room = self.registry.by_slug(slug)
        assert room is not None, f"{self.name} does not know {slug}"
        return room

    async def close(self) -> None:
        for connection in self.connections:
            self.chat.closed(connection)
        for room in self.registry.all():
            room.people.close()
        await self.tasks.close()


class Member:
    """An account with one line to one node at a time; `tapes` by room."""

    _numbers = itertools.count(1)

    def __init__(self, world: "World", who: Account) -> None:
        self.world, self.account = world, who
        self.positions: dict[str, tuple[int, str]] = {}
        self.tapes: dict[str, Tape] = {}
        self.told: list[dict[str, Any]] = []
        """Everything that is no log."""
        self.removed: set[str] = set()
        self.sink = FakeSink()
        self._seen = 0

    @property
    def name(self) -> str:
        return self.account.name

    def connect(self, node: Node, *rooms: str, room: int | None = None) -> None:
        """To `node`, following these rooms from where it stands."""
        self.node, self.sink, self._seen = node, FakeSink(room), 0
        self.connection = Connection(
            client_id=f"{self.name}-{next(self._numbers)}", account=self.account, session_id=self.name,
            address="::1", default_room="lobby", sink=self.sink,
        )  # fmt: skip
        self.sink.connection = self.connection
        node.connections.add(self.connection)
        for slug in rooms:
            self.follow(slug)

    def follow(self, slug: str) -> None:
        since, epoch = self.positions.get(slug, (None, None))
        if slug not in self.tapes:
            self.tapes[slug] = self.world.record.tape(self.name, slug)
        self.removed.discard(slug)
        self.tapes[slug].opened()
        follow(self.connection, self.node.room(slug), since=since, epoch=epoch)

    def forget(self, slug: str) -> None:
        """It is no longer followed: nobody asks what it saw."""
        if slug in self.tapes:
            self.world.record.tapes.remove(self.tapes.pop(slug))
        self.positions.pop(slug, None)

    def leave(self) -> None:
        """The line is lost; what had arrived was read."""
        self.read()
        if not self.connection.closed:
            self.connection.closed = True
            self.node.chat.closed(self.connection)
            self.node.connections.remove(self.connection)
            self.node.unreads.closed(self.connection)

    def move(self, node: Node) -> None:
        """Comes back on another node, as behind a load balancer."""
        rooms = [slug for slug in self.tapes if slug not in self.removed]
        self.leave()
        self.connect(node)
        for slug in rooms:
            if node.registry.by_slug(slug) is not None:
                self.follow(slug)

    def send(self, **event: Any) -> None:
        self.node.chat.handle(self.connection, json.dumps(event))

    def say(self, text: str, slug: str = "lobby", *, nonce: str | None = None, **fields: Any) -> str:
        nonce = nonce or f"n{next(self._numbers)}"
        self.world.record.typed(nonce, slug, text)
        self.send(type="message", text=text, room=slug, nonce=nonce, **fields)
        return nonce

    def read(self) -> None:
        """Applies what arrived as strictly as the server has to be right."""
        frames = whole_frames(self.sink)
        for frame in frames[self._seen :]:
            self._apply(frame)
        self._seen = len(frames)

    def _apply(self, frame: dict[str, Any]) -> None:
        slug = frame.get("room", "")
        if frame["type"] == "history":
            self.tapes[slug].history(frame["mode"], frame["messages"], frame["seq"], frame["epoch"])
            self.positions[slug] = frame["seq"], frame["epoch"]
            assert slug not in self.removed
        elif frame["type"] != "ack" and "seq" in frame and "message" in frame:
            position, epoch = self.positions[slug]
            assert slug not in self.removed
            if frame["seq"] > position + 1:
                self.tapes[slug].gaps += 1
            elif frame["seq"] <= position:
                self.tapes[slug].stale += 1
            self.tapes[slug].change(frame["type"], frame["message"], frame["seq"])
            self.positions[slug] = frame["seq"], epoch
        else:
            if frame["type"] == "ack":
                self.world.record.acknowledged(frame["nonce"], slug, frame["id"], frame["seq"])
            if frame["type"] == "removed":
                self.removed.add(slug)
                self.forget(slug)
            self.told.append(frame)

    def of(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """What it was told of this kind."""
        self.read()
        return [f for f in self.told if f["type"] == kind and fields.items() <= f.items()]

    def kinds(self, slug: str = "lobby") -> list[str]:
        self.read()
        return [step.kind for step in self.tapes[slug].steps]


class World:
    """The store, the air, the nodes a, b, c … and who was made a member."""

    def __init__(self, databases: list[SqlDatabase]) -> None:
        self.database = databases[0]
        self._databases = databases
        self.air = Air()
        self.nodes: list[Node] = []
        self.record = Record()
        self.members: list[Member] = []

    async def member(self, name: str, node: Node | None = None, *rooms: str, role: Any = "member") -> Member:
        found = await self.database.accounts.by_name(name)
        who = found[0] if found else await self.database.accounts.create(account(name, role), "hash")
        member = Member(self, who)
        self.members.append(member)
        if node is not None:
            member.connect(node, *(rooms or ("lobby",)))
        return member

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        ends = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > ends:
                raise AssertionError(f"never came: {what or condition}")
            await asyncio.sleep(0.0005)

    async def stored(self) -> None:
        """Everything that was queued is committed, and told to who queued it."""
        for database in self._databases:
            await database.settle()

    def equal(self, heads: dict[str, int]) -> bool:
        return all(
            (room := node.registry.by_id(room_id)) is not None
            and room.seq == room.flushed == head
            and not room.lacks
            for room_id, head in heads.items()
            for node in self.nodes
        )

    async def at_rest(self) -> None:
        """Everything is stored, and every node stands at the store's heads without being helped."""
        await self.stored()
        heads = await self.database.rooms.heads()
        for node in self.nodes:
            for connection in node.connections:
                sink: Any = connection.sink
                if connection.blocked:
                    sink.drain()
                sink.room = None
        await self.until(lambda: self.equal(heads), f"every head of {heads}")
        await self.until(
            lambda: all(
                cursor.room.position(cursor) == cursor.room.seq and cursor.following
                for node in self.nodes
                for connection in node.connections
                for cursor in connection.cursors.values()
            ),
            "every cursor",
        )
        for member in self.members:
            member.read()

    async def problems(self, *, amended: bool = False) -> list[str]:
        """What the checker says of every tape."""
        found = {}
        for info in await self.database.rooms.all():
            page = await self.database.history.latest(info.id, upto=1 << 40, limit=100_000)
            views = [message_view(message, info.slug) for message in page.messages]
            found[info.slug] = Stored(info.seq, [json.loads(msgspec.json.encode(view)) for view in views])
        failed = [f"{node.name}: a task failed" for node in self.nodes if node.errors]
        return problems(self.record, found, amended=amended) + failed


def run(
    folder: Path,
    scenario: Callable[[World], Awaitable[None]],
    *,
    nodes: int = 2,
    history_limit: int = 50,
    postgresql: str | None = None,
) -> None:
    """The scenario on nodes a, b, … over a new database: one of SQLite that they share, or each with lines of
    its own to that of PostgreSQL.
    """

    async def main() -> None:
        url = postgresql or Place(folder).url
        opened = [
            await open_database(url, backups=folder / "backups") for _ in range(nodes if postgresql else 1)
        ]
        world = World(opened)
        try:
            for name, database in zip("abcde"[:nodes], itertools.cycle(opened), strict=False):
                world.nodes.append(Node(world.air, name, database, history_limit))
                await world.nodes[-1].start()
            await scenario(world)
        finally:
            for node in world.nodes:
                await node.close()
            for database in opened:
                await database.close()

    asyncio.run(main())
