"""What each account that is here has not read: counted in memory, told at most once a second, positions
stored in groups.

`chat.py` reports what was published and read; `app.py` runs `tick` every second. Between two ticks at most a
second of read positions can be lost with the process: then something read shows as unread again.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice

from chat_app.core.cluster import ALONE
from chat_app.core.connection import Connection
from chat_app.core.connections import Connections
from chat_app.core.rooms import Registry, Room
from chat_app.errors import Busy
from chat_app.hints import ReadTo
from chat_app.logs import log_event
from chat_app.models import Committed, Message
from chat_app.ports import Broker, Rooms
from chat_app.protocol import ReadFrame, UnreadFrame, event_frame

COUNT_LIMIT = 1_000
SLICE = 100
"""Accounts told before the loop gets a turn."""
COUNTED_AT_ONCE = 2_000
"""Counts brought up to date before the loop gets a turn; about 2 ms."""
RECOUNTED_AT_ONCE = 500
"""Accounts that the store is asked for in one tick."""

_log = logging.getLogger(__name__)


class _Mark:
    """What one account has not read in one room; every change up to `upto` is in the counts."""

    __slots__ = ("count", "mentions", "read", "upto")

    def __init__(self, read: int = 0, count: int = 0, mentions: int = 0, upto: int = 0) -> None:
        self.read, self.count, self.mentions, self.upto = read, count, mentions, upto


class _News:
    """What came in a room between two ticks, so kept that counting for one account walks over none of it."""

    __slots__ = ("by_author", "deleted", "first", "named", "seqs", "upto")

    def __init__(self, first: int) -> None:
        self.first = first
        self.upto = 0
        self.seqs: list[int] = []
        self.by_author: dict[str, list[int]] = {}
        self.named: dict[str, list[int]] = {}
        self.deleted: list[Committed] = []

    def add(self, change: Committed) -> None:
        self.first, self.upto = min(self.first, change.seq), max(self.upto, change.seq)
        if change.kind == "deleted":
            self.deleted.append(change)
        elif change.kind == "message" and change.message.notice is None:
            self.seqs.append(change.seq)
            self.by_author.setdefault(change.message.account_id, []).append(change.seq)
            for account_id in change.mentioned:
                self.named.setdefault(account_id, []).append(change.seq)

    @property
    def concerned(self) -> set[str] | None:
        """For whom it is more than somebody else's messages; None: perhaps for everybody."""
        return None if self.deleted else {*self.by_author, *self.named}

    def count_in(self, mark: _Mark, account_id: str) -> tuple[bool, bool]:
        """Brings a mark up to date: (whether what is told changed, whether mentions are uncertain now)."""
        known, mark.upto = mark.upto, max(mark.upto, self.upto)
        before, mentions = mark.count, mark.mentions
        after = max(mark.read, known)
        came = _beyond(self.seqs, after) - _beyond(self.by_author.get(account_id, ()), after)
        went = sum(
            change.seq > known and change.message.seq > mark.read and change.message.account_id != account_id
            for change in self.deleted
        )
        mark.count = max(0, min(COUNT_LIMIT, mark.count + came) - went)
        mark.mentions = min(COUNT_LIMIT, mark.mentions + _beyond(self.named.get(account_id, ()), after))
        changed = mark.count != before or mark.mentions != mentions
        return changed, bool(went and mark.mentions)


def _beyond(seqs: Sequence[int], seq: int) -> int:
    return len(seqs) - bisect_right(seqs, seq)


