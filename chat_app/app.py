"""The composition root: opens the parts in order and closes them in reverse. It alone, with `parts` and
`nodes`, sees the settings whole.

`cli` enters `open_app` to serve, `open_administration` to work on the database of a server that does not run.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

from chat_app.data_folder import DataLock
from chat_app.emojis import load
from chat_app.errors import ChatError
from chat_app.listening import BACKLOG, bind, shown
from chat_app.logs import log_event
from chat_app.metrics import Turns
from chat_app.parts import open_services
from chat_app.settings import Settings, default_origins
from chat_app.web.base import BODY_LIMIT_BYTES, Services
from chat_app.web.control import ControlServer, Dispatch, perform
from chat_app.web.routes import make_application
from chat_app.web.server import DEADLINES, HEADERS_READ_BYTES, Deadlines, Server, room
from chat_app.worker import Worker

DRAIN_SECONDS = 15.0
"""For the sockets; closing the database may wait a little longer for who holds it. 25 s in all."""
SETTLE_SECONDS = 8.0
ANSWERS_SECONDS = 5.0
"""Requests that are being answered in the end have so long; a client may never read its answer."""
OPENING_SECONDS = 1.0
"""A connection that was accepted from a shared listener has so long to send its request."""
GC_THRESHOLDS = (1_000, 10, 5_000)
"""A full collection stops everything for 100 ms with 5,000 connections, again and again while they open. What
goes in cycles goes young; an open connection is in none once it is closed.
"""
_log = logging.getLogger(__name__)


class App:
    """A server that listens."""

    def __init__(self, services: Services, server: Server, port: int) -> None:
        self.services = services
        self.port = port
        self._server = server

    async def step_aside(self) -> None:
        """Accepts nobody any more: another process has the same listener. Answers who was accepted."""
        self._server.stop()
        deadline = time.monotonic() + OPENING_SECONDS
        while self._server.opening() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def drain(self) -> None:
        """Not ready any more, take nothing new, commit and acknowledge what was taken, 1012 to every socket,
        and an answer to every request that came whole.

        The listener stays to the end, so that whoever asks `/readyz` is told. Takes `DRAIN_SECONDS` at most.
        """
        services = self.services
        services.state.ready = False
        services.state.draining = True
        services.chat.stop_taking()
        deadline = time.monotonic() + DRAIN_SECONDS
        await self._settle()
        await services.connections.close_all(1012, "the server restarts")
        while len(services.connections) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        self._server.stop()
        deadline = min(deadline, time.monotonic() + ANSWERS_SECONDS)
        while self._server.answering() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await self._server.close_all_connections()

    async def _settle(self) -> None:
        """What was taken is committed and its outcome told, unless the database is held by somebody else."""
        services = self.services
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await services.database.settle()
                await services.unreads.flush()
                await services.identity.flush_seen()
        except (ChatError, TimeoutError) as error:
            log_event(_log, "drain.unsettled", level=logging.WARNING, reason=type(error).__name__)


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    announce: Callable[[str], None] = lambda line: None,
    deadlines: Deadlines = DEADLINES,
    turns: Turns | None = None,
    worker: Worker | None = None,
) -> AsyncIterator[App]:
    """Serves until it is left; `turns` is what the loop tells its turns to. A `worker` has its listener from
    the supervisor, which holds the data folder for it and answers at the control socket.

    Raises SettingsError, OSError (the port), DatabaseError: each with one clear sentence; `Dismissed`.
    """
    async with AsyncExitStack() as stack:
        if worker is None:
            stack.enter_context(DataLock(settings.data))
        listener = bind(settings.address, settings.port) if worker is None else worker.listener
        stack.callback(listener.close)
        port = int(listener.getsockname()[1])
        if not settings.allowed_origins_given:
            settings = replace(settings, allowed_origins=default_origins(port))
        services = await open_services(settings, stack, turns)
        lines_limit = room().lines
        server = Server(
            make_application(services),
            chunk_size=4096,
            max_buffer_size=256 * 1024,
            max_header_size=HEADERS_READ_BYTES,
            max_body_size=BODY_LIMIT_BYTES,
            idle_connection_timeout=deadlines.headers_seconds,
            body_timeout=deadlines.body_seconds,
            xheaders=False,
            lines_limit=lines_limit,
            sockets=services.clients,
        )
        dispatch = _dispatch(services, settings)
        if worker is None:
            await stack.enter_async_context(ControlServer(settings.data, dispatch))
            for line in await _setup_lines(services, settings):
                announce(line)
        else:
            await worker.opened(dispatch, services.state.end_ready)
            services.metrics.everybodys = partial(worker.metrics, settings.data)
        listener.listen(BACKLOG)
        server.add_sockets([listener])
        services.state.ready = True
        services.tasks.start(asyncio.to_thread(load))
        app = App(services, server, port)
        stack.push_async_callback(_stop, app)
        if worker is None:
            announce(f"Roomlog serves on {shown(settings.address, port)}")
        else:
            worker.serves()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        yield app


def _dispatch(services: Services, settings: Settings) -> Dispatch:
    origin = settings.allowed_origins[0] if settings.allowed_origins else ""

    async def dispatch(command: str, arguments: Mapping[str, object]) -> object:
        match command:  # what a supervisor asks
            case "setup":
                return await _setup_lines(services, settings)
            case "metrics":
                return services.metrics.render().decode()
        return await perform(services.administration, origin, command, arguments)

    return dispatch


async def _setup_lines(services: Services, settings: Settings) -> list[str]:
    """A fresh link while there is no owner; it voids the one before."""
    token = await services.identity.setup_token()
    if token is None or not settings.allowed_origins:
        return []
    return [
        "There is no owner yet. Open this link within an hour to make the owner's account:",
        f"{settings.allowed_origins[0]}/setup?token={token}",
    ]


async def _stop(app: App) -> None:
    if not app.services.state.draining:
        await app.drain()
