"""Every open connection of the process: found by session, account and address; its heartbeat and its
patience.

`web/socket.py` adds and removes, `app.py` runs `beat` and `sweep` by PeriodicCallback.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator

from chat_app.core.connection import Connection
from chat_app.metrics import Metrics
from chat_app.protocol import HeartbeatFrame, event_frame, frame

STALL_SECONDS = 20.0
SLICE = 200
"""Connections handled before the loop gets a turn."""
_PING = frame(b"", opcode=0x9)


class Connections:
    """The open connections."""

    def __init__(self, *, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._all: set[Connection] = set()
        self._by_account: dict[str, set[Connection]] = {}
        self._by_session: dict[str, set[Connection]] = {}
        self._by_address: dict[str, int] = {}
        self._metrics = metrics
        self._monotonic = monotonic

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._all))

    def add(self, connection: Connection) -> None:
        """It is open."""
        self._all.add(connection)
        self._by_account.setdefault(connection.account.id, set()).add(connection)
        self._by_session.setdefault(connection.session_id, set()).add(connection)
        self._by_address[connection.address] = self._by_address.get(connection.address, 0) + 1
        self._metrics.connections.set(len(self._all))
        self._metrics.opened.inc()

    def remove(self, connection: Connection) -> None:
        """It is closed; a second time changes nothing."""
        if connection not in self._all:
            return
        self._all.remove(connection)
        for index, key in (
            (self._by_account, connection.account.id),
            (self._by_session, connection.session_id),
        ):
            index[key].discard(connection)
            if not index[key]:
                del index[key]
        self._by_address[connection.address] -= 1
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]
        self._metrics.connections.set(len(self._all))

    def of_account(self, account_id: str) -> set[Connection]:
        """The connections of an account; not to be changed."""
        return self._by_account.get(account_id, set())

    def accounts(self) -> Iterable[tuple[str, set[Connection]]]:
        """Every account that has one."""
        return list(self._by_account.items())

    def count_of_address(self, address: str) -> int:
        """How many an address has open."""
        return self._by_address.get(address, 0)

    def close_sessions(self, session_ids: Iterable[str], code: int, reason: str) -> None:
        """The sessions ended: so do their sockets, at once."""
        for session_id in session_ids:
            for connection in list(self._by_session.get(session_id, ())):
                connection.close(code, reason)

    async def close_all(self, code: int, reason: str) -> None:
        """Closes in slices, so that no turn of the loop is long."""
        for count, connection in enumerate(list(self._all), 1):
            connection.close(code, reason)
            if count % SLICE == 0:
                await asyncio.sleep(0)

    async def beat(self, ended: Callable[[str], bool]) -> None:
        """Pings everybody and tells how far they were sent everything; drops who answered nothing since the
        last ping.
        """
        frames: dict[tuple[tuple[str, int], ...], bytes] = {}
        for count, connection in enumerate(list(self._all), 1):
            if not connection.alive:
                self._metrics.heartbeat_drops.inc()
                connection.sink.abort()
            elif ended(connection.session_id):
                connection.close(4401, "the session ended")
            else:
                connection.alive = False
                if not connection.blocked:
                    heads = tuple((slug, c.room.position(c)) for slug, c in connection.cursors.items())
                    if heads not in frames:
                        frames[heads] = _PING + event_frame(HeartbeatFrame(dict(heads)))
                    connection.tell(frames[heads])
            if count % SLICE == 0:
                await asyncio.sleep(0)

    def sweep(self) -> None:
        """Closes who was blocked without any progress for 20 s, or leaves a message unfinished."""
        now = self._monotonic()
        for connection in list(self._all):
            if connection.blocked and now - connection.sink.progress() > STALL_SECONDS:
                connection.close(4408, "too slow")
            else:
                connection.sink.sweep()
