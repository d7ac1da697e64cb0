"""A WebSocket client of a few lines that sends what no client library would, and hides nothing that comes."""

import asyncio
import json
import os
import struct
from typing import Any, Self

from tests.conftest import Site

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def client_frame(
    payload: bytes, opcode: int = TEXT, *, final: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """A frame as a client sends it, or as it must not."""
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    size, bit = len(payload), 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class RawSocket:
    """A connection after its handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, site: Site, cookie: str, query: str = "") -> Self:
        reader, writer = await asyncio.open_connection("localhost", site.app.port)
        writer.write(handshake(site, cookie=cookie, query=query))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(reader, writer)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, **event: Any) -> None:
        self.write(client_frame(json.dumps(event).encode()))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server, which neither masks nor splits one."""
        first, second = await self._reader.readexactly(2)
        assert first & 0xF0 == 0x80 and not second & 0x80
        size = second
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        return first & 0xF, await self._reader.readexactly(size)

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next event of this type with these fields."""
        while True:
            opcode, payload = await self.frame()
            assert opcode != CLOSE, payload
            if opcode == TEXT:
                event: dict[str, Any] = json.loads(payload)
                if event["type"] == kind and all(event.get(key) == value for key, value in fields.items()):
                    return event

    async def pong(self) -> bytes:
        while True:
            opcode, payload = await self.frame()
            assert opcode != CLOSE, payload
            if opcode == PONG:
                return payload

    async def closed(self) -> int:
        """The code of the server's close frame (1005: without one), answered as a client has to."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big") if payload else 1005
                self._writer.write(client_frame(payload[:2], CLOSE))
                assert await self._reader.read() == b""
                self._writer.close()
                return code

    async def leave(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def handshake(
    site: Site, *, cookie: str | None = None, query: str = "", method: str = "GET", version: str = "1.1",
    without: tuple[str, ...] = (), more: tuple[tuple[str, str], ...] = (), **changed: str,
) -> bytes:  # fmt: skip
    """The request of a handshake; `changed` replaces headers, `without` leaves some out, `more` repeats some."""
    headers = {
        "Host": f"localhost:{site.app.port}", "Origin": site.url, "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
    }  # fmt: skip
    if cookie is not None:
        headers["Cookie"] = cookie
    headers.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [f"{method} /chat{'?' + query if query else ''} HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in (*headers.items(), *more) if name not in without]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def answered(site: Site, request: bytes) -> tuple[int, dict[str, str]]:
    """(status, headers) of what comes back; status 0 when the server only closes."""
    reader, writer = await asyncio.open_connection("localhost", site.app.port)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return 0, {}
    finally:
        writer.close()
        await writer.wait_closed()
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines if line)
    return int(status.split()[1]), {name.lower(): value for name, _, value in pairs}


async def raw(site: Site, request: bytes) -> bytes:
    """What comes back for bytes that no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.app.port)
    try:
        writer.write(request)
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()


async def status_of(site: Site, request: str) -> int:
    return (await answered(site, request.replace("\n", "\r\n").encode("latin-1")))[0]


def request_of(site: Site, method: str, path: str, *headers: str, body: str = "") -> str:
    lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{site.app.port}", *headers]
    if body or method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\n".join([*lines, "", body])
