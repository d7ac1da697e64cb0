"""A TCP proxy between clients and the server that cuts, delays, swallows and half-opens.

`Proxy` stands for the network: a test turns its knobs for all lines at once, or gives `script`, which decides
what happens to each new line. Bytes are cut anywhere, so mostly in the middle of a frame.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

CHUNK_BYTES = 1024


@dataclass
class Fate:
    """What happens to one line."""

    cut_after_bytes: int | None = None
    """From the server; then it is reset, in the middle of whatever was on its way."""
    cut_after_seconds: float | None = None
    delay_seconds: float = 0.0
    """For each piece towards the client."""
    swallow_to_client_after_bytes: int | None = None
    """From then on nothing reaches the client, though the line looks open."""
    swallow_to_server_after_bytes: int | None = None
    half_open_after_bytes: int | None = None
    """The server's side is reset, the client's side stays open and silent."""


class Proxy:
    """`async with Proxy(target) as proxy:` - listens on `proxy.address`; `target` is asked for each line."""

    def __init__(self, target: Callable[[], tuple[str, int]], script: Callable[[], Fate] = Fate) -> None:
        self._target = target
        self.script = script
        self.swallowing = False
        """While it is set no line passes anything on in either direction, though all look open."""
        self.lines = 0
        self.cuts = 0
        self._open: set[_Line] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK_BYTES)
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut_all()
        await self._server.wait_closed()

    @property
    def address(self) -> tuple[str, int]:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    def cut_all(self) -> None:
        """Every line is reset now."""
        for line in list(self._open):
            line.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines += 1
        try:
            server = await asyncio.open_connection(*self._target(), limit=CHUNK_BYTES)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(self.script(), (reader, writer), server, lambda: self.swallowing)
        self._open.add(line)
        try:
            await line.run()
        finally:
            self._open.discard(line)
            self.cuts += line.was_cut


class _Line:
    """One connection through the proxy."""

    def __init__(
        self,
        fate: Fate,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        swallowing: Callable[[], bool],
    ) -> None:
        self._fate = fate
        self._client_reader, self._client = client
        self._server_reader, self._server = server
        self._swallowing = swallowing
        self.was_cut = False

    def cut(self) -> None:
        self.was_cut = True
        self._client.transport.abort()
        self._server.transport.abort()

    async def run(self) -> None:
        fate = self._fate
        timer = None
        if fate.cut_after_seconds is not None:
            timer = asyncio.get_running_loop().call_later(fate.cut_after_seconds, self.cut)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._to_server())
                both.create_task(self._to_client())
        finally:
            if timer is not None:
                timer.cancel()
            self._client.transport.abort()
            self._server.transport.abort()

    async def _to_server(self) -> None:
        passed = 0
        while data := await _read(self._client_reader):
            passed += len(data)
            limit = self._fate.swallow_to_server_after_bytes
            if (limit is None or passed <= limit) and not self._swallowing():
                await _write(self._server, data)
        self._server.transport.abort()  # a browser that goes takes the whole line along

    async def _to_client(self) -> None:
        fate, passed = self._fate, 0
        while data := await _read(self._server_reader):
            if fate.delay_seconds:
                await asyncio.sleep(fate.delay_seconds)
            if fate.cut_after_bytes is not None and passed + len(data) >= fate.cut_after_bytes:
                self._client.write(data[: fate.cut_after_bytes - passed])
                await asyncio.sleep(0)
                self.was_cut = True
                self._server.transport.abort()
                self._client.close()  # what was written still arrives: the frame ends in its middle
                return
            passed += len(data)
            if fate.half_open_after_bytes is not None and passed >= fate.half_open_after_bytes:
                self.was_cut = True
                self._server.transport.abort()
                return  # and the client is told nothing
            limit = fate.swallow_to_client_after_bytes
            if (limit is None or passed <= limit) and not self._swallowing():
                await _write(self._client, data)
        if fate.half_open_after_bytes is None:
            self._client.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(CHUNK_BYTES)
    except OSError:
        return b""


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    try:
        writer.write(data)
        await writer.drain()
    except OSError:
        return


def misfortune(chance: random.Random) -> Callable[[], Fate]:
    """A script in which every line meets something, and none of them soon enough to keep all from working."""

    def fate() -> Fate:
        kind = chance.choice(["cut", "cut", "swallow to client", "swallow to server", "half-open", "delay"])
        at = chance.randrange(600, 40_000)
        match kind:
            case "cut":
                return Fate(cut_after_bytes=at)
            case "swallow to client":
                return Fate(swallow_to_client_after_bytes=at, cut_after_seconds=chance.uniform(0.5, 2))
            case "swallow to server":
                after = chance.randrange(500, 5_000)
                return Fate(swallow_to_server_after_bytes=after, cut_after_seconds=chance.uniform(0.5, 2))
            case "half-open":
                return Fate(half_open_after_bytes=at)
        return Fate(delay_seconds=chance.uniform(0, 0.02), cut_after_seconds=chance.uniform(0.5, 2))

    return fate
