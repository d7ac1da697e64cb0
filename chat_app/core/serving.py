"""Brings a cursor from where it stands to the head, whatever the reason it stands there: from memory, or from
the store where memory does not reach.

A layer of `room.Room` on `fan_out.FanOut`. The store is read by tasks that the registry owns.
"""

from __future__ import annotations

import asyncio

from chat_app.core import room_limits as limits
from chat_app.core.connection import Connection, Cursor
from chat_app.core.fan_out import FanOut
from chat_app.core.ring import Entry, page_of
from chat_app.core.tasks import Tasks
from chat_app.models import Account, Message, Page, RoomInfo
from chat_app.ports import History


class Serving(FanOut):
    """The way of each cursor."""

    def __init__(self, info: RoomInfo, *, history: History, history_limit: int, tasks: Tasks) -> None:
        super().__init__(info, history_limit=history_limit)
        self._history = history
        self._tasks = tasks
        self._loading = False
        self._reloads = 0
        self._renamed: dict[str, Account] = {}

    def _welcome(self, connection: Connection) -> None:
        """It got the first page: what it is told of the room beside the log."""
        raise NotImplementedError  # `room.py` knows

    def remove(self, cursor: Cursor) -> None:
        """The cursor is gone; the last one takes the ring along."""
        self.set_aside(cursor)
        cursor.generation += 1
        self.cursors.discard(cursor)
        if not self.cursors and not self._loading:
            self._drop_pending()
            self._unload()

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
            cursor.mode = "resumed" if self.seq - cursor.position <= limits.RESUME_LIMIT else "reset"
            return False
        size, frames = 0, []
        for entry in self._after(cursor.position):
            if entry.seq > self.flushed or size > limits.WRITE_LIMIT_BYTES:
                break
            assert entry.frame is not None
            frames.append(entry.frame)
            size += len(entry.frame)
            cursor.position = entry.seq
        cursor.connection.send(b"".join(frames))
        return False

    def _page(self, cursor: Cursor) -> tuple[bytes, int, bool] | None:
        """The next history frame from memory: (frame, new position, more); None when the store has to be
        asked.
        """
        if not self.loaded:
            return None
        mode, since = cursor.mode, cursor.position
        if mode == "resumed" and self.seq - since > limits.RESUME_LIMIT:
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

    def _send_page(self, cursor: Cursor, frame: bytes, position: int, more: bool) -> None:
        cursor.position = position
        cursor.mode = "resumed"
        cursor.following = not more
        cursor.connection.send(frame)
        if not more and not cursor.told:
            cursor.told = True
            self._welcome(cursor.connection)

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
            if count % limits.JOIN_SLICE == 0:
                await asyncio.sleep(0)

    async def _read_page(self, cursor: Cursor, generation: int) -> None:
        page: Page | None = None
        try:
            page = await self._history.changes(self.info.id, cursor.position, limit=limits.PAGE_MESSAGES)
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
        messages, cut = page_of(message for message in page.messages if message.seq <= seq)
        more = cut or (page.more and seq == page.seq)
        if cut:
            seq = min(seq, messages[-1].rev)
        frame = self._history_frame("resumed", messages, seq, more)
        if cursor.connection.blocked:
            return  # asked again when it has drained
        self._send_page(cursor, frame, seq, more)
        self.advance(cursor)

    async def _load(self) -> None:
        """Reads the newest messages and changes, so that everybody who joins or resumes is served from
        memory.
        """
        while True:
            head, reloads = self.seq, self._reloads
            latest = await self._history.latest(self.info.id, upto=head, limit=max(self._history_limit, 1))
            changed = await self._changed(max(0, head - limits.RESUME_LIMIT), head)
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
            self.floor = max(0, head - limits.RESUME_LIMIT)
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

    def rename(self, account: Account) -> None:
        """An author has another name, in what is being read too."""
        if self._loading:
            self._renamed[account.id] = account  # what is being read may still have the old one
        super().rename(account)
