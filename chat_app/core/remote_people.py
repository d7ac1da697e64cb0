"""Who is on the other nodes, room by room: learned from their hints, read whole where one was missed.

`app.py` makes one when there is a broker, `Cluster` hands it hints; it tells each room's `People` who comes
and goes elsewhere, and `people_here` who does here (docs/adr/0012). All of a node's people are read only when
it is new, or when a hint of it was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping

from chat_app.core.people_here import PeopleHere, Rooms
from chat_app.core.presence import LEAVE_SECONDS
from chat_app.core.rooms import Registry, Room
from chat_app.hints import PeopleChanged, Typing
from chat_app.ports import Broker

UNKNOWN_SECONDS = 15.0
"""How long those stay shown of whom nothing is heard, while the broker is away."""
AGAIN_SECONDS = 1.0
"""What was read of a node may be older than its hints: until it is read again."""
WAITING_LIMIT = 1_000
"""Hints of a node that wait while its people are read; beyond it they are dropped, and read once more."""
ROOMS_SLICE = 50
SLICE = 500
"""People taken over before the loop gets a turn."""


class Node:
    """What is known of another node."""

    __slots__ = ("going", "heard", "reading", "rooms", "version", "waiting", "wanted")

    def __init__(self) -> None:
        self.rooms: Rooms = {}
        self.version: int | None = None
        """Of `rooms`; None: nothing is known for sure."""
        self.wanted = 0
        """The newest version that was heard of."""
        self.waiting: list[PeopleChanged] = []
        self.reading = False
        self.heard = float("-inf")
        """When somebody last came or went there."""
        self.going: asyncio.TimerHandle | None = None
        """It is not alive any more: then its people leave."""


class PeopleElsewhere:
    """`cluster.RemotePeople`, and `presence.Watcher` of every room."""

    def __init__(
        self,
        *,
        broker: Broker,
        registry: Registry,
        start_task: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._broker = broker
        self._registry = registry
        self._start_task = start_task
        self.partial = True
        self._nodes: dict[str, Node] = {}
        self._counts: dict[str, int] = {}
        """In how many rooms of how many nodes an account is."""
        self._up = True
        self._awaiting = 2
        """How often the living nodes are told from when hints arrive, until who is missing is gone: with
        another Redis each of them has to come back to it first.
        """
        self._expected: set[str] = set()
        """The nodes that lived when hints arrived last."""
        self._forgotten = True
        """Whether nobody elsewhere is shown: then all are told at once when they are known again."""
        self._forgetting: asyncio.TimerHandle | None = None
        self._here = PeopleHere(broker)
        registry.on_added = self._added
        for room in registry.all():
            self._added(room)

    def is_elsewhere(self, account_id: str) -> bool:
        """Whether an account is in any room of another node."""
        return account_id in self._counts

    def close(self) -> None:
        """Tells what was gathered; no timer is left behind."""
        self._here.tell()
        for timer in (self._forgetting, *(node.going for node in self._nodes.values())):
            if timer is not None:
                timer.cancel()

    def moved(self, room_id: str, account_id: str, name: str | None) -> None:
        """An account follows the room here, under this name; None: it does no longer."""
        self._here.moved(room_id, account_id, name)

    def types(self, room_id: str, account_id: str) -> None:
        """Somebody types here."""
        self._broker.send(Typing(account_id, room_id))

    def changed(self, node_id: str, change: PeopleChanged) -> None:
        """Somebody came or went there."""
        node = self._nodes.get(node_id)
        if node is None:
            node = self._nodes[node_id] = Node()
        node.heard = asyncio.get_running_loop().time()
        if not self._up:
            return
        node.wanted = max(node.wanted, change.version)
        if node.version is None and change.version == 1:
            node.version = 0  # nobody was there before
        if node.reading or node.version is None or change.version > node.version + 1:
            if len(node.waiting) >= WAITING_LIMIT:
                node.waiting.clear()
            node.waiting.append(change)
            self._read(node_id, node)
        elif change.version == node.version + 1:
            self._apply(node, change)

    def typing(self, account_id: str, room_id: str) -> None:
        """Somebody types there."""
        if (room := self._registry.by_id(room_id)) is not None:
            room.people.type_elsewhere(account_id)

    def nodes_alive(self, versions: Mapping[str, int]) -> None:
        """Who is not among them is gone; whose version is another is read again."""
        if not self._up:
            return
        for node_id, version in versions.items():
            node = self._nodes.setdefault(node_id, Node())
            if node.going is not None:
                node.going.cancel()
                node.going = None
            node.wanted = max(node.wanted, version)
            if node.version is None and node.wanted == 0:
                node.version = 0  # nobody has been there yet
            if node.version is None or node.version < node.wanted:
                self._read(node_id, node)
        missing = (self._nodes.keys() | self._expected) - versions.keys()
        if missing and self._awaiting == 2:
            self._awaiting = 1
            return
        self._awaiting = 0
        self._expected.clear()
        for node_id in missing & self._nodes.keys():
            self._leave(node_id, self._nodes[node_id])
        self._settle()

    def connection_changed(self, up: bool) -> None:
        """With False who is elsewhere is unknown from now on; with True until all nodes were heard of."""
        if up:
            self._up, self._awaiting = True, 2
            self._here.hand_over()
            return
        self._up = False
        self._expected |= self._nodes.keys()
        if self._forgetting is None and self._nodes:
            self._forgetting = asyncio.get_running_loop().call_later(UNKNOWN_SECONDS, self._forget)
        if not self.partial:
            self.partial = True
            self._start_task(self._tell_rooms(users=False))

    # -- private ---------------------------------------------------------------------------------------------

    def _added(self, room: Room) -> None:
        """A room is there; perhaps people were in it elsewhere before this node knew of it."""
        room.people.watcher = self
        for node in self._nodes.values():
            for account_id, name in node.rooms.get(room.info.id, {}).items():
                room.people.come_elsewhere(account_id, name, quiet=True)

    def _read(self, node_id: str, node: Node) -> None:
        """One reading of a node at a time."""
        if not node.reading:
            node.reading = True
            self._start_task(self._read_on(node_id, node))

    async def _read_on(self, node_id: str, node: Node) -> None:
        """Until everything is known that was heard of."""
        try:
            while self._is_there(node_id, node):
                found = await self._broker.people(node_id)
                if found is None:
                    node.version = None  # tried again when the living nodes are told next
                    break
                if not await self._replace(node_id, node, found[1]):
                    break
                node.version = found[0]
                for change in node.waiting:
                    if change.version == node.version + 1:
                        self._apply(node, change)
                if node.version >= node.wanted:
                    break
                await asyncio.sleep(AGAIN_SECONDS)
        finally:
            node.reading = False
            node.waiting.clear()
        self._settle()

    def _is_there(self, node_id: str, node: Node) -> bool:
        return self._up and self._nodes.get(node_id) is node

    async def _replace(self, node_id: str, node: Node, rooms: Rooms) -> bool:
        """Takes over what was read, as changes of what is known; False when that is of no use any more."""
        moves: list[tuple[str, str, str | None]] = []
        for room_id in node.rooms.keys() | rooms.keys():
            before, now = node.rooms.get(room_id, {}), rooms.get(room_id, {})
            moves += [(room_id, key, None) for key in before.keys() - now.keys()]
            moves += [(room_id, key, name) for key, name in now.items() if before.get(key) != name]
        for start in range(0, len(moves), SLICE):
            if not self._is_there(node_id, node):
                return False
            for room_id, account_id, name in moves[start : start + SLICE]:
                self._move(node, room_id, account_id, name)
            await asyncio.sleep(0)
        return self._is_there(node_id, node)

    def _apply(self, node: Node, change: PeopleChanged) -> None:
        node.version = change.version
        for account_id, name in change.joined.items():
            self._move(node, change.room_id, account_id, name)
        for account_id in change.left:
            self._move(node, change.room_id, account_id, None)

    def _move(
        self, node: Node, room_id: str, account_id: str, name: str | None, *, now: bool = False
    ) -> None:
        """An account is in a room there under this name, or is not (None)."""
        room, people = self._registry.by_id(room_id), node.rooms.get(room_id, {})
        before = people.get(account_id)
        if name is not None:
            node.rooms.setdefault(room_id, people)[account_id] = name
            if before is None:
                self._counts[account_id] = self._counts.get(account_id, 0) + 1
                if room is not None:
                    room.people.come_elsewhere(account_id, name, quiet=self._forgotten)
            elif room is not None:
                room.people.rename_elsewhere(account_id, name)
        elif before is not None:
            del people[account_id]
            if not people:
                del node.rooms[room_id]
            self._counts[account_id] -= 1
            if not self._counts[account_id]:
                del self._counts[account_id]
            if room is not None:
                room.people.go_elsewhere(account_id, now=now, quiet=self._forgotten)

    def _leave(self, node_id: str, node: Node) -> None:
        """It is gone. Who left it just before may be on the way to another one; else they had the time."""
        if node.going is None:
            loop = asyncio.get_running_loop()
            node.going = loop.call_at(
                max(loop.time(), node.heard + LEAVE_SECONDS), lambda: self._drop(node_id, node)
            )

    def _drop(self, node_id: str, node: Node) -> None:
        if self._nodes.get(node_id) is node:
            del self._nodes[node_id]
            self._start_task(self._empty([node]))
            self._settle()

    def _forget(self) -> None:
        """Nothing was heard for too long."""
        self._forgetting = None
        self._forgotten = True
        nodes, self._nodes = list(self._nodes.values()), {}
        for node in nodes:
            if node.going is not None:
                node.going.cancel()
        self._start_task(self._empty(nodes, told=True))

    async def _empty(self, nodes: list[Node], *, told: bool = False) -> None:
        """Everybody of these nodes is gone; `told`: all at once."""
        for node in nodes:
            people = [(room_id, key) for room_id, names in node.rooms.items() for key in names]
            for count, (room_id, account_id) in enumerate(people, 1):
                self._move(node, room_id, account_id, None, now=True)
                if count % SLICE == 0:
                    await asyncio.sleep(0)
        if told:
            await self._tell_rooms(users=True)

    def _settle(self) -> None:
        """Everything is known again once the living nodes were told and each of them was read."""
        if not self.partial or not self._up or self._awaiting:
            return
        if any(node.reading or node.version is None for node in self._nodes.values()):
            return
        self.partial = False
        if self._forgetting is not None:
            self._forgetting.cancel()
            self._forgetting = None
        forgotten, self._forgotten = self._forgotten, False
        self._start_task(self._tell_rooms(users=forgotten))

    async def _tell_rooms(self, *, users: bool) -> None:
        for count, room in enumerate(self._registry.all(), 1):
            room.people.tell_everyone(users=users)
            if count % ROOMS_SLICE == 0:
                await asyncio.sleep(0)
