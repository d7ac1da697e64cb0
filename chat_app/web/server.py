"""Tornado's HTTP server, but what is too large is read to its end, within bounds, and refused with a page.

Tornado itself hangs up: a browser then says that the site does not work. `app` makes the server; the sizes
are judged in `BaseHandler.check_size`. What no browser sends (a bad request line, a chunked body over the
limit) Tornado answers with a bare 400, and what is beyond these bounds too.

Who is slow meets a deadline, and before the descriptors run out the connection that has waited longest for
its request gives way to a new one. So `/healthz` answers whatever else holds the others.
"""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream

from chat_app.logs import log_event
from chat_app.web.base import BODY_LIMIT_BYTES

HEADERS_READ_BYTES = 48 * 1024
"""Headers are read up to here to be refused (`HEADERS_LIMIT_BYTES` pass)."""
BODY_READ_BYTES = 1024 * 1024
"""A body announced as larger than `BODY_LIMIT_BYTES` is read up to here and thrown away."""


SOCKETS_SHARE = 0.8
"""Of the descriptors: one WebSocket more is refused."""
LINES_SHARE = 0.9
"""Of the descriptors: with more connections of both kinds, those without a request give way."""
SPARE_DESCRIPTORS = 24
"""For files that are opened as it goes on; on top of what is open at the start."""
TELL_SECONDS = 60.0
"""Connections that gave way are told in the log this often at most."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a connection may take, in seconds."""

    headers_seconds: float = 30.0
    """From the end of the request before to the end of the headers."""
    body_seconds: float = 10.0


DEADLINES = Deadlines()


@dataclass(frozen=True, slots=True)
class Room:
    """How many connections the process has descriptors for."""

    sockets: int
    lines: int
    """WebSockets and all others together."""


def room() -> Room:
    """As the process stands now, at its start."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most == resource.RLIM_INFINITY:
        most = 1 << 20
    free = max(2, most - len(os.listdir("/dev/fd")) - SPARE_DESCRIPTORS)
    lines = min(int(most * LINES_SHARE), free)
    return Room(sockets=min(int(most * SOCKETS_SHARE), int(lines * SOCKETS_SHARE / LINES_SHARE)), lines=lines)


class Server(HTTPServer):
    """One for an application; `sockets` tells how many WebSockets are open."""

    def initialize(  # type: ignore[override]
        self, *args: Any, lines_limit: int, sockets: Callable[[], int], **kwargs: Any
    ) -> None:
        """Called by Tornado with what the constructor was given."""
        super().initialize(*args, **kwargs)
        self._lines_limit = lines_limit
        self._websockets = sockets
        self._waiting: dict[IOStream, int] = {}  # to how many requests it has begun
        self._answering: set[IOStream] = set()
        self._gave_way = 0
        self._told_at = -TELL_SECONDS

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """A connection was accepted."""
        while self._waiting and len(self._waiting) + self._websockets() >= self._lines_limit:
            self._give_way()
        self._waiting[stream] = 0
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        """It is closed, or a WebSocket now."""
        super().on_close(server_conn)
        assert isinstance(server_conn, HTTP1ServerConnection)
        self._waiting.pop(server_conn.stream, None)
        self._answering.discard(server_conn.stream)

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """It waits for a request: who did that last gives way last."""
        assert isinstance(server_conn, HTTP1ServerConnection)
        stream = server_conn.stream
        begun = self._waiting.pop(stream, 0)
        self._waiting[stream] = begun + 1
        self._answering.discard(stream)  # this is the next one's turn
        received = partial(self._answering.add, stream)
        return _Request(super().start_request(server_conn, request_conn), request_conn, received)

    def opening(self) -> int:
        """Connections whose first request is not answered yet."""
        return sum(begun < 2 for begun in self._waiting.values())

    def answering(self) -> int:
        """Requests that came whole and are not answered yet."""
        return len(self._answering)

    def _give_way(self) -> None:
        longest = next(iter(self._waiting))
        del self._waiting[longest]
        longest.close()
        self._gave_way += 1
        if time.monotonic() - self._told_at >= TELL_SECONDS:
            log_event(_log, "connections.full", level=logging.WARNING, gave_way=self._gave_way)
            self._told_at, self._gave_way = time.monotonic(), 0


class _Request(HTTPMessageDelegate):
    def __init__(
        self, delegate: HTTPMessageDelegate, connection: HTTPConnection, received: Callable[[], None]
    ) -> None:
        self._delegate = delegate
        self._connection = connection
        self._received = received
        self._thrown_away = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        length = headers.get("Content-Length", "0")
        if length.isdecimal() and BODY_LIMIT_BYTES < int(length[:20]) <= BODY_READ_BYTES:
            self._thrown_away = True
            self._connection.set_max_body_size(BODY_READ_BYTES)  # type: ignore[attr-defined]
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return None if self._thrown_away else self._delegate.data_received(chunk)

    def finish(self) -> None:
        self._received()
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()
