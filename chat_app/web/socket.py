"""`GET /chat`: the checks before the upgrade in the contract's order, then a `Connection` on a `Wire`.

The statuses: 403 origin or host, 401 session, 404 room, 429 too many; 400 for a bad position, 503 while the
server drains.
"""

from __future__ import annotations

import logging
import math
import re
import uuid
from typing import Any

from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler, WebSocketProtocol

from chat_app.core.connection import Connection
from chat_app.core.rooms import follow
from chat_app.errors import Busy, ChatError
from chat_app.logs import log_event
from chat_app.models import LOBBY
from chat_app.protocol import SEQ_LIMIT, SLUG, LimitsView, SystemFrame, UserView, check_position, event_frame
from chat_app.web.base import Access, BaseHandler, Services
from chat_app.web.wire import Wire, upgrade_protocol

_log = logging.getLogger("chat_app.connection")
_KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")  # base64 of 16 bytes


class ChatSocket(BaseHandler, WebSocketHandler):
    """The handshake. Nothing of it outlives the upgrade."""

    access = Access.PUBLIC  # answers 401 itself: a socket is sent to no sign-in page

    async def prepare(self) -> None:
        """Every check, each on its own; Tornado calls `check_origin` only for what looks cross-origin."""
        self.checked_room = LOBBY
        self.since: int | None = None
        self.epoch: str | None = None
        self.check_size()
        self._check_origin_and_host()
        if self.services.handshakes.peek(self.remote) > 0:
            self._refuse(429)
        await self.authenticate()
        if self.session is None or self.account is None:
            self.services.handshakes.take(self.remote)
            self._refuse(401)
        assert self.account is not None
        await self._read_arguments()
        self._check_counts()
        if self.services.state.draining:
            self._refuse(503)
        self._check_handshake()

    def check_origin(self, origin: str) -> bool:
        """The same allow-list again, where Tornado asks."""
        return self.origin_allowed(origin)

    async def head(self, *args: str, **kwargs: str) -> None:
        """A handshake is a GET (RFC 6455 section 4.1)."""
        raise HTTPError(405)

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Tornado's handshake with a frame loop of our own."""
        return upgrade_protocol(self)

    def open(self, *args: str, **kwargs: str) -> None:
        """Upgraded: hand everything over to a `ChatPeer`."""
        assert self.ws_connection is not None and self.account is not None and self.session is not None
        stream = self.ws_connection.stream
        assert stream is not None
        if stream.closed():
            return  # it left during the handshake
        wire = Wire(stream, frames_per_second=self.services.settings.frame_rate_limit)
        connection = Connection(
            client_id=str(uuid.uuid4()),
            account=self.account,
            session_id=self.session.id,
            address=self.remote,
            default_room=self.checked_room,
            sink=wire,
        )
        self.ws_connection = None
        ChatPeer(self.services, connection, wire).start(self.since, self.epoch)

    def on_message(self, message: str | bytes) -> None:
        """Never called: the wire reads."""
        raise AssertionError("the wire reads")

    def _check_origin_and_host(self) -> None:
        origins = self.request.headers.get_list("Origin")
        if not self.host_allowed() or len(origins) != 1 or not self.origin_allowed(origins[0]):
            self._refuse(403)

    async def _read_arguments(self) -> None:
        room = self.get_query_arguments("room")
        since, epoch = self.get_query_arguments("since"), self.get_query_arguments("epoch")
        if len(room) > 1 or len(since) > 1 or len(epoch) > 1:
            self._refuse(400)
        if room:
            self.checked_room = room[0]
        try:
            self.since = _number(since[0]) if since else None
            self.epoch = epoch[0] if epoch else None
            check_position(self.since, self.epoch)
        except (ChatError, ValueError):
            self._refuse(400)
        assert self.account is not None
        try:
            if not SLUG.match(self.checked_room):
                self._refuse(404)
            await self.services.chat.find(self.account, self.checked_room)
        except Busy:
            self._refuse(503)
        except ChatError:
            self._refuse(404)

    def _check_counts(self) -> None:
        assert self.account is not None
        settings, connections = self.services.settings, self.services.connections
        of_account, of_address = settings.account_connections, settings.address_connections
        if (
            self.services.full()
            or (of_account and len(connections.of_account(self.account.id)) >= of_account)
            or (of_address and connections.count_of_address(self.remote) >= of_address)
        ):
            self._refuse(429)

    def _check_handshake(self) -> None:
        """What Tornado lets pass: HTTP/1.0, and a key that is not 16 bytes (RFC 6455 section 4.1)."""
        key = self.request.headers.get("Sec-WebSocket-Key")
        if self.request.version != "HTTP/1.1" or (key is not None and not _KEY.fullmatch(key.strip())):
            self._refuse(400)

    def _refuse(self, status: int) -> None:
        self.services.metrics.handshakes.labels(str(status)).inc()
        raise HTTPError(status)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """No page: nobody sees it. Headers are set here, for Tornado drops those set before an error."""
        if status_code == 429:
            self.set_header(
                "Retry-After", str(max(10, math.ceil(self.services.handshakes.peek(self.remote))))
            )
        elif status_code == 503:
            self.set_header("Retry-After", "1")
        elif status_code == 405:
            self.set_header("Allow", "GET")
        self.finish()


