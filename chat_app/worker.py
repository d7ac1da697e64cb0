"""One of several processes that share a port: its end of the line to the supervisor that started it.

`commands.serve` finds out with `inherited` whether it is one, and `app.open_app` says how far it has come. A
line is a JSON object. The supervisor may be of an older version than this process: after an upgrade it stays.

    supervisor → worker    {"order": "listen" | "unready" | "leave" | "drain"}
                           {"id": 1, "command": "user.list", "arguments": {}}
    worker → supervisor    {"event": "opened" | "serves"}
                           {"id": 1, "taken": true} and then {"id": 1, "ok": …} as the control socket answers
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chat_app.data_folder import SOCKET_FILE
from chat_app.listening import Listener
from chat_app.settings import SettingsError
from chat_app.web.control import Dispatch, answered
from chat_app.web.control_client import CommandRefused, NoServer, ask

VARIABLE = "CHAT_WORKER"
"""Descriptors of the line and the listener. A process that was not started by its maker refuses it."""
LINE_LIMIT = 64 * 1024 * 1024  # bytes; a list of accounts is long
METRICS_SECONDS = 5.0


class Dismissed(Exception):
    """It is to end before it ever served."""


class Worker:
    """Entered for as long as the process serves: `async with worker.attached(stop): …`."""

    def __init__(self, channel: socket.socket, listener: Listener) -> None:
        self.listener = listener
        self.leaving = False
        """Another process has the same listener: what is not accepted yet is not lost."""
        self._channel = channel
        self._may_listen = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_unready: Callable[[], None] = lambda: None
        self._dispatch: Dispatch | None = None

    @classmethod
    def inherited(cls, environment: MutableMapping[str, str]) -> Self | None:
        """None for a process that was started by a person. Raises SettingsError for one that pretends."""
        text = environment.pop(VARIABLE, "")
        if not text:
            return None
        try:
            line, listener = map(int, text.split(","))
            channel = socket.socket(fileno=line)
            if _maker(channel) == os.getppid():
                return cls(channel, Listener(fileno=listener))
            channel.detach()  # it is somebody's
        except (ValueError, OSError):
            pass
        raise SettingsError(f"{VARIABLE} is for the processes that --processes starts itself; unset it.")

    def attached(self, stop: asyncio.Event) -> Self:
        """Sets `stop` when it is told to end, and when the supervisor is gone."""
        self._stop = stop
        return self

    async def __aenter__(self) -> Self:
        self._channel.setblocking(False)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._channel, limit=LINE_LIMIT)
        self._start(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()

    async def opened(self, dispatch: Dispatch, on_unready: Callable[[], None]) -> None:
        """All is open but the listener; returns when it may listen. Raises `Dismissed`."""
        self._dispatch, self._on_unready = dispatch, on_unready
        self._say({"event": "opened"})
        waits = [asyncio.ensure_future(event.wait()) for event in (self._may_listen, self._stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self._stop.is_set():
            raise Dismissed

    def serves(self) -> None:
        """It listens."""
        self._say({"event": "serves"})

    async def metrics(self, folder: Path) -> bytes | None:
        """The metrics of all processes, from the supervisor; None when it does not answer."""
        try:
            page = await asyncio.to_thread(
                ask, folder / SOCKET_FILE, "metrics", {}, timeout_seconds=METRICS_SECONDS
            )
        except (NoServer, CommandRefused, OSError):
            return None
        assert isinstance(page, str)
        return page.encode()

    async def _read(self) -> None:
        try:
            with suppress(ConnectionError):
                while line := await self._reader.readline():
                    self._take(json.loads(line))
        finally:
            self._obey("leave")  # the supervisor is gone: the port is free for the next one at once

    def _take(self, message: dict[str, Any]) -> None:
        if "order" in message:
            self._obey(message["order"])
        else:
            self._start(self._answer(message["id"], message["command"], message["arguments"]))

    def _obey(self, order: str) -> None:
        match order:
            case "listen":
                self._may_listen.set()
            case "unready":
                self._on_unready()
            case "leave" | "drain":
                self.leaving = order == "leave"
                self._stop.set()

    async def _answer(self, number: int, command: str, arguments: dict[str, object]) -> None:
        assert self._dispatch is not None, "nothing is asked before all is open"
        self._say({"id": number, "taken": True})
        self._say({"id": number, **await answered(self._dispatch, command, arguments)})

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _say(self, message: dict[str, object]) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")


def _maker(channel: socket.socket) -> int:
    """The process that made a pair of sockets (unix(7), SO_PEERCRED)."""
    maker: int = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return maker
