"""The one adapter around Tornado's WebSocket: after the upgrade a slotted `Wire` takes the connection over.

`socket.py` opens it. Tornado does the handshake (`WebSocketProtocol13`); from then on reading, writing and
closing are here, on the socket itself, so that the handler, its request and its stream can go, no task is
needed for a connection and the socket's `send` is called directly (docs/adr/0002). A test holds the private
names of Tornado that are used: `_receive_frame_loop`, `_WebSocketParams`, `_websocket_mask`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol13, _WebSocketParams

from chat_app.protocol import FRAME_LIMIT_BYTES, frame
from chat_app.web.frames import CLOSE, PING, PONG, TEXT, FrameError, FrameReader

READ_BYTES = 4096
UNSENT_LIMIT_BYTES = 65_536
"""What the system may hold for a peer that does not take it; left alone it is up to 4 MiB (tcp_wmem)."""
UNSENT_OPTION = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS
CLOSE_SECONDS = 5.0
"""How long the peer may take to answer a close frame."""

_VALID_CLOSE = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
_log = logging.getLogger(__name__)


class Peer(Protocol):
    """Who hears what a wire brings."""

    alive: bool

    def on_text(self, text: str) -> None:
        """A text message."""

    def on_drained(self) -> None:
        """What was buffered is with the system."""

    def on_pong_due(self, pong: bytes) -> None:
        """A ping came; this frame answers it."""

    def on_closing(self) -> None:
        """Nothing may be written any more."""

    def on_closed(self, code: int) -> None:
        """It is over, for this close code; called once."""


class Upgrade(WebSocketProtocol13):
    """Tornado's handshake; its frame loop is replaced by the wire that `open` made."""

    async def _receive_frame_loop(self) -> None:
        return


def upgrade_protocol(handler: WebSocketHandler) -> WebSocketProtocol13 | None:
    """What `get_websocket_protocol` returns: version 13 only, no compression (24 to 95 KB a connection)."""
    if handler.request.headers.get("Sec-WebSocket-Version") != "13":
        return None
    params = _WebSocketParams(
        ping_interval=None, ping_timeout=None, max_message_size=FRAME_LIMIT_BYTES, compression_options=None
    )
    return Upgrade(handler, False, params)


