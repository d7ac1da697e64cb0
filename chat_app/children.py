"""A process that the supervisor started, and the supervisor's end of the line to it (see `worker`).

`supervisor` decides what to do with it; nothing here starts anything again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from chat_app.web.control import ControlError
from chat_app.worker import LINE_LIMIT, VARIABLE


class NotTaken(Exception):
    """The process ended before it began with what it was asked: another one may be asked."""


def own_command() -> Sequence[str]:
    """How this process was started, without its arguments: run.py installs what an upgrade needs."""
    if getattr(sys.modules["__main__"], "__spec__", None) is not None:
        return (sys.executable, "-m", "chat_app")
    return (sys.executable, str(Path(sys.argv[0]).absolute()))


class Child:
    """Started by `start`; `opened`, `serving` and `over` are set as it goes on."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.opened = asyncio.Event()
        self.serving = asyncio.Event()
        self.over = asyncio.Event()
        self.code = 0
        self.started = asyncio.get_running_loop().time()
        self._process = process
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._taken: set[int] = set()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._wait())]

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], listener: socket.socket
    ) -> Self:
        """Raises OSError. Signals of a terminal reach the supervisor alone."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), listener.fileno()),
                    env={**environment, VARIABLE: f"{theirs.fileno()},{listener.fileno()}"},
                    process_group=0,
                )
            ours.setblocking(False)
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LINE_LIMIT)
        except BaseException:
            ours.close()
            raise
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        """Of the process, also when it has ended."""
        return self._process.pid

    def order(self, order: str) -> None:
        """Tells it; one that has ended does not hear it."""
        self._say({"order": order})

    async def reached(self, event: asyncio.Event) -> bool:
        """Waits for one of its events; False when it ended before."""
        waits = [asyncio.ensure_future(each.wait()) for each in (event, self.over)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return not self.over.is_set()

    async def ask(self, command: str, arguments: Mapping[str, object]) -> object:
        """The result of a command. Raises ControlError with its refusal, NotTaken."""
        if self.over.is_set():
            raise NotTaken
        number = next(self._numbers)
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        self._say({"id": number, "command": command, "arguments": dict(arguments)})
        try:
            answer = await future
        finally:
            del self._answers[number]
            self._taken.discard(number)
        if not answer["ok"]:
            raise ControlError(answer["error"])
        result: object = answer["result"]
        return result

    async def ended(self, seconds: float) -> bool:
        """Waits for its end; False when it had to be killed."""
        try:
            async with asyncio.timeout(seconds):
                await self.over.wait()
        except TimeoutError:
            self.kill()
            await self.over.wait()
            return False
        return True

    def kill(self) -> None:
        """At once, whatever it does."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _wait(self) -> None:
        self.code = await self._process.wait()
        await self._tasks[0]  # what it said last
        self._writer.close()
        for number, future in self._answers.items():
            if not future.done():
                future.set_exception(_unanswered() if number in self._taken else NotTaken())
        self.over.set()

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except ConnectionError:
            pass  # it has ended
        except ValueError:  # whatever that was: nobody can talk to it
            self.kill()

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"event": "opened"}:
                self.opened.set()
            case {"event": "serves"}:
                self.serving.set()
            case {"id": number, "taken": True}:
                self._taken.add(number)
            case {"id": number}:
                if (future := self._answers.get(number)) is not None and not future.done():
                    future.set_result(message)

    def _say(self, message: dict[str, object]) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")


def _unanswered() -> ControlError:
    return ControlError("The process ended before it answered; look whether it is done.")
