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
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tornado.httpserver import HTTPServer
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
from chat_app.logs import log_event
from chat_app.metrics import Metrics, Turns
from chat_app.models import Account
from chat_app.settings import Settings, SettingsError, default_origins
from chat_app.web.base import BODY_LIMIT_BYTES, Services, State
from chat_app.web.control import ControlServer, Dispatch, perform
from chat_app.web.routes import make_application
from chat_app.web.server import DEADLINES, HEADERS_READ_BYTES, Deadlines, Server, room

HANDSHAKE_SECONDS = 60.0
SEEN_SECONDS = 5.0
DRAIN_SECONDS = 15.0
"""For the sockets; closing the database may wait a little longer for who holds it. 25 s in all."""
SETTLE_SECONDS = 8.0
GC_THRESHOLDS = (1_000, 10, 5_000)
"""A full collection stops everything for 100 ms with 5,000 connections, again and again while they open. What
goes in cycles goes young; an open connection is in none once it is closed.
"""
TURN_ACCEPTS = 8
"""Connections accepted in a turn of the loop: Tornado would take 128, and a handshake costs 1 ms."""
BACKLOG = 4096
"""Connections that wait to be accepted. What finds no place is tried again after 1, 3, 7 … seconds: after a
restart that was most of a minute for the last of 5,000. The system's somaxconn may be lower.
"""
INDEX_SECONDS = 1.0
SEARCHES, SEARCH_SECONDS = 20, 10.0
"""Of an account; who types does not search for every letter."""

_log = logging.getLogger(__name__)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Listener(socket.socket):
    """A listening socket that after a few connections says there are no more, until the next turn."""

    _taken = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """As always. Raises BlockingIOError once a turn's share is taken, and when nobody waits."""
        if self._taken >= TURN_ACCEPTS:
            self._taken = 0
            raise BlockingIOError
        try:
            taken = super().accept()
        except BlockingIOError:
            self._taken = 0
            raise
        self._taken += 1
        return taken


class App:
    """A server that listens."""

    def __init__(self, services: Services, server: HTTPServer, port: int) -> None:
        self.services = services
        self.port = port
        self._server = server

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
) -> AsyncIterator[App]:
    """Serves until it is left; `turns` is what the loop tells its turns to.

    Raises SettingsError, OSError (the port), DatabaseError: each with one clear sentence.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(DataLock(settings.data))
        listeners = _bind(settings)
        for listener in listeners:
            stack.callback(listener.close)
        port = int(listeners[0].getsockname()[1])
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
        await stack.enter_async_context(ControlServer(settings.data, _dispatch(services, settings)))
        await _announce_setup(services, settings, announce)
        for listener in listeners:
            listener.listen(BACKLOG)
        server.add_sockets(listeners)
        services.state.ready = True
        services.tasks.start(asyncio.to_thread(load))
        app = App(services, server, port)
        stack.push_async_callback(_stop, app)
        announce(f"Roomlog serves on http://{_shown(settings.address)}:{port}")
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
    members, notifies = await database.rooms.members(), await database.rooms.notifies()
    for info in await database.rooms.all():
        registry.add(info, members.get(info.id, ()), notifies.get(info.id))
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
        edit_history=settings.edit_history,
        metrics=metrics,
    )
    services = Services(
        settings=settings,
        identity=identity,
        administration=Administration(identity=identity, accounts=database.accounts, database=database),
        database=database,
        chat=chat,
        management=Management(database=database, registry=registry, connections=connections, unreads=unreads),
        completion=Completion(accounts=database.accounts, connections=connections),
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
    listener = Listener(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return [listener]


def _shown(address: str) -> str:
    # Only compared with what the settings say; the default is 127.0.0.1
    return {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "localhost"}.get(  # nosec B104
        address, f"[{address}]" if ":" in address else address
    )


async def _stop(app: App) -> None:
    if not app.services.state.draining:
        await app.drain()


def _end_process(reason: str) -> None:
    """The disk failed, or another process took the database: nothing more is acknowledged or done."""
    log_event(_log, "database.failed", level=logging.CRITICAL, reason=reason)
    sys.stderr.write(f"roomlog: {' '.join(reason.split())}\n")
    sys.stderr.flush()
    os._exit(2)
