"""What each account that is here has not read: counted in memory, told at most once a second, positions
stored in groups.

`chat.py` reports what was published and read; `app.py` runs `tick` every second. Between two ticks at most a
second of read positions can be lost with the process: then something read shows as unread again.
"""

from __future__ import annotations

import asyncio

from chat_app.core.connection import Connection
from chat_app.core.connections import Connections
from chat_app.core.rooms import Registry, Room
from chat_app.models import Committed, Unread
from chat_app.ports import Rooms
from chat_app.protocol import ReadFrame, UnreadFrame, event_frame

COUNT_LIMIT = 1_000


class _Mark:
    __slots__ = ("count", "mentions", "read")

    def __init__(self, read: int, count: int, mentions: int) -> None:
        self.read, self.count, self.mentions = read, count, mentions


class Unreads:
    """Read positions and unread counts of the accounts that are connected."""

    def __init__(self, *, rooms: Rooms, registry: Registry, connections: Connections) -> None:
        self._rooms = rooms
        self._registry = registry
        self._connections = connections
        self._marks: dict[str, dict[str, _Mark]] = {}
        self._published: dict[str, list[Committed]] = {}
        self._unsaved: dict[tuple[str, str], int] = {}
        self._flushing = asyncio.Lock()
        self._recount: set[tuple[str, str]] = set()

    async def opened(self, connection: Connection) -> None:
        """Tells a new connection what is unread in the rooms it does not follow."""
        account_id = connection.account.id
        if account_id not in self._marks:
            await self._count(account_id)
        if connection.closed:
            self._forget_absent(account_id)
            return
        for room_id, mark in self._marks.get(account_id, {}).items():
            room = self._registry.by_id(room_id)
            if room is not None and (mark.count or mark.mentions):
                self._tell(connection, room, mark)

    def closed(self, connection: Connection) -> None:
        """An account without connections is counted anew when it comes back."""
        self._forget_absent(connection.account.id)

    def published(self, change: Committed) -> None:
        """A room changed."""
        if change.kind != "edited":
            self._published.setdefault(change.room_id, []).append(change)

    def read(self, connection: Connection, room: Room, seq: int) -> None:
        """An account read up to `seq`; its other connections hear of it. Never moves back."""
        account_id, room_id = connection.account.id, room.info.id
        seq = min(seq, room.seq)
        mark = self._marks.setdefault(account_id, {}).setdefault(room_id, _Mark(0, 0, 0))
        if seq <= max(mark.read, self._unsaved.get((account_id, room_id), -1)):
            return
        mark.read = seq
        self._unsaved[account_id, room_id] = seq
        if seq >= room.seq:
            mark.count = mark.mentions = 0
        else:
            self._recount.add((account_id, room_id))
        frame = event_frame(ReadFrame(room.info.slug, seq))
        for other in list(self._connections.of_account(account_id)):
            if other is not connection:
                other.tell(frame)

    async def tick(self) -> None:
        """Stores positions, counts what came, tells who does not follow."""
        await self.flush()
        published, self._published = self._published, {}
        changed: set[tuple[str, str]] = set()
        for room_id, changes in published.items():
            for account_id, _ in self._connections.accounts():
                if self._count_in(account_id, room_id, changes):
                    changed.add((account_id, room_id))
        recount, self._recount = self._recount, set()
        for account_id in {account_id for account_id, _ in recount}:
            if self._connections.of_account(account_id):
                await self._count(account_id)
        for account_id, room_id in changed | recount:
            room, mark = self._registry.by_id(room_id), self._marks.get(account_id, {}).get(room_id)
            if room is not None and mark is not None:
                for connection in list(self._connections.of_account(account_id)):
                    self._tell(connection, room, mark)

    async def flush(self) -> None:
        """Stores the positions that gathered; what could not be stored is tried again.

        Afterwards everything read before the call is stored, also what another call had begun to store.
        """
        async with self._flushing:
            unsaved, self._unsaved = self._unsaved, {}
            if unsaved:
                try:
                    await self._rooms.mark_read(unsaved)
                except BaseException:
                    for key, seq in unsaved.items():
                        self._unsaved[key] = max(seq, self._unsaved.get(key, 0))
                    raise

    def _count_in(self, account_id: str, room_id: str, changes: list[Committed]) -> bool:
        marks = self._marks.get(account_id)
        if marks is None:
            return False
        mark = marks.setdefault(room_id, _Mark(0, 0, 0))
        count = 0
        for change in changes:
            if change.kind == "deleted":
                self._recount.add((account_id, room_id))
            elif change.message.account_id != account_id and change.seq > mark.read:
                count += 1
                mark.mentions += account_id in change.mentioned
        mark.count = min(COUNT_LIMIT, mark.count + count)
        return count > 0

    async def _count(self, account_id: str) -> None:
        await self.flush()
        counted = await self._rooms.unread(account_id)
        marks = self._marks.setdefault(account_id, {})
        for unread in counted:
            self._merge(marks, unread, account_id)

    def _merge(self, marks: dict[str, _Mark], unread: Unread, account_id: str) -> None:
        pending = [
            change
            for change in self._published.get(unread.room_id, ())
            if change.kind == "message" and change.message.account_id != account_id
        ]
        read = max(unread.read_seq, marks[unread.room_id].read if unread.room_id in marks else 0)
        if read > unread.read_seq:
            self._recount.add((account_id, unread.room_id))
        count = max(0, unread.count - len([c for c in pending if c.seq > read]))
        mentions = max(
            0, unread.mentions - len([c for c in pending if account_id in c.mentioned and c.seq > read])
        )
        marks[unread.room_id] = _Mark(read, count, mentions)

    def _tell(self, connection: Connection, room: Room, mark: _Mark) -> None:
        if room.info.slug not in connection.cursors:
            connection.tell(event_frame(UnreadFrame(room.info.slug, mark.count, mark.mentions)))

    def _forget_absent(self, account_id: str) -> None:
        if not self._connections.of_account(account_id):
            self._marks.pop(account_id, None)
