"""Tornado's HTTP server, but what is too large is read to its end, within bounds, and refused with a page.

Tornado itself hangs up: a browser then says that the site does not work. `app` makes the server; the sizes
are judged in `BaseHandler.check_size`. What no browser sends (a bad request line, a chunked body over the
limit) Tornado answers with a bare 400, and what is beyond these bounds too.
"""

from __future__ import annotations

from collections.abc import Awaitable

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

from chat_app.web.base import BODY_LIMIT_BYTES

HEADERS_READ_BYTES = 48 * 1024
"""Headers are read up to here to be refused (`HEADERS_LIMIT_BYTES` pass)."""
BODY_READ_BYTES = 1024 * 1024
"""A body announced as larger than `BODY_LIMIT_BYTES` is read up to here and thrown away."""


class Server(HTTPServer):
    """One for an application."""

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """A request begins."""
        return _Request(super().start_request(server_conn, request_conn), request_conn)


class _Request(HTTPMessageDelegate):
    def __init__(self, delegate: HTTPMessageDelegate, connection: HTTPConnection) -> None:
        self._delegate = delegate
        self._connection = connection
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
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()