class Wire:
    """An open WebSocket on a socket; a `core.connection.Sink`."""

    __slots__ = (
        "_buffered", "_close_code", "_close_timer", "_deaf", "_loop", "_peer", "_progress", "_reader",
        "_socket", "_waiting", "offer",
    )  # fmt: skip

    def __init__(self, stream: IOStream, *, frames_per_second: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._peer: Peer | None = None
        self._reader = FrameReader(frames_per_second=frames_per_second, monotonic=time.monotonic)
        self._waiting: deque[memoryview] | None = None
        self._buffered = 0
        self._progress = time.monotonic()
        self._close_code = 0
        self._close_timer: asyncio.TimerHandle | None = None
        self._deaf = False
        self._socket, early = _take_over(stream)
        self.offer: Callable[[bytes], int] = self._socket.send
        if early:
            self._loop.call_soon(self._hear, early)

    def start(self, peer: Peer) -> None:
        """From now on `peer` hears what comes."""
        self._peer = peer
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._on_readable)

    # -- Sink --------------------

    def buffer(self, data: memoryview) -> None:
        """Keeps what the system did not take until it does."""
        self._progress = time.monotonic()
        if self._socket.fileno() < 0:
            return
        if self._waiting is None:
            self._waiting = deque()
            self._loop.add_writer(self._socket.fileno(), self._on_writable)
        self._waiting.append(data)
        self._buffered += len(data)

    def progress(self) -> float:
        """When the system last took something."""
        return self._progress

    def sweep(self) -> None:
        """A message in fragments has to be finished some time."""
        if self._reader.stale(time.monotonic()):
            self.close(1008, "a message was not finished")

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame, behind what is buffered; the peer has 5 s to answer."""
        if self._peer is None or self._close_code:
            return
        self._close_code = code
        self._peer.on_closing()
        payload = b"" if code == 1005 else struct.pack("!H", code) + reason.encode()[:120]
        self._write_last(frame(payload, opcode=CLOSE))
        self._close_timer = self._loop.call_later(CLOSE_SECONDS, self._shut)
        if code == 4408:
            self._end()  # whoever does not read will not answer: the core forgets it now

    def abort(self) -> None:
        """Ends it at once, without a close frame."""
        self._close_code = self._close_code or 1006
        self._shut()

    # -- reading --------------------

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._hear(data)
        else:
            self._shut()

    def _hear(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._peer is not None:
            self._peer.alive = True
        try:
            for opcode, payload in self._reader.feed(data):
                self._take(opcode, payload)
        except FrameError as error:
            self._fail(error.code, error.reason)
        except Exception:
            # Nobody foresaw it: logged once, this connection ends, its neighbours go on.
            _log.exception("connection failed")
            self._fail(1011, "internal error")

    def _fail(self, code: int, reason: str) -> None:
        """After a failed frame nothing can be understood any more, not even the peer's close frame.

        The end of what is sent tells the peer that all is said (RFC 6455 section 7.1.1). What still comes is
        read and dropped: closing over it would reset the line before the close frame has arrived.
        """
        self._deaf = True
        self.close(code, reason)
        if not self._buffered:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self._on_close_frame(payload)
        elif self._close_code or self._peer is None:
            return  # closing: what still comes is not heard
        elif opcode == TEXT:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                raise FrameError(1007, "invalid UTF-8") from None
            self._peer.on_text(text)
        elif opcode == PING:
            self._peer.on_pong_due(frame(payload, opcode=PONG))

    def _on_close_frame(self, payload: bytes) -> None:
        if self._close_code:  # the answer to ours
            self._shut()
            return
        code = 1005
        if payload:
            code = int.from_bytes(payload[:2], "big")
            if len(payload) == 1 or not (code in _VALID_CLOSE or 3000 <= code <= 4999):
                raise FrameError(1002, "bad close code")
            try:
                payload[2:].decode()
            except UnicodeDecodeError:
                raise FrameError(1007, "invalid UTF-8") from None
        self.close(code, "")
        if not self._buffered:
            self._shut()

    # -- writing --------------------

    def _write_last(self, data: bytes) -> None:
        if not self._buffered:
            try:
                taken = self.offer(data)
            except BlockingIOError:
                taken = 0
            except OSError:
                return
            if taken == len(data):
                return
            data = data[taken:]
        self.buffer(memoryview(data))

    def _on_writable(self) -> None:
        waiting = self._waiting
        assert waiting is not None
        try:
            while waiting:
                taken = self._socket.send(waiting[0])
                self._progress = time.monotonic()
                self._buffered -= taken
                if taken < len(waiting[0]):
                    waiting[0] = waiting[0][taken:]
                    return
                waiting.popleft()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._shut()
            return
        self._waiting = None
        self._loop.remove_writer(self._socket.fileno())
        if self._peer is not None and not self._close_code:
            self._peer.on_drained()

    # -- the end --------------------

    def _shut(self) -> None:
        """Closes the socket, whatever is still buffered."""
        descriptor = self._socket.fileno()
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
            self._socket.close()
        self._waiting = None
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._end()

    def _end(self) -> None:
        peer, self._peer = self._peer, None
        if peer is not None:
            peer.on_closed(self._close_code or 1006)


def _take_over(stream: IOStream) -> tuple[socket.socket, bytes]:
    """The connection without its stream, and what the stream had read already.

    A stream with its buffers and futures costs 4 KiB and 30 µs a message (docs/performance.md). Closing it
    closes its own descriptor only: the one made here is another of the same connection.
    """
    early = b""
    try:
        while not stream.closed():
            future = asyncio.ensure_future(stream.read_bytes(READ_BYTES, partial=True))
            if not future.done():
                future.cancel()
                break
            early += future.result()
    except StreamClosedError:
        pass
    if stream.closed() or stream.writing():
        taken = socket.socket()  # gone already: its first reading tells
    else:
        taken = socket.socket(fileno=os.dup(stream.socket.fileno()))
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if UNSENT_OPTION is not None:
            taken.setsockopt(socket.IPPROTO_TCP, UNSENT_OPTION, UNSENT_LIMIT_BYTES)
    taken.setblocking(False)
    stream.close()
    return taken, early