class Unreads:
    """Read positions and unread counts of the accounts that are connected."""

    def __init__(
        self, *, rooms: Rooms, registry: Registry, connections: Connections, broker: Broker = ALONE
    ) -> None:
        self._rooms = rooms
        self._broker = broker
        self._registry = registry
        self._connections = connections
        self._marks: dict[str, dict[str, _Mark]] = {}
        self._news: dict[str, _News] = {}
        self._unsaved: dict[tuple[str, str], int] = {}
        self._flushing = asyncio.Lock()
        self._recount: set[tuple[str, str]] = set()
        self._shown: set[str] = set()

    async def opened(self, connection: Connection) -> None:
        """Tells a new connection what is unread in the rooms it does not follow."""
        account_id = connection.account.id
        if account_id not in self._marks:
            await self._count(account_id)
        if connection.closed:
            self._forget_absent(account_id)
            return
        marks = self._marks.get(account_id, {})
        self._tell(connection, [key for key, mark in marks.items() if mark.count or mark.mentions], {})

    def closed(self, connection: Connection) -> None:
        """An account without connections is counted anew when it comes back."""
        self._forget_absent(connection.account.id)

    def published(self, change: Committed) -> None:
        """A room changed; told in the order of its `seq`."""
        news = self._news.get(change.room_id)
        if news is None:
            news = self._news[change.room_id] = _News(change.seq)
        news.add(change)

    def leapt(self, room: Room, before: int, messages: Iterable[Message]) -> None:
        """A room went on from `before` without the changes, to what they left. One that was posted and
        deleted in between counts as both: the store may have counted it for somebody before it was deleted.
        """
        room_id = room.info.id
        for message in sorted(messages, key=lambda message: message.seq):
            if message.seq > before:
                self.published(
                    Committed("message", room_id, message.seq, message, mentioned=message.mentions)
                )
            if message.deleted_ms is not None:
                self.published(Committed("deleted", room_id, message.rev, message))

    def recount(self, room: Room | None = None) -> None:
        """Memory cannot know what is unread in a room, or in any: the store is asked for everybody."""
        for account_id, _ in self._connections.accounts():
            if room is None:
                self._recount.add((account_id, ""))
            elif room.info.kind == "public" or account_id in room.members:
                self._recount.add((account_id, room.info.id))

    def let_in(self, account_id: str, room: Room) -> None:
        """The account sees the room from now on: what was said before is told at the next tick."""
        self._recount.add((account_id, room.info.id))

    def shown(self, room: Room) -> None:
        """The room is in the lists again: what was counted meanwhile is told at the next tick."""
        self._shown.add(room.info.id)

    def forget_room(self, account_id: str, room: Room) -> None:
        """The account does not see the room any more."""
        self._marks.get(account_id, {}).pop(room.info.id, None)
        self._recount.discard((account_id, room.info.id))

    def read(self, connection: Connection, room: Room, seq: int) -> None:
        """An account read up to `seq`; its other connections hear of it. Never moves back."""
        account_id, room_id = connection.account.id, room.info.id
        seq = min(seq, room.seq)
        mark = self._marks.setdefault(account_id, {}).setdefault(room_id, _Mark())
        if seq <= max(mark.read, self._unsaved.get((account_id, room_id), -1)):
            return
        self._unsaved[account_id, room_id] = seq
        self._move(account_id, room, mark, seq, but=connection)

    def read_elsewhere(self, account_id: str, room: Room, seq: int) -> None:
        """An account read up to `seq` on another node, which has stored it."""
        marks = self._marks.get(account_id)
        if marks is None:
            return  # not here, or the store is being asked
        mark = marks.setdefault(room.info.id, _Mark())
        if seq > mark.read:
            self._move(account_id, room, mark, seq)

    def _move(
        self, account_id: str, room: Room, mark: _Mark, seq: int, *, but: Connection | None = None
    ) -> None:
        mark.read = seq
        if seq >= max(room.seq, mark.upto):  # the store may have counted what is not here yet
            mark.count = mark.mentions = 0
        else:
            self._recount.add((account_id, room.info.id))
        frame = event_frame(ReadFrame(room.info.slug, seq))
        for other in list(self._connections.of_account(account_id)):
            if other is not but:
                other.tell(frame)

    async def tick(self) -> None:
        """Stores positions, counts what came, tells who does not follow. What the store is too busy for is
        done at the next tick.
        """
        changed: dict[str, set[str]] = {}
        try:
            await self.flush()
            await self._count_news(changed)
            await self._count_again(changed)
        except Busy:
            log_event(_log, "unread.late", level=logging.WARNING)
        self._tell_shown(changed)
        frames: dict[tuple[str, int, int], bytes] = {}
        for told, (account_id, room_ids) in enumerate(changed.items(), 1):
            for connection in list(self._connections.of_account(account_id)):
                self._tell(connection, room_ids, frames)
            if told % SLICE == 0:
                await asyncio.sleep(0)

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
            if self._broker is not ALONE:
                for (account_id, room_id), seq in unsaved.items():
                    self._broker.send(ReadTo(account_id, room_id, seq))

    async def _count_news(self, changed: dict[str, set[str]]) -> None:
        gathered, self._news = self._news, {}
        if not gathered:
            return
        counted = 0
        by_id = self._registry.by_id
        rooms = [
            (room.info.id, None if room.info.kind == "public" else room, news, news.first, news.upto,
             len(news.seqs), news.concerned)
            for key, news in gathered.items() if (room := by_id(key)) is not None
        ]  # fmt: skip
        for account_id, _ in self._connections.accounts():
            marks = self._marks.get(account_id)
            differing = []
            for room_id, closed, news, first, upto, came, concerned in rooms:
                if closed is not None and account_id not in closed.members:
                    continue
                if marks is None:  # the store is being asked, perhaps as it was before these
                    self._recount.add((account_id, room_id))
                    continue
                mark = marks.get(room_id)
                if mark is None:
                    mark = marks[room_id] = _Mark()
                if mark.upto < first > mark.read and concerned is not None and account_id not in concerned:
                    # Somebody else's room goes on: by far the most there is to count.
                    mark.upto = upto
                    if came and mark.count < COUNT_LIMIT:
                        mark.count = min(COUNT_LIMIT, mark.count + came)
                        differing.append(room_id)
                    continue
                differs, uncertain = news.count_in(mark, account_id)
                if differs:
                    differing.append(room_id)
                if uncertain:
                    self._recount.add((account_id, room_id))
            if differing:
                changed.setdefault(account_id, set()).update(differing)
            counted += len(gathered)
            if counted >= COUNTED_AT_ONCE:
                counted = 0
                await asyncio.sleep(0)

    async def _count_again(self, changed: dict[str, set[str]]) -> None:
        """Counts by the store where memory cannot know; what is left when it is busy stays to be done."""
        asked: dict[str, set[str]] = {}
        for account_id, room_id in self._recount:
            asked.setdefault(account_id, set()).add(room_id)
        for account_id, room_ids in islice(asked.items(), RECOUNTED_AT_ONCE):
            keys = {(account_id, room_id) for room_id in room_ids}
            self._recount -= keys
            if self._connections.of_account(account_id):
                try:
                    differs = await self._count(account_id)
                except Busy:
                    self._recount |= keys
                    raise
                self._forget_absent(account_id)  # gone while the store was asked
                changed.setdefault(account_id, set()).update(room_ids | differs)

    async def _count(self, account_id: str) -> set[str]:
        """Asks the store; the rooms that differed from what was known here."""
        await self.flush()
        marks = self._marks.setdefault(account_id, {})
        differs = set()
        for unread in await self._rooms.unread(account_id):
            room = self._registry.by_id(unread.room_id)
            if room is None:
                continue
            room_id = room.info.id  # the room's own: with thousands of accounts a copy for each would tell
            old = marks.get(room_id)
            if old is not None and old.upto > unread.head:
                continue  # counted again meanwhile
            if old is not None and old.read > unread.read_seq:
                self._recount.add((account_id, room_id))  # read further meanwhile
                continue
            if old is not None and (old.count, old.mentions) != (unread.count, unread.mentions):
                differs.add(room_id)
            if old is not None and old.read < unread.read_seq and self._broker is not ALONE:
                self._move(account_id, room, old, unread.read_seq)  # on another node, which was not heard
            coming = unread.head > room.seq or room_id in self._news  # what will come is counted in part
            if old is not None or coming or unread.read_seq or unread.count or unread.mentions:
                marks[room_id] = _Mark(unread.read_seq, unread.count, unread.mentions, unread.head)
        return differs

    def _tell_shown(self, changed: dict[str, set[str]]) -> None:
        shown, self._shown = self._shown, set()
        for room_id in shown:
            for account_id, marks in self._marks.items():
                if (mark := marks.get(room_id)) is not None and (mark.count or mark.mentions):
                    changed.setdefault(account_id, set()).add(room_id)

    def _tell(
        self, connection: Connection, room_ids: Iterable[str], known: dict[tuple[str, int, int], bytes]
    ) -> None:
        """With one send, however many rooms it does not follow. `known`: frames that others got just now."""
        account_id, cursors, by_id = connection.account.id, connection.cursors, self._registry.by_id
        marks = self._marks.get(account_id, {})
        frames = []
        for room_id in room_ids:
            room, mark = by_id(room_id), marks.get(room_id)
            if room is None or mark is None:
                continue
            info = room.info
            if info.slug in cursors or info.archived:
                continue
            if info.kind == "public" or account_id in room.members:
                key = info.slug, mark.count, mark.mentions
                frame = known.get(key)
                if frame is None:
                    frame = known[key] = event_frame(UnreadFrame(*key))
                frames.append(frame)
        if frames:
            connection.tell(b"".join(frames))

    def _forget_absent(self, account_id: str) -> None:
        if not self._connections.of_account(account_id):
            self._marks.pop(account_id, None)
