"""The composition root: opens the parts in order and closes them in reverse. It alone sees the settings
whole.

`cli` enters `open_app` to serve, `open_administration` to work on the database of a server that does not run.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback

from chat_app.backends.passwords import Passwords
from chat_app.backends.sql.database import DatabaseError, SqlDatabase, open_database, restore_database
from chat_app.core.administration import Administration
from chat_app.core.chat import Chat, Limits
from chat_app.core.connections import Connections
from chat_app.core.identity import Identity
from chat_app.core.limits import SlidingWindow
from chat_app.core.rooms import Registry, Tasks
from chat_app.core.unread import Unreads
from chat_app.data_folder import DataLock
from chat_app.errors import Busy
from chat_app.logs import log_event
from chat_app.metrics import Metrics
from chat_app.models import Account
from chat_app.settings import Settings, SettingsError, default_origins
from chat_app.web.base import BODY_LIMIT_BYTES, Services, State
from chat_app.web.control import ControlServer, Dispatch, perform
from chat_app.web.routes import make_application
from chat_app.web.server import DEADLINES, HEADERS_READ_BYTES, Deadlines, Server, room

HANDSHAKE_SECONDS = 60.0
SEEN_SECONDS = 5.0
DRAIN_SECONDS = 15.0
SETTLE_SECONDS = 2.0
"""How long each step of the end is tried again while the writer is busy."""
LAG_SECONDS = 0.5

_log = logging.getLogger(__name__)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class App:
    """A server that listens."""

    def __init__(self, services: Services, server: HTTPServer, port: int) -> None:
        self.services = services
        self.port = port
        self._server = server

    async def drain(self) -> None:
        """Not ready any more, accept nothing, commit what is queued, 1012 to every socket; within 25 s."""
        services = self.services
        services.state.ready = False
        services.state.draining = True
        self._server.stop()
        for step in (services.unreads.flush, services.identity.flush_seen, services.database.settle):
            await _patiently(step, SETTLE_SECONDS)
        await services.connections.close_all(1012, "the server restarts")
        deadline = time.monotonic() + DRAIN_SECONDS
        while len(services.connections) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await self._server.close_all_connections()


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    announce: Callable[[str], None] = lambda line: None,
    deadlines: Deadlines = DEADLINES,
) -> AsyncIterator[App]:
    """Serves until it is left. Raises SettingsError, OSError (the port), DatabaseError: each with one clear
    sentence.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(DataLock(settings.data))
        listeners = _bind(settings)
        for listener in listeners:
            stack.callback(listener.close)
        port = int(listeners[0].getsockname()[1])
        if not settings.allowed_origins_given:
            settings = replace(settings, allowed_origins=default_origins(port))
        services = await _open_services(settings, stack)
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
        await stack.enter_async_context(ControlServer(settings.data, _dispatch(services, settings)))
        await _announce_setup(services, settings, announce)
        for listener in listeners:
            listener.listen(1024)
        server.add_sockets(listeners)
        services.state.ready = True
        app = App(services, server, port)
        stack.push_async_callback(_stop, app)
        announce(f"Roomlog serves on http://{_shown(settings.address)}:{port}")
        gc.collect()
        gc.freeze()
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


async def restore(settings: Settings, path: Path) -> None:
    """Puts a backup in the database's place; every room gets a new epoch. No server may run."""
    with DataLock(settings.data):
        try:
            await asyncio.to_thread(restore_database, settings.database_url, path, settings.data / "backups")
        except DatabaseError as error:
            raise SettingsError(str(error)) from error


async def _open_database(settings: Settings) -> SqlDatabase:
    try:
        return await open_database(settings.database_url, backups=settings.data / "backups")
    except DatabaseError as error:
        raise SettingsError(str(error)) from error


async def _open_services(settings: Settings, stack: AsyncExitStack) -> Services:
    metrics = Metrics()
    database = await _open_database(settings)
    stack.push_async_callback(database.close)
    database.on_fatal = _end_process
    database.commit_seconds = metrics.commit
    passwords = Passwords()
    stack.callback(passwords.close)
    tasks = Tasks(metrics.errors.inc)
    stack.push_async_callback(tasks.close)
    registry = Registry(history=database.history, history_limit=settings.history_limit, tasks=tasks)
    for info in await database.rooms.all():
        registry.add(info)
    connections = Connections(metrics=metrics)
    identity = Identity(
        accounts=database.accounts,
        passwords=passwords,
        clock_ms=_now_ms,
        on_sessions_ended=connections.close_sessions,
        on_account_changed=lambda account: _renew(connections, registry, account),
    )
    unreads = Unreads(rooms=database.rooms, registry=registry, connections=connections)
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
        metrics=metrics,
    )
    services = Services(
        settings=settings,
        identity=identity,
        administration=Administration(identity=identity, accounts=database.accounts, database=database),
        database=database,
        chat=chat,
        registry=registry,
        connections=connections,
        unreads=unreads,
        metrics=metrics,
        tasks=tasks,
        state=State(),
        handshakes=SlidingWindow(settings.failed_handshakes, HANDSHAKE_SECONDS, time.monotonic),
        clock_ms=_now_ms,
        socket_limit=room().sockets,
    )
    _start_periodic(services, stack)
    return services


def _start_periodic(services: Services, stack: AsyncExitStack) -> None:
    """The timers of the process: heartbeat, patience, unread counts, last seen, loop lag."""
    settings = services.settings
    expected = [time.monotonic() + LAG_SECONDS]

    def lag() -> None:
        now = time.monotonic()
        services.metrics.loop_lag.observe(max(0.0, now - expected[0]))
        expected[0] = now + LAG_SECONDS

    callbacks: list[tuple[Callable[[], object], float]] = [
        (services.connections.sweep, 5),
        (services.unreads.tick, 1),
        (services.identity.flush_seen, SEEN_SECONDS),
        (lag, LAG_SECONDS),
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
        return await perform(services.administration, origin, command, arguments)

    return dispatch


async def _announce_setup(services: Services, settings: Settings, announce: Callable[[str], None]) -> None:
    token = await services.identity.setup_token()
    if token is not None and settings.allowed_origins:
        announce("There is no owner yet. Open this link within an hour to make the owner's account:")
        announce(f"{settings.allowed_origins[0]}/setup?token={token}")


def _bind(settings: Settings) -> list[socket.socket]:
    """Bound but not listening: the set-up link is printed before anybody can connect. Raises OSError."""
    found = socket.getaddrinfo(
        settings.address, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return [listener]


def _shown(address: str) -> str:
    return {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "localhost"}.get(
        address, f"[{address}]" if ":" in address else address
    )


async def _patiently(step: Callable[[], Awaitable[object]], seconds: float) -> None:
    """A busy writer takes it a moment later; else the end goes on: closing the database commits the rest."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            await step()
            return
        except Busy:
            if time.monotonic() >= deadline:
                log_event(_log, "drain.busy", level=logging.WARNING)
                return
            await asyncio.sleep(0.05)


async def _stop(app: App) -> None:
    if not app.services.state.draining:
        await app.drain()


def _end_process(reason: str) -> None:
    """The disk failed: nothing more may be acknowledged, so nothing more is done."""
    log_event(_log, "database.failed", level=logging.CRITICAL, reason=reason)
    sys.stderr.write(f"roomlog: {' '.join(reason.split())}\n")
    sys.stderr.flush()
    os._exit(2)
