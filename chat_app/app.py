"""The composition root: opens the parts in order and closes them in reverse. It alone sees the settings
whole.

`cli` enters `open_app` to serve, `open_administration` to work on the database of a server that does not run.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

from tornado.ioloop import PeriodicCallback

from chat_app.backends.passwords import Passwords
from chat_app.backends.sql.database import (
    DatabaseError,
    SqlDatabase,
    is_postgresql,
    open_database,
)
from chat_app.core.administration import Administration
from chat_app.core.chat import Chat
from chat_app.core.completion import Completion
from chat_app.core.connections import Connections
from chat_app.core.identity import Identity
from chat_app.core.limits import SlidingWindow
from chat_app.core.management import Management
from chat_app.core.message_limits import Limits
from chat_app.core.rooms import Registry, Tasks
from chat_app.core.unread import Unreads
from chat_app.data_folder import DataLock
from chat_app.emojis import load
from chat_app.errors import ChatError
from chat_app.listening import BACKLOG, bind, shown
from chat_app.logs import log_event
from chat_app.metrics import Metrics, Turns
from chat_app.models import Account
from chat_app.nodes import Nodes
from chat_app.settings import Settings, SettingsError, default_origins
from chat_app.web.base import BODY_LIMIT_BYTES, Services, State
from chat_app.web.control import ControlServer, Dispatch, perform
from chat_app.web.routes import make_application
from chat_app.web.server import DEADLINES, HEADERS_READ_BYTES, Deadlines, Server, room
from chat_app.worker import Worker

HANDSHAKE_SECONDS = 60.0
SEEN_SECONDS = 5.0
DRAIN_SECONDS = 15.0
"""For the sockets; closing the database may wait a little longer for who holds it. 25 s in all."""
SETTLE_SECONDS = 8.0
OPENING_SECONDS = 1.0
"""A connection that was accepted from a shared listener has so long to send its request."""
GC_THRESHOLDS = (1_000, 10, 5_000)
"""A full collection stops everything for 100 ms with 5,000 connections, again and again while they open. What
goes in cycles goes young; an open connection is in none once it is closed.
"""
INDEX_SECONDS = 1.0
SEARCHES, SEARCH_SECONDS = 20, 10.0
"""Of an account; who types does not search for every letter."""

_log = logging.getLogger(__name__)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


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
        """Not ready any more, take nothing new, commit and acknowledge what was taken, 1012 to every socket.

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
        services = await _open_services(settings, stack, turns)
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


@asynccontextmanager
async def open_administration(settings: Settings) -> AsyncIterator[Administration]:
    """Administration of a database that no server has open."""
    async with AsyncExitStack() as stack:
        stack.enter_context(DataLock(settings.data))
        database = await _open_database(settings)
        stack.push_async_callback(database.close)
        passwords = Passwords()
        stack.callback(passwords.close)
        identity = Identity(
            accounts=database.accounts,
            passwords=passwords,
            clock_ms=_now_ms,
            on_sessions_ended=lambda ids, code, reason: None,
        )
        yield Administration(identity=identity, accounts=database.accounts, database=database)


async def _open_database(settings: Settings, *, serving: bool = False) -> SqlDatabase:
    shared = settings.redis_url is not None
    if shared and not is_postgresql(settings.database_url):
        raise SettingsError(
            "REDIS_URL (--redis) is for several processes on PostgreSQL; SQLite (DATABASE_URL) has one."
        )
    try:
        return await open_database(
            settings.database_url, backups=settings.data / "backups", shared=shared if serving else None
        )
    except DatabaseError as error:
        raise SettingsError(str(error)) from error


