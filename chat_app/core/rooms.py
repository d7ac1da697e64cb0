"""Rooms: a log with its newest part in memory, and the cursors that stand in it. The fan-out is here.

`Registry` holds every room of the process, `Room.publish` takes what was committed, `Room.advance` brings a
cursor from where it stands to the head, whatever the reason it stands there: live, resuming, slow, or new
(docs/adr/0001). Runs on the event loop only; the store is asked through `ports.History`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import structs

from chat_app.core.connection import Connection, Cursor, Mode
from chat_app.core.message_names import names_in, renamed
from chat_app.core.presence import People
from chat_app.core.room_views import is_plain, room_frame
from chat_app.failpoints import reach
from chat_app.models import (
    Account,
    ChangeKind,
    Committed,
    Member,
    Message,
    Notify,
    Page,
    RoomInfo,
    Standing,
)
from chat_app.ports import History
from chat_app.protocol import HistoryFrame, change_frame, change_frames, event_frame, message_view

RING_ENTRIES = 1_024
RING_LIMIT_BYTES = 1 << 20
RESUME_LIMIT = 1_000
"""Changes; who is further behind is told `reset`."""
PAGE_MESSAGES = 100
WRITE_LIMIT_BYTES = 65_536
"""Handed to a socket at a time."""
SLICE_SOCKETS = 256
"""Sockets served before the loop gets a turn; a send costs about 8 µs."""
JOIN_SLICE = 64
"""Cursors that get their first page before the loop gets a turn: after a restart thousands wait."""
PACE_SECONDS = 0.005
"""The longest pause after a large flush, in which messages gather (docs/adr/0002)."""
WAITING_CHANGES = 256
WAITING_BYTES = 1 << 20
"""Of changes that came before the one they follow; what finds no place is read from the store."""

PUBLIC = Standing()
_log = logging.getLogger(__name__)


class Elsewhere(Protocol):
    """The share of other nodes in the rooms (`core/follower.py`)."""

    def behind(self, room: Room) -> None:
        """The store is said to hold changes that are not here."""

    async def ask(self, account_id: str, slug: str) -> None:
        """Another node may have made the room, or let the account in, just now: asks the store."""


Apply = Callable[["Room", Committed], None]
"""Publishes a change whose turn it is, with all that it means."""


class Entry:
    """A change in the ring: `frame` tells it live; None for one that was only read from the store."""

    __slots__ = ("frame", "kind", "message", "seq")

    def __init__(self, seq: int, kind: ChangeKind, message: Message, frame: bytes | None) -> None:
        self.seq = seq
        self.kind: ChangeKind = kind
        self.message = message
        self.frame = frame

    @property
    def size(self) -> int:
        """Bytes it counts for in the ring."""
        return _weight(self.message) if self.frame is None else len(self.frame)


class Room:
    """One room: its head, its ring and who follows it."""

    def __init__(
        self,
        info: RoomInfo,
        *,
        history: History,
        history_limit: int,
        tasks: Tasks,
        members: Iterable[Member] = (),
        notifies: Mapping[str, Notify] | None = None,
        behind: Callable[[Room], bool] | None = None,
    ) -> None:
        self.info = info
        self.members = {member.account_id: member for member in members}
        """Of a public room only its managers."""
        self.notifies = dict(notifies or {})
        """What accounts chose to be notified of; see `notify_of`."""
        self.seq = info.seq
        """The head: the last change that was committed and published here."""
        self.flushed = info.seq
        """Every cursor in `_live` was sent everything up to here."""
        self.floor = info.seq
        """Every change after it is in the ring."""
        self.frames_floor = info.seq
        """Every change after it is in the ring with its frame."""
        self.loaded = info.seq == 0
        self.people = People(self)
        self.cursors: set[Cursor] = set()
        self._history = history
        self._history_limit = history_limit
        self._tasks = tasks
        self._behind = behind
        self._waiting: dict[int, tuple[Committed, Apply]] = {}
        self._waiting_bytes = 0
        self._ahead: list[tuple[Cursor, int]] = []
        self._ring: deque[Entry] = deque()
        self._ring_bytes = 0
        self._recent: dict[str, Message] = {}
        self._renamed: dict[str, Account] = {}
        self._by_nonce: dict[tuple[str, str], Message] = {}
        self._live: dict[Callable[[bytes], int], Cursor] = {}
        self._lagging: dict[Callable[[bytes], int], Cursor] = {}
        self._lag_position = 0
        self._flushing = b""
        self._early: list[Cursor] = []
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._scheduled: asyncio.Handle | None = None
        self._last_end = self._last_cost = 0.0
        self._loading = False
        self._reloads = 0
        self._pages: dict[tuple[Mode, int], tuple[bytes, int, bool]] = {}

    # -- who sees it --------------------

    def standing(self, account_id: str) -> Standing:
        """How an account stands to this room."""
        info, member = self.info, self.members.get(account_id)
        if member is None and info.kind == "public" and not info.archived and info.posting == "everyone":
            return PUBLIC
        return Standing(
            info.kind, info.archived, info.posting, member is not None, member is not None and member.manager
        )

    def title_for(self, account_id: str) -> str:
        """Its title; of a direct room the names of the others."""
        if self.info.kind != "direct":
            return self.info.title
        others = [member.name for member in self.members.values() if member.account_id != account_id]
        return ", ".join(sorted(others, key=str.casefold)) or self.members[account_id].name

    def notify_of(self, account_id: str) -> Notify:
        """What an account wants to be notified of here: all of a conversation, of a room what names it."""
        return self.notifies.get(account_id) or ("all" if self.info.kind == "direct" else "mentions")

    def present(self) -> dict[str, str]:
        """The names of who is here by id; who lost the right to see it is gone at once."""
        here = self.people.by_id()
        if self.info.kind == "public":
            return here
        return {account_id: name for account_id, name in here.items() if account_id in self.members}

    # -- the log --------------------

    def offer(self, change: Committed, apply: Apply) -> None:
        """Takes a change in whatever order it comes: `apply` publishes it once it is the next one. What is
        known already is dropped, what came too early waits for what it follows.
        """
        if change.seq == self.seq + 1:
            apply(self, change)
            if self._waiting:
                self.go_on()
        elif change.seq > self.seq:
            self._keep(change, apply)

    def _keep(self, change: Committed, apply: Apply) -> None:
        if self._behind is None or not self._behind(self):
            _log.error("out of order", extra={"fields": {"seq": change.seq, "head": self.seq}})
            return
        size = _weight(change.message)
        full = len(self._waiting) >= WAITING_CHANGES or self._waiting_bytes + size > WAITING_BYTES
        if change.seq not in self._waiting and not full:
            self._waiting[change.seq] = change, apply
            self._waiting_bytes += size

    def go_on(self) -> None:
        """The head moved: what waited for that is published, what it passed is dropped."""
        while self._waiting:
            for seq in [seq for seq in self._waiting if seq <= self.seq]:
                self._take_waiting(seq)
            if self.seq + 1 not in self._waiting:
                return
            change, apply = self._take_waiting(self.seq + 1)
            apply(self, change)

    def _take_waiting(self, seq: int) -> tuple[Committed, Apply]:
        change, apply = self._waiting.pop(seq)
        self._waiting_bytes -= _weight(change.message)
        return change, apply

    @property
    def lacks(self) -> bool:
        """Whether something waits for what only the store has."""
        return bool(self._waiting or self._ahead)

    def forget_waiting(self) -> None:
        """The store does not know what they follow."""
        self._waiting.clear()
        self._waiting_bytes = 0

    def leap(self, messages: Sequence[Message], seq: int) -> None:
        """Goes on to `seq` where the changes are not known, only what they left: `messages`, all whose `rev`
        is beyond the head, in its order. Who is quick is told by `history` frames, as who fell behind
        (docs/adr/0011).
        """
        before, self.seq = self.seq, seq
        self._pages.clear()
        if not self.cursors and not self._loading:
            self._unload()
            return
        states = {message.id: message for message in messages}
        for entry in self._ring:  # no frame of it will be sent any more, least of all one with a deleted text
            entry.message, entry.frame = states.get(entry.message.id, entry.message), None
        for message in messages:
            self._ring.append(Entry(message.rev, "message", message, None))
            self._index(message)
        for message in sorted(messages, key=lambda message: message.seq):
            self._remember(message, new=message.seq > before)
        self._ring_bytes = sum(entry.size for entry in self._ring)
        self.frames_floor = seq
        self._trim()
        *frames, last = self._state_frames(messages, seq)
        self._pending += frames
        self._pending_bytes += sum(map(len, frames))
        self._enqueue(last)

    def _state_frames(self, messages: Sequence[Message], seq: int) -> Iterator[bytes]:
        more = True
        while more:
            page, more = _page_of(messages)
            messages = messages[len(page) :]
            yield self._history_frame("resumed", page, page[-1].rev if more else seq, more)

    def reload(self, seq: int) -> None:
        """Goes on to `seq`, too far away for what memory holds to be of use: everything is read anew."""
        self.flush()
        for cursor in self.cursors:
            self.set_aside(cursor)
        self._drop_pending()
        self.seq = seq
        self._reloads += 1
        self._unload()
        for cursor in list(self.cursors):
            self.advance(cursor)

    def publish(self, change: Committed) -> None:
        """Takes the next change of this room, in the order of the commits; what is not the next one is
        already known.
        """
        if change.seq != self.seq + 1:
            _log.error("out of order", extra={"fields": {"seq": change.seq, "head": self.seq}})
            return
        self.seq = change.seq
        self._pages.clear()
        if not self.cursors and not self._loading:
            self._unload()
            return
        frame = change_frame(change.kind, change.seq, change.message, self.info.slug)
        if change.kind != "message":
            self._rewrite(change.message, told=change.kind in ("edited", "deleted"))
        self._remember(change.message, new=change.kind == "message")
        self._ring.append(Entry(change.seq, change.kind, change.message, frame))
        self._ring_bytes += len(frame)
        self._index(change.message)
        self._trim()
        self._enqueue(frame)

    def duplicate_of(self, account_id: str, nonce: str) -> Message | None:
        """A message of the ring with this nonce; the store knows the others."""
        return self._by_nonce.get((account_id, nonce))

    def _index(self, message: Message) -> None:
        if message.nonce is not None:
            self._by_nonce[message.account_id, message.nonce] = message

    def rename(self, account: Account) -> None:
        """An author has another name: whoever joins or resumes from now on gets it, as from the store. It is
        no change of the log: what was sent stays as it is.
        """
        if self._loading:
            self._renamed[account.id] = account  # what is being read may still have the old one
        self._pages.clear()
        for entry in self._ring:
            message = renamed(entry.message, account)
            if message is not entry.message:
                self._replace(entry, message)
        self._recent = {key: renamed(message, account) for key, message in self._recent.items()}

    def names(self) -> set[tuple[str, str]]:
        """Ids and names of everybody whom memory names here."""
        messages = (*(entry.message for entry in self._ring), *self._recent.values())
        members = {(member.account_id, member.name) for member in self.members.values()}
        return members.union(*map(names_in, messages))

    def _trim(self) -> None:
        """Keeps the ring within its bounds; the oldest changes are then read from the store."""
        while len(self._ring) > RING_ENTRIES or self._ring_bytes > RING_LIMIT_BYTES:
            entry = self._ring.popleft()
            self._ring_bytes -= entry.size
            key = entry.message.account_id, entry.message.nonce or ""
            if self._by_nonce.get(key) is entry.message:
                del self._by_nonce[key]
            self.floor = max(self.floor, entry.seq)
            self.frames_floor = max(self.frames_floor, entry.seq)

    def _rewrite(self, message: Message, *, told: bool) -> None:
        """A message changed: the ring holds its state now. With `told` its text did, so its earlier frames
        tell that too: a deleted text is nowhere replayed. A reaction's or a pin's own frame is enough: with
        a thousand of them on one message every further one would make a thousand frames anew.
        """
        entries = [entry for entry in self._ring if entry.message.id == message.id]
        framed = [entry for entry in entries if told and entry.frame is not None]
        frames = change_frames([(entry.kind, entry.seq) for entry in framed], message, self.info.slug)
        for entry in entries:
            self._ring_bytes -= entry.size
            entry.message = message
        for entry, frame in zip(framed, frames, strict=True):
            entry.frame = frame
        for entry in entries:
            self._ring_bytes += entry.size
        if entries:
            self._index(message)

    def _replace(self, entry: Entry, message: Message) -> None:
        self._ring_bytes -= entry.size
        entry.message = message
        self._index(message)
        if entry.frame is not None:
            entry.frame = change_frame(entry.kind, entry.seq, message, self.info.slug)
        self._ring_bytes += entry.size

    def _remember(self, message: Message, *, new: bool) -> None:
        if not new and message.id not in self._recent:
            return
        self._recent[message.id] = message
        while len(self._recent) > self._history_limit:
            del self._recent[next(iter(self._recent))]

    def _unload(self) -> None:
        """Nobody is here: the store is enough. A room without any change needs no loading."""
        self._ring.clear()
        self._recent.clear()
        self._pages.clear()
        self._by_nonce.clear()
        self._ring_bytes = 0
        self.loaded = False
        self.flushed = self.floor = self.frames_floor = self.seq

    async def _load(self) -> None:
        """Reads the newest messages and changes, so that everybody who joins or resumes is served from
        memory.
        """
        while True:
            head, reloads = self.seq, self._reloads
            latest = await self._history.latest(self.info.id, upto=head, limit=max(self._history_limit, 1))
            changed = await self._changed(max(0, head - RESUME_LIMIT), head)
            if reloads == self._reloads:
                break
        newer, self._recent = self._recent, {}
        for message in latest.messages[-self._history_limit :] if self._history_limit else ():
            self._remember(message, new=True)
        for message in newer.values():
            self._remember(message, new=True)
        # What changed while this was read stands in the ring already: its state there is the newer one.
        fresh = {entry.message.id: entry.message for entry in self._ring}
        for message in fresh.values():
            self._remember(message, new=False)  # the new ones are among `newer`, as far as they are recent
        if self.floor <= head:  # else the ring overran meanwhile: what was read ends before it begins
            known = (
                Entry(m.rev, "message", fresh.get(m.id, m), None) for m in changed if m.rev <= self.floor
            )
            for entry in sorted(known, key=lambda entry: -entry.seq):
                self._ring.appendleft(entry)
                self._ring_bytes += entry.size
            self.floor = max(0, head - RESUME_LIMIT)
        for entry in self._ring:
            self._index(entry.message)
        self._trim()
        self.loaded = True

    async def _changed(self, since: int, head: int) -> list[Message]:
        changed: list[Message] = []
        while True:
            page = await self._history.changes(self.info.id, since, limit=500)
            changed += page.messages
            if not page.more or page.seq >= head:
                return changed
            since = page.seq

    # -- cursors --------------------

    def place(self, cursor: Cursor, *, since: int | None, epoch: str | None) -> None:
        """Registers a cursor, or puts it anew, and brings it to the head. Registering comes before reading:
        nothing falls between.
        """
        self.set_aside(cursor)
        cursor.generation += 1
        cursor.following = cursor.loading = False
        self.cursors.add(cursor)
        beyond = since is not None and since > self.seq and epoch == self.info.epoch
        if beyond and self._behind is not None and self._behind(self):
            cursor.mode, cursor.position, cursor.loading = "resumed", since or 0, True
            self._ahead.append((cursor, cursor.generation))
            return
        self._aim(cursor, since, epoch)
        self.flush()
        self.advance(cursor)

    def _aim(self, cursor: Cursor, since: int | None, epoch: str | None) -> None:
        if since is None:
            cursor.mode, cursor.position = "latest", 0
        elif epoch != self.info.epoch or since > self.seq or self.seq - since > RESUME_LIMIT:
            cursor.mode, cursor.position = "reset", 0
        else:
            cursor.mode, cursor.position = "resumed", since

    def take_ahead(self) -> list[tuple[Cursor, int]]:
        """Who says to have more than this node, as another node may have told it; to be answered."""
        ahead, self._ahead = self._ahead, []
        return ahead

    def answer(self, ahead: Iterable[tuple[Cursor, int]], *, known: bool) -> None:
        """The store was asked after they came; not `known`: in vain."""
        self.flush()
        for cursor, generation in ahead:
            if cursor.generation != generation:
                continue
            if not known:
                cursor.connection.close(1012, "the history could not be read")
                continue
            cursor.loading = False
            self._aim(cursor, cursor.position, self.info.epoch)
            self.advance(cursor)

    def remove(self, cursor: Cursor) -> None:
        """The cursor is gone; the last one takes the ring along."""
        self.set_aside(cursor)
        cursor.generation += 1
        self.cursors.discard(cursor)
        if not self.cursors and not self._loading:
            self._drop_pending()
            self._unload()

    def _drop_pending(self) -> None:
        if self._scheduled:
            self._scheduled.cancel()
            self._scheduled = None
        self._pending.clear()
        self._pending_bytes = 0

    def set_aside(self, cursor: Cursor) -> None:
        """Takes a cursor out of the quick ones; from now on its own position counts."""
        offer = cursor.connection.sink.offer
        if self._live.pop(offer, None) is not None:
            cursor.position = self.flushed
        elif self._lagging.pop(offer, None) is not None:
            cursor.position = self._lag_position

    def position(self, cursor: Cursor) -> int:
        """Up to which seq the cursor was sent everything."""
        offer = cursor.connection.sink.offer
        if offer in self._live:
            return self.flushed
        return self._lag_position if offer in self._lagging else cursor.position

    def advance(self, cursor: Cursor) -> None:
        """Brings a cursor as far as its sink and the ring allow."""
        connection = cursor.connection
        if connection.sink.offer in self._live or connection.sink.offer in self._lagging:
            return  # its position is the room's, and the flush brings it on
        while not (connection.blocked or connection.closed or cursor.loading) and cursor in self.cursors:
            if cursor.following:
                if self._follow(cursor):
                    return
                continue
            page = self._page(cursor)
            if page is None:
                self._read_behind(cursor)
                return
            self._send_page(cursor, *page)

    def _follow(self, cursor: Cursor) -> bool:
        """Live frames from the ring; True when there is nothing left to do for now."""
        if cursor.position == self.flushed:
            self._live[cursor.connection.sink.offer] = cursor
            return True
        if cursor.position > self.flushed:
            self._early.append(cursor)
            return True
        if cursor.position < self.frames_floor:
            cursor.following = False
            cursor.mode = "resumed" if self.seq - cursor.position <= RESUME_LIMIT else "reset"
            return False
        size, frames = 0, []
        for entry in self._after(cursor.position):
            if entry.seq > self.flushed or size > WRITE_LIMIT_BYTES:
                break
            assert entry.frame is not None
            frames.append(entry.frame)
            size += len(entry.frame)
            cursor.position = entry.seq
        cursor.connection.send(b"".join(frames))
        return False

    def _after(self, position: int) -> Iterator[Entry]:
        ring = self._ring
        index = len(ring)
        while index and ring[index - 1].seq > position:
            index -= 1
        return (ring[i] for i in range(index, len(ring)))

    def _page(self, cursor: Cursor) -> tuple[bytes, int, bool] | None:
        """The next history frame from memory: (frame, new position, more); None when the store has to be
        asked.
        """
        if not self.loaded:
            return None
        mode, since = cursor.mode, cursor.position
        if mode == "resumed" and self.seq - since > RESUME_LIMIT:
            mode = cursor.mode = "reset"
        if mode == "resumed" and since < self.floor:
            return None
        key = (mode, since)
        if key not in self._pages:
            if len(self._pages) > 256:
                self._pages.clear()
            if mode == "resumed":
                self._pages[key] = self._resumed(since)
            else:
                recent = sorted(self._recent.values(), key=lambda message: message.seq)
                self._pages[key] = (self._history_frame(mode, recent, self.seq, False), self.seq, False)
        return self._pages[key]

    def _resumed(self, since: int) -> tuple[bytes, int, bool]:
        # What changed again after an entry is told by the later entry.
        current = (e.message for e in self._after(since) if e.message.rev == e.seq)
        messages, more = _page_of(current)
        position = messages[-1].rev if more else self.seq
        return self._history_frame("resumed", messages, position, more), position, more

    def _history_frame(self, mode: Mode, messages: list[Message], seq: int, more: bool) -> bytes:
        ordered = sorted(messages, key=lambda message: message.seq)
        views = [message_view(message, self.info.slug) for message in ordered]
        return event_frame(HistoryFrame(self.info.slug, self.info.epoch, mode, views, seq, more))

    def _send_page(self, cursor: Cursor, frame: bytes, position: int, more: bool) -> None:
        cursor.position = position
        cursor.mode = "resumed"
        cursor.following = not more
        cursor.connection.send(frame)
        if not more and not cursor.told:
            cursor.told = True
            self.people.welcome(cursor.connection)
            account = cursor.connection.account
            if not is_plain(self) or account.id in self.notifies:
                cursor.connection.tell(room_frame(self, account))

    def _read_behind(self, cursor: Cursor) -> None:
        """What memory does not hold is read from the store, by a task that the registry owns."""
        if not self.loaded:
            if not self._loading:
                self._loading = True
                self._tasks.start(self._load_and_advance())
            return
        cursor.loading = True
        self._tasks.start(self._read_page(cursor, cursor.generation))

    async def _load_and_advance(self) -> None:
        try:
            await self._load()
        finally:
            self._loading = False
            renamed, self._renamed = self._renamed, {}
            for account in renamed.values():
                self.rename(account)
            if not self.loaded:
                self._unload()
                for cursor in list(self.cursors):
                    cursor.connection.close(1012, "the history could not be read")
        if not self.cursors:
            self._unload()
        for count, cursor in enumerate(list(self.cursors), 1):
            self.advance(cursor)
            if count % JOIN_SLICE == 0:
                await asyncio.sleep(0)

    async def _read_page(self, cursor: Cursor, generation: int) -> None:
        page: Page | None = None
        try:
            page = await self._history.changes(self.info.id, cursor.position, limit=PAGE_MESSAGES)
        finally:
            if cursor.generation == generation:
                cursor.loading = False
                if page is None:
                    cursor.connection.close(1012, "the history could not be read")
        if cursor.generation != generation or cursor.connection.closed:
            return
        assert page is not None
        # What was committed but is not published here yet comes live: a position never passes the head.
        seq = min(page.seq, self.seq)
        messages, cut = _page_of(message for message in page.messages if message.seq <= seq)
        more = cut or (page.more and seq == page.seq)
        if cut:
            seq = min(seq, messages[-1].rev)
        frame = self._history_frame("resumed", messages, seq, more)
        if cursor.connection.blocked:
            return  # asked again when it has drained
        self._send_page(cursor, frame, seq, more)
        self.advance(cursor)

    # -- fan-out
    # -----------------------------------------------------------------------------------------------

    def tell(self, frame: bytes, *, presence: bool) -> None:
        """Sends what is no log (presence, typing) to everybody who is quick; the others get the newest
        presence later.
        """
        for cursor in self.cursors:
            offer = cursor.connection.sink.offer
            if presence and offer not in self._live and offer not in self._lagging and cursor.told:
                cursor.connection.mark_stale(self) if cursor.connection.blocked else cursor.connection.tell(
                    frame
                )
        if self._live or self._lagging:
            self._enqueue(frame)

    def _enqueue(self, frame: bytes) -> None:
        self._pending.append(frame)
        self._pending_bytes += len(frame)
        if self._pending_bytes > WRITE_LIMIT_BYTES:
            self.flush()
        elif self._scheduled is None and not self._lagging:
            self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        pause = self._last_end + min(self._last_cost, PACE_SECONDS) - loop.time()
        self._scheduled = loop.call_later(pause, self.flush) if pause > 0 else loop.call_soon(self.flush)

    def flush(self) -> None:
        """Writes what is pending to every quick cursor: the same bytes, joined once, one send each."""
        if self._lagging:
            return  # a sliced flush is under way and starts the next one itself
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        if not self._pending:
            return
        started = asyncio.get_running_loop().time()
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending = []
        self._pending_bytes = 0
        self._lag_position, self.flushed = self.flushed, self.seq
        if len(self._live) > SLICE_SOCKETS:
            self._lagging, self._live = self._live, {}
            self._flushing = data
            self._last_cost = 0.0
            self._flush_slice()
            return
        self._fan_out(self._live, data)
        reach("after-fan-out")
        self._finish_flush(asyncio.get_running_loop().time() - started)

    def _flush_slice(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        offers = [offer for offer, _ in zip(self._lagging, range(SLICE_SOCKETS), strict=False)]
        part = {offer: self._lagging.pop(offer) for offer in offers}
        self._live.update(part)
        self._fan_out(part, self._flushing)
        cost = self._last_cost + loop.time() - started
        if self._lagging:
            self._last_cost = cost
            loop.call_soon(self._flush_slice)
            return
        self._flushing = b""
        self._finish_flush(cost)
        if self._pending and self._scheduled is None:
            self._schedule()

    def _fan_out(self, cursors: dict[Callable[[bytes], int], Cursor], data: bytes) -> None:
        size = len(data)
        left: list[tuple[Cursor, int]] = []
        for offer in cursors:
            try:
                taken = offer(data)
                if taken == size:
                    continue
            except BlockingIOError:
                taken = 0
            except OSError:
                taken = size  # gone; its reading side closes it
            left.append((cursors[offer], taken))
        for cursor, taken in left:
            self._live.pop(cursor.connection.sink.offer, None)
            cursor.position = self.flushed
            if taken < size:
                cursor.connection.block(memoryview(data)[taken:])

    def _finish_flush(self, cost: float) -> None:
        self._last_end = asyncio.get_running_loop().time()
        self._last_cost = cost
        early, self._early = self._early, []
        for cursor in early:
            if cursor.following:
                self.advance(cursor)


def _page_of(messages: Iterable[Message]) -> tuple[list[Message], bool]:
    """As many as a history frame takes, so that it stays near `WRITE_LIMIT_BYTES`; whether some are left."""
    page: list[Message] = []
    size = 0
    for message in messages:
        if len(page) >= PAGE_MESSAGES or size > WRITE_LIMIT_BYTES // 2:
            return page, True
        page.append(message)
        size += _weight(message)
    return page, False


def _weight(message: Message) -> int:
    """About how many bytes it is in a frame."""
    text, html = message.text, message.html or ""
    reactions = 80 * sum(len(reaction.users) for reaction in message.reactions)
    texts = len(text) * (1 if text.isascii() else 3) + len(html) * (1 if html.isascii() else 3)
    return texts + reactions + 300


class Tasks:
    """Owns what runs in the background: logs what fails, cancels the rest at the end."""

    def __init__(self, on_error: Callable[[], None]) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._on_error = on_error

    def start(self, coroutine: Coroutine[None, None, None]) -> None:
        """Runs a coroutine to its end."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_error()
            _log.error("background task failed", exc_info=error)

    async def close(self) -> None:
        """Cancels and awaits everything."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


class Registry:
    """Every room of this process, by slug."""

    def __init__(self, *, history: History, history_limit: int, tasks: Tasks) -> None:
        self._history = history
        self._history_limit = history_limit
        self._tasks = tasks
        self._rooms: dict[str, Room] = {}
        self._by_id: dict[str, Room] = {}
        self.elsewhere: Elsewhere | None = None
        """None: this process is alone."""
        self.on_added: Callable[[Room], None] = lambda room: None

    def add(
        self,
        info: RoomInfo,
        members: Iterable[Member] = (),
        notifies: Mapping[str, Notify] | None = None,
    ) -> Room:
        """Puts a room in; its log stays in the store until somebody follows it."""
        room = Room(
            info,
            history=self._history,
            history_limit=self._history_limit,
            tasks=self._tasks,
            members=members,
            notifies=notifies,
            behind=self._behind,
        )
        self._rooms[info.slug] = self._by_id[info.id] = room
        self.on_added(room)
        return room

    def by_slug(self, slug: str) -> Room | None:
        """The room of this name."""
        return self._rooms.get(slug)

    def by_id(self, room_id: str) -> Room | None:
        """The room of this id."""
        return self._by_id.get(room_id)

    def _behind(self, room: Room) -> bool:
        if self.elsewhere is not None:
            self.elsewhere.behind(room)
        return self.elsewhere is not None

    def rename(self, account: Account) -> None:
        """An account has another name, or still the same one: then nothing happens."""
        for room in self._rooms.values():
            if (member := room.members.get(account.id)) is not None:
                room.members[account.id] = structs.replace(member, name=account.name)
            room.rename(account)
            room.people.rename(account)

    def all(self) -> list[Room]:
        """All of them by title, the lobby first."""
        return sorted(
            self._rooms.values(), key=lambda room: (room.info.slug != "lobby", room.info.title.casefold())
        )


def follow(connection: Connection, room: Room, *, since: int | None, epoch: str | None) -> None:
    """Follow a room from `since`, or from its latest messages; a further time puts the cursor anew."""
    cursor = connection.cursors.get(room.info.slug)
    if cursor is None:
        cursor = connection.cursors[room.info.slug] = Cursor(connection, room)
        room.people.arrive(connection.account)
    room.place(cursor, since=since, epoch=epoch)


def unfollow(connection: Connection, room: Room) -> None:
    """Undoes `follow`."""
    cursor = connection.cursors.pop(room.info.slug, None)
    if cursor is not None:
        room.remove(cursor)
        room.people.depart(connection.account)
        if connection.stale_presence is not None:
            connection.stale_presence.discard(room)
