"""WebSocket frames from bytes (RFC 6455 section 5), without a socket: `wire.py` feeds it, tests too.

It fails a connection where Tornado 6.6 lets it go on: unmasked frames, floods of control or empty frames,
messages that never finish. What is not finished is bounded by the size of one message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tornado.util import _websocket_mask

from chat_app.protocol import FRAME_LIMIT_BYTES

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CONTROL_FLOOD = 50
"""Control or empty frames in a second; nobody who means well sends more."""
FRAGMENT_SECONDS = 30.0
"""A message in fragments has to be finished within this."""


class FrameError(Exception):
    """The connection has failed: close it with `code` (RFC 6455 section 7.4.1 or the contract's)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameReader:
    """Turns chunks into (opcode, payload) of whole messages and control frames."""

    __slots__ = (
        "_controls", "_fragment_opcode", "_fragments", "_frames", "_limit", "_monotonic", "_rest", "_second",
        "_started",
    )  # fmt: skip

    def __init__(self, *, frames_per_second: int, monotonic: Callable[[], float]) -> None:
        self._rest = b""
        self._fragments: bytearray | None = None
        self._fragment_opcode = 0
        self._limit = frames_per_second
        self._monotonic = monotonic
        self._second = 0.0
        self._frames = self._controls = 0
        self._started = 0.0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that `chunk` completes. Raises `FrameError`; nothing may be fed after that."""
        if self._rest:
            chunk = self._rest + chunk
            self._rest = b""
        start, size = 0, len(chunk)
        while size - start >= 2:
            header = self._header(chunk, start, size)
            if header is None:
                break
            first, body, length = header
            end = body + 4 + length
            if end > size:
                break
            payload = _websocket_mask(chunk[body : body + 4], chunk[body + 4 : end])
            start = end
            self._count(first & 0xF, length)
            message = self._assemble(first, payload)
            if message is not None:
                yield message
        self._rest = chunk[start:] if start < size else b""

    def stale(self, now: float) -> bool:
        """Whether a message in fragments was begun too long ago."""
        return self._fragments is not None and now - self._started > FRAGMENT_SECONDS

    def _header(self, chunk: bytes, start: int, size: int) -> tuple[int, int, int] | None:
        """(first byte, where the mask begins, payload length), or None when it is not all there."""
        first, second = chunk[start], chunk[start + 1]
        opcode, length, body = first & 0xF, second & 0x7F, start + 2
        if first & 0x70:
            raise FrameError(1002, "reserved bits")
        if opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
            raise FrameError(1002, "reserved opcode")
        if not second & 0x80:
            raise FrameError(1002, "unmasked frame")  # section 5.1
        if opcode & 8 and (length > 125 or not first & 0x80):
            raise FrameError(1002, "control frame too long or in fragments")  # section 5.5
        if opcode == 0 and self._fragments is None:
            raise FrameError(1002, "nothing to continue")
        if opcode in (TEXT, BINARY) and self._fragments is not None:
            raise FrameError(1002, "a message inside another")
        if length >= 126:
            width = 2 if length == 126 else 8
            if size - body < width:
                return None
            length = int.from_bytes(chunk[body : body + width], "big")
            body += width
        if opcode == BINARY:
            raise FrameError(1003, "text messages only")
        if not opcode & 8 and length + len(self._fragments or b"") > FRAME_LIMIT_BYTES:
            raise FrameError(1009, "message too big")
        return first, body, length

    def _count(self, opcode: int, length: int) -> None:
        now = self._monotonic()
        if now - self._second >= 1:
            self._second, self._frames, self._controls = now, 0, 0
        self._frames += 1
        if opcode & 8 or not length:
            self._controls += 1
            if self._controls > CONTROL_FLOOD:
                raise FrameError(1008, "flood of control or empty frames")
        if self._limit and self._frames > self._limit:
            raise FrameError(4429, "too many frames")

    def _assemble(self, first: int, payload: bytes) -> tuple[int, bytes] | None:
        opcode, final = first & 0xF, first & 0x80
        if opcode & 8 or (final and opcode):
            return opcode, payload
        if self._fragments is None:
            self._fragments, self._fragment_opcode = bytearray(), opcode
            self._started = self._monotonic()
        self._fragments += payload
        if not final:
            return None
        message, self._fragments = bytes(self._fragments), None
        return self._fragment_opcode, message