async def _open_services(settings: Settings, stack: AsyncExitStack, turns: Turns | None) -> Services:
    metrics = Metrics(turns)
    database = await _open_database(settings, serving=True)
    stack.push_async_callback(database.close)
    database.on_fatal = _end_process
    database.commit_seconds = metrics.commit
    passwords = Passwords()
    stack.callback(passwords.close)
    tasks = Tasks(metrics.errors.inc)
    stack.push_async_callback(tasks.close)
    if not settings.edit_history:
        await database.history.forget_versions()
    registry = Registry(history=database.history, history_limit=settings.history_limit, tasks=tasks)
    rooms = await database.rooms.all()  # first: who is added after this is beyond their heads
    members, notifies = await database.rooms.members(), await database.rooms.notifies()
    for info in rooms:
        registry.add(info, members.get(info.id, ()), notifies.get(info.id))
    connections = Connections(metrics=metrics)
    nodes = Nodes(settings, rooms, registry, tasks, metrics)
    broker = nodes.broker
    renew = partial(_renew, connections, registry)
    identity = Identity(
        accounts=database.accounts,
        passwords=passwords,
        clock_ms=_now_ms,
        on_sessions_ended=connections.close_sessions,
        on_account_changed=renew,
        broker=broker,
    )
    unreads = Unreads(rooms=database.rooms, registry=registry, connections=connections, broker=broker)
    limits = Limits(
        connection=settings.rate_limit,
        account=settings.account_rate_limit,
        address=settings.address_rate_limit,
        seconds=settings.rate_window_seconds,
        monotonic=time.monotonic,
    )
    chat = Chat(
        database=database,
        registry=registry,
        connections=connections,
        unreads=unreads,
        limits=limits,
        max_message_length=settings.max_message_length,
        edit_history=settings.edit_history,
        metrics=metrics,
        broker=broker,
    )
    management = Management(
        database=database, registry=registry, connections=connections, unreads=unreads, broker=broker
    )
    services = Services(
        settings=settings,
        identity=identity,
        administration=Administration(identity=identity, accounts=database.accounts, database=database),
        database=database,
        chat=chat,
        management=management,
        completion=Completion(
            accounts=database.accounts, connections=connections, is_elsewhere=nodes.is_elsewhere
        ),
        registry=registry,
        connections=connections,
        unreads=unreads,
        metrics=metrics,
        tasks=tasks,
        state=State(),
        handshakes=SlidingWindow(settings.failed_handshakes, HANDSHAKE_SECONDS, time.monotonic),
        searches=SlidingWindow(SEARCHES, SEARCH_SECONDS, time.monotonic),
        clock_ms=_now_ms,
        socket_limit=room().sockets,
        broker=broker,
    )
    nodes.join(
        services,
        windows={**identity.windows(), **limits.windows()},
        on_account_changed=renew,
        stack=stack,
    )
    _start_periodic(services, stack)
    return services


def _start_periodic(services: Services, stack: AsyncExitStack) -> None:
    """The timers of the process: heartbeat, patience, unread counts, last seen."""
    settings = services.settings
    callbacks: list[tuple[Callable[[], object], float]] = [
        (services.connections.sweep, 5),
        (services.unreads.tick, 1),
        (services.database.search.catch_up, INDEX_SECONDS),
        (services.identity.flush_seen, SEEN_SECONDS),
    ]
    if settings.heartbeat_seconds:
        callbacks.append(
            (lambda: services.connections.beat(services.identity.has_ended), settings.heartbeat_seconds)
        )
    for callback, seconds in callbacks:
        periodic = PeriodicCallback(callback, timedelta(seconds=seconds))  # type: ignore[arg-type]
        periodic.start()
        stack.callback(periodic.stop)


def _renew(connections: Connections, registry: Registry, account: Account) -> None:
    """A changed role or name counts on open connections before their next event, and in every room."""
    for connection in connections.of_account(account.id):
        connection.account = account
    registry.rename(account)


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


def _end_process(reason: str) -> None:
    """The disk failed, or another process took the database: nothing more is acknowledged or done."""
    log_event(_log, "database.failed", level=logging.CRITICAL, reason=reason)
    sys.stderr.write(f"roomlog: {' '.join(reason.split())}\n")
    sys.stderr.flush()
    os._exit(2)
