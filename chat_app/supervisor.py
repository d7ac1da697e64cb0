"""Several processes on one port (`--processes N`): starts them, starts again who dies, ends or replaces them.

`commands.serve` runs it. It binds the port for all and holds the data folder and the control socket, but
serves nobody: a fault in what people send cannot reach it. docs/adr/0013 tells why it is as it is.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence

from chat_app.children import Child, NotTaken, own_command
from chat_app.data_folder import DataLock
from chat_app.listening import Listener, bind, claim, shown
from chat_app.logs import log_event
from chat_app.metrics import merged
from chat_app.settings import Settings, SettingsError, as_environment
from chat_app.web.control import ControlError, ControlServer

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""Before a process that died is started again; the pause doubles from one to the other."""
STEADY_SECONDS = 60.0
"""Who lived as long begins with the first pause."""
SHARED_SECONDS = 3.0
"""In this time every process has been told to end, the next one as soon as the one before has ended."""
END_SECONDS = 26.0
"""A process that was told to end (it takes 25 s at most) is killed after it. 29 s in all."""
LEAVE_SECONDS = 30.0
"""The same for one that first answers who was accepted."""
ANSWER_SECONDS = 10.0
"""A command waits so long for a process that takes it."""
METRICS_SECONDS = 2.0
UNUSABLE = 2
"""Exit code of a process that has said what keeps it from starting."""

_log = logging.getLogger(__name__)


def check(settings: Settings) -> None:
    """Raises SettingsError when several processes cannot work on this database."""
    title = f"CHAT_PROCESSES (--processes): {settings.processes} processes"
    if settings.database_url.startswith("sqlite:"):
        raise SettingsError(
            f"{title} need PostgreSQL and Redis, for one process alone writes a SQLite file; "
            "set DATABASE_URL and REDIS_URL."
        )
    if settings.redis_url is None:
        raise SettingsError(f"{title} tell each other over Redis what happens; set REDIS_URL.")


class Slot:
    """The place of one process: who serves there changes, the listener stays, and with it who waits in it."""

    def __init__(self, number: int, listener: Listener) -> None:
        self.number = number
        self.listener = listener
        self.child: Child | None = None
        self.ready = asyncio.Event()
        """Somebody has served here."""
        self.lock = asyncio.Lock()
        """Held by who puts another process there."""