def _number(raw: str) -> int:
    """A position of any size, for beyond every head is beyond the head too. Raises ValueError."""
    if not (raw.isascii() and raw.isdigit()):
        raise ValueError(raw)
    return int(raw) if len(raw) <= 16 and int(raw) <= SEQ_LIMIT else SEQ_LIMIT


class ChatPeer:
    """What a connection is after its upgrade: between the wire and the core."""

    __slots__ = ("_connection", "_services", "_wire")

    def __init__(self, services: Services, connection: Connection, wire: Wire) -> None:
        self._services = services
        self._connection = connection
        self._wire = wire

    @property
    def alive(self) -> bool:
        """Whether anything was heard since the last ping."""
        return self._connection.alive

    @alive.setter
    def alive(self, value: bool) -> None:
        self._connection.alive = value

    def start(self, since: int | None, epoch: str | None) -> None:
        """Registers, greets and follows the first room, in this order."""
        connection, services = self._connection, self._services
        services.connections.add(connection)
        log_event(
            _log,
            "connection.open",
            client=connection.client_id,
            account=connection.account.id,
            address=connection.address,
        )
        settings, account = services.settings, connection.account
        connection.tell(
            event_frame(
                SystemFrame(
                    message=f"connected as {account.name}",
                    client_id=connection.client_id,
                    user=UserView(account.id, account.name, account.role),
                    limits=LimitsView(
                        settings.max_message_length,
                        settings.rate_limit,
                        settings.rate_window_seconds,
                        settings.heartbeat_seconds,
                    ),
                )
            )
        )
        if services.state.draining:
            connection.close(1012, "the server restarts")
        else:
            room = services.chat.visible(account, connection.default_room)
            follow(connection, room, since=since, epoch=epoch)
            services.tasks.start(services.unreads.opened(connection))
        self._wire.start(self)

    def on_text(self, text: str) -> None:
        """One event."""
        self._services.chat.handle(self._connection, text)

    def on_drained(self) -> None:
        """The socket takes again."""
        self._connection.drained()

    def on_pong_due(self, pong: bytes) -> None:
        """Answer a ping."""
        self._connection.answer_ping(pong)

    def on_closing(self) -> None:
        """Out of every room before anything else is written."""
        self._connection.closed = True
        self._services.chat.closed(self._connection)

    def on_closed(self, code: int) -> None:
        """Gone: out of every registry."""
        connection, services = self._connection, self._services
        if not connection.closed:
            self.on_closing()
        services.connections.remove(connection)
        services.unreads.closed(connection)
        label = str(code) if code in _KNOWN_CODES else "other"
        services.metrics.closed.labels(label).inc()
        log_event(
            _log, "connection.close", client=connection.client_id, account=connection.account.id, code=code
        )


_KNOWN_CODES = {1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 4401, 4403, 4408, 4429}
