"""A client of one room as docs/protocol.md describes it: position, outbox, nonces, resuming, a watch for silence.

It speaks WebSocket itself (RFC 6455), so that a test can stop reading, or leave in the middle of a frame. All it
applies goes on a `Tape`, which `checker.py` judges; it drops and repairs nothing that the algorithm does not.
"""

import asyncio
import base64
import itertools
import json
import os
import random
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from tests.faults.checker import Record, Tape

HOST = "chat.test"
ORIGIN = f"http://{HOST}"
OPENING_SECONDS = 10.0
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
Address = Callable[[], tuple[str, int]]


class Refused(Exception):
    """The handshake was answered with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with {status}")
        self.status = status


class Closed(Exception):
    """The line ended; `code` is the close code, 1006 without a close frame."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A masked frame; a mask of zeros is one too (section 5.3)."""
    if len(payload) < 126:
        return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload
    return bytes((0x80 | opcode, 0x80 | 126)) + len(payload).to_bytes(2, "big") + bytes(4) + payload


def handshake(path: str, cookie: str) -> bytes:
    """The request that opens a socket."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1", f"Host: {HOST}", f"Origin: {ORIGIN}", f"Cookie: {cookie}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode()


class Line:
    """An open WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._rest = b""
        self._close_code: int | None = None

    @classmethod
    async def open(cls, address: tuple[str, int], path: str, cookie: str, *, buffer_bytes: int = 0) -> Self:
        """Raises `Refused`, `Closed` and OSError; `buffer_bytes` keeps the system's receive buffer small."""
        endpoint = socket.socket()
        try:
            endpoint.setblocking(False)
            if buffer_bytes:
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            await asyncio.get_running_loop().sock_connect(endpoint, address)
            reader, writer = await asyncio.open_connection(sock=endpoint, limit=buffer_bytes or 65536)
        except BaseException:
            endpoint.close()
            raise
        writer.write(handshake(path, cookie))
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()
            raise Closed(1006) from None
        except BaseException:
            writer.transport.abort()
            raise
        status = int(head.split(b" ", 2)[1])
        if status != 101:
            writer.transport.abort()
            raise Refused(status)
        return cls(reader, writer)

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        """Raises `Closed` when the line is gone."""
        if self.writer.transport.is_closing():
            raise Closed(1006)
        self.writer.write(frame(payload, opcode))

    async def frames(self) -> AsyncIterator[list[dict[str, Any]]]:
        """What comes, as far as it is whole; ends by raising `Closed`."""
        while True:
            try:
                data = await self.reader.read(65536)
            except OSError:
                data = b""
            if not data:
                raise Closed(1006)
            yield [json.loads(payload) for payload in self._messages(self._rest + data)]
            if self._close_code is not None:
                raise Closed(self._close_code)

    def _messages(self, data: bytes) -> list[bytes]:
        found, start = [], 0
        while len(data) - start >= 2:
            length, body = data[start + 1], start + 2
            if length >= 126:
                width = 2 if length == 126 else 8
                length, body = int.from_bytes(data[body : body + width], "big"), body + width
            if len(data) < body + length:
                break
            opcode, payload, start = data[start] & 0xF, data[body : body + length], body + length
            if opcode == TEXT:
                found.append(payload)
            elif opcode == PING:
                self.send(payload, PONG)
            elif opcode == CLOSE:
                self._close_code = int.from_bytes(payload[:2], "big") if payload else 1005
                self.writer.write(frame(payload, CLOSE))
                break
        self._rest = data[start:]
        return found

    def abort(self) -> None:
        """Gone at once, whatever was on its way."""
        self.writer.transport.abort()