class Supervisor:
    """`run` returns the exit code; `end` and `replace` are for signals."""

    def __init__(
        self,
        settings: Settings,
        *,
        flags: Mapping[str, object],
        environment: Mapping[str, str],
        announce: Callable[[str], None],
        command: Sequence[str] | None = None,
    ) -> None:
        self._settings = settings
        self._flags, self._variables = flags, environment
        self._announce = announce
        self._command = command or (*own_command(), "serve")
        self._environment: dict[str, str] = {}
        self._slots: list[Slot] = []
        self._claim: socket.socket | None = None
        self._children: list[Child] = []
        self._end = asyncio.Event()
        self._replace = asyncio.Event()
        self._hurried: int | None = None

    def end(self, number: int = signal.SIGTERM) -> None:
        """Ends one process after the other; when it is called again, all at once."""
        if self._end.is_set():
            self._hurried = number
            self._kill()
        self._end.set()

    def replace(self) -> None:
        """Puts a new process in the place of each, one after the other. Nobody is refused meanwhile."""
        self._replace.set()

    async def run(self) -> int:
        """Serves until it is ended. Raises SettingsError, OSError (the port)."""
        with DataLock(self._settings.data):
            try:
                port = self._bind()
                self._environment = as_environment(self._flags, self._variables, port=port, processes=1)
                async with ControlServer(self._settings.data, self._dispatch):
                    return await self._run(port)
            finally:
                self._kill()
                await asyncio.gather(*(child.over.wait() for child in self._children))
                for slot in self._slots:
                    slot.listener.close()
                if self._claim is not None:
                    self._claim.close()

    def _bind(self) -> int:
        first = bind(self._settings.address, self._settings.port, share=True)
        self._slots.append(Slot(1, first))
        self._claim = claim(first)
        port = int(first.getsockname()[1])
        for number in range(2, self._settings.processes + 1):
            self._slots.append(Slot(number, bind(self._settings.address, port, join=True)))
        return port

    async def _run(self, port: int) -> int:
        work = asyncio.create_task(self._work(port))
        end = asyncio.create_task(self._end.wait())
        await asyncio.wait((work, end), return_when=asyncio.FIRST_COMPLETED)
        end.cancel()
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        clean = await self._end_all()
        return 128 + self._hurried if self._hurried is not None else 0 if clean else 2

    async def _work(self, port: int) -> int:
        """Returns when the start failed, else goes on for ever."""
        for slots in (
            self._slots[:1],
            self._slots[1:],
        ):  # one alone: what keeps it from starting is said once
            if any(await asyncio.gather(*map(self._open, slots))):
                return 2
        for line in await self._setup_lines():
            self._announce(line)
        async with asyncio.TaskGroup() as group:
            for slot in self._slots:
                assert slot.child is not None
                group.create_task(self._listen(slot, slot.child))
                group.create_task(self._keep(slot))
            await asyncio.gather(*(slot.ready.wait() for slot in self._slots))
            self._announce(f"Roomlog serves on {shown(self._settings.address, port)}")
            while True:
                await self._replace.wait()
                self._replace.clear()
                await self._replace_all()

    async def _open(self, slot: Slot) -> int:
        """Starts the first process of a place; its exit code when that says it is of no use to try again."""
        for pause in _pauses():
            slot.child = child = await self._start(slot)
            if await child.reached(child.opened):
                return 0
            self._tell_end(slot, child)
            if child.code == UNUSABLE:
                return child.code
            await asyncio.sleep(pause)
        raise AssertionError

    async def _keep(self, slot: Slot) -> None:
        """Puts a new process in the place of each that dies."""
        pauses = _pauses()
        while True:
            child = slot.child
            assert child is not None
            await child.over.wait()
            async with slot.lock:
                if slot.child is not child:
                    continue  # it was replaced
                self._tell_end(slot, child)
                if asyncio.get_running_loop().time() - child.started >= STEADY_SECONDS:
                    pauses = _pauses()
                await asyncio.sleep(next(pauses))
                slot.child = await self._bring(slot, renew=not child.serving.is_set()) or child

    async def _replace_all(self) -> None:
        log_event(_log, "processes.replace")
        for slot in self._slots:
            async with slot.lock:
                old, new = slot.child, await self._bring(slot)
                if old is None or new is None or new.over.is_set():
                    if new is not None:
                        self._tell_end(slot, new)
                    log_event(_log, "processes.replace_failed", level=logging.ERROR, number=slot.number)
                    return  # the others stay as they are
                slot.child = new
                old.order("leave")
                await old.ended(LEAVE_SECONDS)
                self._tell_end(slot, old)
        log_event(_log, "processes.replaced")

    async def _end_all(self) -> bool:
        """False when one had to be killed or failed."""
        for slot in self._slots:
            slot.listener.close()  # each process keeps its own to its end: ADR 0006
        living = [child for child in self._children if not child.over.is_set()]
        for child in living:
            child.order("unready")
        ends: list[asyncio.Task[bool]] = []
        for child in living:
            child.order("drain")
            ends.append(asyncio.create_task(child.ended(END_SECONDS)))
            await asyncio.wait(ends[-1:], timeout=SHARED_SECONDS / len(living))
        return all(await asyncio.gather(*ends)) and not any(child.code for child in living)

    async def _bring(self, slot: Slot, *, renew: bool = False) -> Child | None:
        """A process that serves in this place, or one that has ended before it did, or none could be started.

        `renew`: the one before never served, so who waits in the listener has waited long enough.
        """
        try:
            if renew:
                fresh = bind(self._settings.address, slot.listener.getsockname()[1], join=True)
                slot.listener.close()
                slot.listener = fresh
            child = await self._start(slot)
        except OSError as error:
            log_event(
                _log, "process.unstarted", level=logging.ERROR, number=slot.number, reason=error.strerror
            )
            return None
        if await child.reached(child.opened):
            await self._listen(slot, child)
        return child

    async def _start(self, slot: Slot) -> Child:
        child = await Child.start(self._command, self._environment, slot.listener)
        self._children = [child for child in self._children if not child.over.is_set()] + [child]
        log_event(_log, "process.start", number=slot.number, child=child.pid)
        return child

    async def _listen(self, slot: Slot, child: Child) -> None:
        child.order("listen")
        if await child.reached(child.serving):
            slot.ready.set()

    def _tell_end(self, slot: Slot, child: Child) -> None:
        level = logging.WARNING if child.code else logging.INFO
        log_event(_log, "process.end", level=level, number=slot.number, child=child.pid, code=child.code)

    def _kill(self) -> None:
        for child in self._children:
            if not child.over.is_set():
                child.kill()

    async def _dispatch(self, command: str, arguments: Mapping[str, object]) -> object:
        """For the control socket: the first process that takes it does it."""
        if command == "metrics":
            return await self._metrics()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ANSWER_SECONDS
        while True:
            child = next((child for child in self._living() if child.opened.is_set()), None)
            if child is not None:
                try:
                    return await child.ask(command, arguments)
                except NotTaken:
                    continue
            if loop.time() >= deadline:
                raise ControlError("No process answers at the moment; the log tells why.")
            await asyncio.sleep(0.05)

    def _living(self) -> list[Child]:
        return [slot.child for slot in self._slots if slot.child and not slot.child.over.is_set()]

    async def _setup_lines(self) -> list[str]:
        lines = await self._dispatch("setup", {})
        assert isinstance(lines, list)
        return lines

    async def _metrics(self) -> str:
        """The pages of all processes that answer, as one."""

        async def page(child: Child) -> str:
            async with asyncio.timeout(METRICS_SECONDS):
                return str(await child.ask("metrics", {}))

        children = {
            str(slot.number): slot.child for slot in self._slots if slot.child and slot.ready.is_set()
        }
        pages = await asyncio.gather(*map(page, children.values()), return_exceptions=True)
        return merged(
            {number: text for number, text in zip(children, pages, strict=True) if isinstance(text, str)}
        )


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
