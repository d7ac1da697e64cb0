"""The fan-out: what is pending goes to everybody who is quick, the same bytes, one send each.

A layer of `room.Room` on `ring.Ring`. Who is slow is set aside and keeps a position of its own; `serving.py`
brings it on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chat_app.core import room_limits as limits
from chat_app.core.connection import Connection, Cursor
from chat_app.core.ring import Ring
from chat_app.failpoints import reach
from chat_app.models import RoomInfo


class FanOut(Ring):
    """Who follows a room, and what is on its way to them."""

    def __init__(self, info: RoomInfo, *, history_limit: int) -> None:
        super().__init__(info, history_limit=history_limit)
        self.flushed = info.seq
        """Every cursor in `_live` was sent everything up to here."""
        self.cursors: set[Cursor] = set()
        self._live: dict[Callable[[bytes], int], Cursor] = {}
        self._lagging: dict[Callable[[bytes], int], Cursor] = {}
        self._lag_position = 0
        self._flushing = b""
        self._behind_flush: dict[Callable[[bytes], int], list[bytes]] = {}
        self._early: list[Cursor] = []
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._scheduled: asyncio.Handle | None = None
        self._last_end = self._last_cost = 0.0

    def advance(self, cursor: Cursor) -> None:
        """Brings a cursor as far as its sink and the ring allow."""
        raise NotImplementedError  # `serving.py` can

    def set_aside(self, cursor: Cursor) -> None:
        """Takes a cursor out of the quick ones; from now on its own position counts."""
        offer = cursor.connection.sink.offer
        if self._live.pop(offer, None) is not None:
            cursor.position = self.flushed
            for frame in self._behind_flush.pop(offer, ()):
                cursor.connection.tell(frame)
        elif self._lagging.pop(offer, None) is not None:
            cursor.position = self._lag_position

    def tell_behind(self, connection: Connection, frame: bytes) -> bool:
        """Tells one connection what is no log with the send that brings it what is pending; False when no
        such send is due, and then nothing was done.
        """
        offer = connection.sink.offer
        if self._scheduled is None or offer not in self._live:
            return False
        self._behind_flush.setdefault(offer, []).append(frame)
        return True

    def position(self, cursor: Cursor) -> int:
        """Up to which seq the cursor was sent everything."""
        offer = cursor.connection.sink.offer
        if offer in self._live:
            return self.flushed
        return self._lag_position if offer in self._lagging else cursor.position

    def _enqueue(self, frame: bytes) -> None:
        self._pending.append(frame)
        self._pending_bytes += len(frame)
        if self._pending_bytes > limits.WRITE_LIMIT_BYTES:
            self.flush()
        elif self._scheduled is None and not self._lagging:
            self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        pause = self._last_end + min(self._last_cost, limits.PACE_SECONDS) - loop.time()
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
        loop = asyncio.get_running_loop()
        started = loop.time()
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending = []
        self._pending_bytes = 0
        self._lag_position, self.flushed = self.flushed, self.seq
        behind, self._behind_flush = self._behind_flush, {}
        apart = {offer: self._live.pop(offer) for offer in behind}
        if len(self._live) > limits.SLICE_SOCKETS:
            self._lagging, self._live = self._live, {}
            self._fan_out_behind(apart, data, behind)
            self._flushing = data
            self._last_cost = loop.time() - started
            self._flush_slice()
            return
        self._fan_out(self._live, data)
        self._fan_out_behind(apart, data, behind)
        reach("after-fan-out")
        self._finish_flush(loop.time() - started)

    def _flush_slice(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        offers = [offer for offer, _ in zip(self._lagging, range(limits.SLICE_SOCKETS), strict=False)]
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

    def _fan_out_behind(
        self,
        cursors: dict[Callable[[bytes], int], Cursor],
        data: bytes,
        behind: dict[Callable[[bytes], int], list[bytes]],
    ) -> None:
        self._live.update(cursors)
        for offer, cursor in cursors.items():
            self._fan_out({offer: cursor}, b"".join((data, *behind[offer])))

    def _finish_flush(self, cost: float) -> None:
        self._last_end = asyncio.get_running_loop().time()
        self._last_cost = cost
        early, self._early = self._early, []
        for cursor in early:
            if cursor.following:
                self.advance(cursor)

    def _drop_pending(self) -> None:
        if self._scheduled:
            self._scheduled.cancel()
            self._scheduled = None
        self._pending.clear()
        self._pending_bytes = 0

    def _unload(self) -> None:
        super()._unload()
        self.flushed = self.seq