@dataclass
class Member:
    """Follows one room until it is stopped, over as many lines as that takes."""

    name: str
    room: str
    cookie: str
    address: Address
    record: Record
    chance: random.Random
    pause_seconds: tuple[float, float] = (0.0, 0.1)
    """The random pause before the next try after a line that was open, and the ceiling it doubles to."""
    silence_seconds: float = 0.0
    """2.5 heartbeats without a frame: the line is dead; 0 does not watch."""
    buffer_bytes: int = 0
    position: int | None = None
    epoch: str = ""
    outbox: dict[str, str] = field(default_factory=dict)
    """Nonce to text, in the order they were typed."""
    line: Line | None = None
    opened: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    """Handshakes refused, by status."""
    closed: dict[int, int] = field(default_factory=dict)
    """Lines ended, by close code."""
    errors: dict[str, int] = field(default_factory=dict)
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: it is connected and does not read."""
    on_try: Callable[[], None] = lambda: None
    on_settled: Callable[[str], None] = lambda nonce: None
    on_applied: Callable[[dict[str, Any]], None] = lambda message: None
    """Every message, of whomever, that was put into the view."""

    def __post_init__(self) -> None:
        self.tape: Tape = self.record.tape(self.name, self.room)
        self.reading.set()
        self._changed = asyncio.Event()
        self._resuming = False
        self._caught_up = False
        self._held_until = 0.0
        self._nonces = itertools.count(1)
        self._task: asyncio.Task[None] | None = None

    # -- what a test does --------------------

    def start(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error

    def post(self, text: str) -> str:
        """Typed: into the outbox, and to the server when there is a line."""
        nonce = f"{self.name}-{next(self._nonces)}"
        self.outbox[nonce] = text
        self.record.typed(nonce, self.room, text)
        if self._caught_up:
            self._send(nonce)
        return nonce

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for it, looking again after every frame and every line."""
        assert self._task is not None
        while not condition():
            if self._task.done():
                await self._task
            self._changed.clear()
            changed = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait({changed, self._task}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()

    # -- the algorithm --------------------

    async def _run(self) -> None:
        low, ceiling = self.pause_seconds
        attempt = 0
        while True:
            opened = self.opened
            try:
                await self._stay()
            except Refused as refusal:
                self.refused[refusal.status] = self.refused.get(refusal.status, 0) + 1
            except Closed as end:
                self.closed[end.code] = self.closed.get(end.code, 0) + 1
            except (OSError, TimeoutError):
                pass
            finally:
                if self.line is not None:
                    self.line.abort()
                self.line, self._caught_up = None, False
                self._changed.set()
            attempt = 0 if self.opened > opened else attempt + 1
            await asyncio.sleep(self.chance.uniform(0, max(low, min(ceiling, 0.05 * 2 ** min(attempt, 10)))))

    async def _stay(self) -> None:
        """One line, from the handshake to its end."""
        self._resuming = False
        path = f"/chat?room={self.room}"
        if self.position is not None:
            path += f"&since={self.position}&epoch={self.epoch}"
        self.on_try()
        async with asyncio.timeout(OPENING_SECONDS):
            self.line = await Line.open(self.address(), path, self.cookie, buffer_bytes=self.buffer_bytes)
        self.opened += 1
        self.tape.opened()
        frames = self.line.frames()
        while True:
            await self.reading.wait()
            async with asyncio.timeout(self.silence_seconds or None):
                found = await anext(frames)
            for each in found:
                self._take(each)
            self._changed.set()

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "history":
            self._history(event)
        elif kind == "ack":
            self.record.acknowledged(event["nonce"], self.room, event["id"], event["seq"])
            self._settled(event["nonce"])
        elif kind == "error":
            self._error(event)
        elif kind == "heartbeat":
            if event["heads"].get(self.room, 0) > (self.position or 0):
                self._join()
        elif kind != "read" and "seq" in event and "message" in event:
            self._change(event)

    def _history(self, event: dict[str, Any]) -> None:
        self.position, self.epoch = event["seq"], event["epoch"]  # moved before anything else is done
        self._resuming = event["more"]
        self.tape.history(event["mode"], event["messages"], event["seq"], event["epoch"])
        for message in event["messages"]:
            self._settle(message)
        if not event["more"] and not self._caught_up:
            self._caught_up = True
            for nonce in list(self.outbox):  # the outcome is unknown: the same nonce again
                self._send(nonce)

    def _change(self, event: dict[str, Any]) -> None:
        seq = event["seq"]
        if self.position is None or seq > self.position + 1:
            self.tape.gaps += 1
            self._join()
        elif seq <= self.position:
            self.tape.stale += 1
        else:
            self.position = seq
            self.tape.change(event["type"], event["message"], seq)
            self._settle(event["message"])

    def _settle(self, message: dict[str, Any]) -> None:
        self.on_applied(message)
        if message.get("nonce", "").startswith(self.name + "-"):
            self._settled(message["nonce"])

    def _settled(self, nonce: str) -> None:
        self.outbox.pop(nonce, None)
        self.on_settled(nonce)

    def _error(self, event: dict[str, Any]) -> None:
        self.errors[event["code"]] = self.errors.get(event["code"], 0) + 1
        nonce = event.get("nonce")
        if nonce in self.outbox and event["code"] in ("busy", "rate_limited"):
            asyncio.get_running_loop().call_later(event["retryAfter"], self._send_again, nonce)

    def _send_again(self, nonce: str) -> None:
        if self._caught_up and nonce in self.outbox:
            self._send(nonce)

    def _send(self, nonce: str) -> None:
        event = {"type": "message", "room": self.room, "text": self.outbox[nonce], "nonce": nonce}
        self._say(event)

    def _join(self) -> None:
        if not self._resuming:
            self._resuming = True
            self._say({"type": "join", "room": self.room, "since": self.position, "epoch": self.epoch})

    def _say(self, event: dict[str, Any]) -> None:
        try:
            if self.line is not None:
                self.line.send(json.dumps(event).encode())
        except Closed:
            pass  # reading hears of it, and the next line sends it again
