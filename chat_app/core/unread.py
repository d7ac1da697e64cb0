"""What each account that is here has not read: counted in memory, told at most once a second, positions
stored in groups.

`chat.py` reports what was published and read; `app.py` runs `tick` every second. Between two ticks at most a
second of read positions can be lost with the process: then something read shows as unread again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from chat_app.core.connection import Connection
from chat_app.core.connections import Connections
from chat_app.core.rooms import Registry, Room
from chat_app.models import Committed, Unread
from chat_app.ports import Rooms
from chat_app.protocol import ReadFrame, UnreadFrame, event_frame

COUNT_LIMIT = 1_000
SLICE = 100
"""Accounts told before the loop gets a turn."""


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
        self._recount: set[tuple[str, str]] = set()

    async def opened(self, connection: Connection) -> None:
        """Tells a new connection what is unread in the rooms it does not follow."""
        account_id = connection.account.id
        if account_id not in self._marks:
            await self._count(account_id)
        if connection.closed:
            self._forget_absent(account_id)
            return
        marks = self._marks.get(account_id, {})
        self._tell(connection, {key: mark for key, mark in marks.items() if mark.count or mark.mentions})

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
        """Stores positions, counts what came, tells who does not follow. The loop gets a turn between rooms:
        what was not counted yet stays in `_published`, where `_merge` finds it.
        """
        await self.flush()
        changed: dict[str, set[str]] = {}
        for room_id in list(self._published):
            self._count_room(room_id, self._published.pop(room_id), changed)
            await asyncio.sleep(0)
        recount, self._recount = self._recount, set()
        for account_id in {account_id for account_id, _ in recount}:
            if self._connections.of_account(account_id):
                await self._count(account_id)
        for account_id, room_id in recount:
            changed.setdefault(account_id, set()).add(room_id)
        for told, (account_id, room_ids) in enumerate(changed.items(), 1):
            marks = self._marks.get(account_id, {})
            for connection in list(self._connections.of_account(account_id)):
                self._tell(connection, {key: marks[key] for key in room_ids if key in marks})
            if told % SLICE == 0:
                await asyncio.sleep(0)

    async def flush(self) -> None:
        """Stores the positions that gathered; what could not be stored is tried again."""
        unsaved, self._unsaved = self._unsaved, {}
        if unsaved:
            try:
                await self._rooms.mark_read(unsaved)
            except BaseException:
                for key, seq in unsaved.items():
                    self._unsaved[key] = max(seq, self._unsaved.get(key, 0))
                raise

    def _count_room(self, room_id: str, changes: list[Committed], changed: dict[str, set[str]]) -> None:
        posted = [change for change in changes if change.kind == "message"]
        deleted = len(posted) < len(changes)
        by_author = Counter(change.message.account_id for change in posted)
        by_name = Counter(account_id for change in posted for account_id in change.mentioned)
        for account_id, _ in self._connections.accounts():
            marks = self._marks.get(account_id)
            if marks is None:
                continue
            if deleted:
                self._recount.add((account_id, room_id))
            if len(posted) == by_author[account_id]:
                continue
            mark = marks.setdefault(room_id, _Mark(0, 0, 0))
            if mark.read < posted[0].seq:
                count, mentions = len(posted) - by_author[account_id], by_name[account_id]
            else:  # part of it was read meanwhile
                later = [c for c in posted if c.seq > mark.read and c.message.account_id != account_id]
                count = len(later)
                mentions = sum(account_id in change.mentioned for change in later)
            if count:
                mark.count = min(COUNT_LIMIT, mark.count + count)
                mark.mentions += mentions
                changed.setdefault(account_id, set()).add(room_id)

    async def _count(self, account_id: str) -> None:
        await self.flush()
        counted = await self._rooms.unread(account_id)
        marks = self._marks.setdefault(account_id, {})
        for unread in counted:
            room = self._registry.by_id(unread.room_id)
            if room is not None:
                self._merge(marks, unread, account_id, room.info.id)

    def _merge(self, marks: dict[str, _Mark], unread: Unread, account_id: str, room_id: str) -> None:
        """`room_id` is the room's own string: with thousands of accounts a copy for each would tell."""
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
        if read or count or mentions or room_id in marks:
            marks[room_id] = _Mark(read, count, mentions)

    def _tell(self, connection: Connection, marks: Mapping[str, _Mark]) -> None:
        """With one send, however many rooms it does not follow."""
        frames = []
        for room_id, mark in marks.items():
            room = self._registry.by_id(room_id)
            if room is not None and room.info.slug not in connection.cursors:
                frames.append(event_frame(UnreadFrame(room.info.slug, mark.count, mark.mentions)))
        if frames:
            connection.tell(b"".join(frames))

    def _forget_absent(self, account_id: str) -> None:
        if not self._connections.of_account(account_id):
            self._marks.pop(account_id, None)
