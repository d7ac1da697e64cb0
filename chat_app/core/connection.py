"""A connection: a sink, and a cursor in each room it follows.

Made by `web/socket.py` for each open socket, moved by `rooms.Room`. It queues nothing of a room's log: while
its sink is blocked, its cursors stay where they stand. What is no log (acks, errors) waits in a queue of 64,
presence only as its newest state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

from chat_app.models import Account

if TYPE_CHECKING:
    from chat_app.core.rooms import Room

CONTROL_LIMIT = 64
"""Frames that wait for a blocked sink; one more closes the connection with 4408."""

Mode = Literal["latest", "resumed", "reset"]


class Sink(Protocol):
    """What a connection needs of a socket."""

    offer: Callable[[bytes], int]
    """Hands bytes to the system at once and says how many it took. Raises BlockingIOError, or OSError once it
    is gone.
    """

    def buffer(self, data: memoryview) -> None:
        """Takes what `offer` left over; calls `Connection.drained` when all of it is with the system."""

    def progress(self) -> float:
        """When the system last took something, in seconds of the monotonic clock."""

    def sweep(self) -> None:
        """Ends it when a message was begun too long ago."""

    def close(self, code: int, reason: str) -> None:
        """Says why and ends it; nothing is written after that."""

    def abort(self) -> None:
        """Ends it at once."""


class Cursor:
    """How far a connection was sent a room's log."""

    __slots__ = ("connection", "following", "generation", "loading", "mode", "position", "room", "told")

    def __init__(self, connection: Connection, room: Room) -> None:
        self.connection = connection
        self.room = room
        self.position = 0
        self.mode: Mode = "latest"
        self.following = False
        """Whether it gets live frames; else the next thing it gets is a history frame of its `mode`."""
        self.loading = False
        self.generation = 0
        """Counts the joins, so that a page read for an earlier one is dropped."""
        self.told = False
        """Whether it was told who is here."""


class Connection:
    """One open socket of an account."""

    __slots__ = (
        "account", "address", "alive", "blocked", "client_id", "closed", "control", "cursors", "default_room",
        "malformed", "pong", "session_id", "sink", "stale_presence", "typed",
    )  # fmt: skip

    def __init__(
        self,
        *,
        client_id: str,
        account: Account,
        session_id: str,
        address: str,
        default_room: str,
        sink: Sink,
    ) -> None:
        self.client_id = client_id
        self.account = account
        self.session_id = session_id
        self.address = address
        self.default_room = default_room
        self.sink = sink
        self.cursors: dict[str, Cursor] = {}
        self.blocked = False
        self.closed = False
        self.alive = True
        """Whether anything was heard since the last ping."""
        self.malformed = 0
        self.typed: dict[str, float] | None = None
        self.control: deque[bytes] | None = None
        self.stale_presence: set[Room] | None = None
        self.pong: bytes | None = None

    def send(self, data: bytes) -> None:
        """Hands over `data`; the caller has seen that the sink is not blocked."""
        try:
            taken = self.sink.offer(data)
        except BlockingIOError:
            taken = 0
        except OSError:
            return  # the reading side hears of it and closes
        if taken < len(data):
            self.block(memoryview(data)[taken:])

    def block(self, rest: memoryview) -> None:
        """The system took no more: set every cursor aside until `rest` has drained."""
        self.blocked = True
        self.sink.buffer(rest)  # first: too many acks may close it
        for cursor in list(self.cursors.values()):
            cursor.room.set_aside(cursor)

    def tell(self, frame: bytes) -> None:
        """Sends what is no log (acks, errors): at once, or when the sink has drained; too much of it closes
        with 4408.
        """
        if self.closed:
            return
        if not self.blocked:
            self.send(frame)
            return
        if self.control is None:
            self.control = deque()
        if len(self.control) >= CONTROL_LIMIT:
            self.close(4408, "too slow")
            return
        self.control.append(frame)

    def answer_ping(self, frame: bytes) -> None:
        """Only the newest ping of a blocked connection is answered (RFC 6455 section 5.5.3)."""
        if self.blocked:
            self.pong = frame
        elif not self.closed:
            self.send(frame)

    def drained(self) -> None:
        """The sink is empty again: what waited goes first, then every cursor goes on."""
        self.blocked = False
        if self.closed:
            return
        waiting = [] if self.pong is None else [self.pong]
        waiting += self.control or ()
        self.pong = self.control = None
        if waiting:
            self.send(b"".join(waiting))
        stale, self.stale_presence = self.stale_presence, None
        for room in stale or ():
            self.tell(room.people.everyone_frame()) if not self.blocked else self.mark_stale(room)
        for cursor in list(self.cursors.values()):
            if self.blocked:
                return
            cursor.room.advance(cursor)

    def mark_stale(self, room: Room) -> None:
        """Presence of `room` changed while the sink was blocked."""
        if self.stale_presence is None:
            self.stale_presence = set()
        self.stale_presence.add(room)

    def close(self, code: int, reason: str) -> None:
        """Ends it with a close frame, behind the acks that wait; the sink reports the end."""
        if self.closed:
            return
        for cursor in list(self.cursors.values()):
            cursor.room.set_aside(cursor)  # which tells what waited for the room's next send
        if self.blocked and self.control and code != 4408:
            waiting, self.control = b"".join(self.control), None
            self.sink.buffer(memoryview(waiting))
        self.sink.close(code, reason)
