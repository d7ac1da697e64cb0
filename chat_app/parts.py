"""The parts of a server, made in order and connected; what has to be closed is left to the caller's stack.

`app` calls it, and nobody else: with it, it is the composition root.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from tornado.ioloop import PeriodicCallback

from chat_app.administering import now_ms, open_database_of
from chat_app.backends.passwords import Passwords
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
from chat_app.logs import log_event
from chat_app.metrics import Metrics, Turns
from chat_app.models import Account
from chat_app.nodes import Nodes
from chat_app.settings import Settings
from chat_app.web.server import room
from chat_app.web.services import Services, State

HANDSHAKE_SECONDS = 60.0
SEEN_SECONDS = 5.0
INDEX_SECONDS = 1.0
SEARCHES, SEARCH_SECONDS = 20, 10.0
"""Of an account; who types does not search for every letter."""

_log = logging.getLogger(__name__)


async def open_services(settings: Settings, stack: AsyncExitStack, turns: Turns | None) -> Services:
    """Everything but the listener; its timers run, and the other nodes are heard. Raises SettingsError."""
    metrics = Metrics(turns)
    database = await open_database_of(settings, serving=True)
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
        clock_ms=now_ms,
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
        clock_ms=now_ms,
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


def _end_process(reason: str) -> None:
    """The disk failed, or another process took the database: nothing more is acknowledged or done."""
    log_event(_log, "database.failed", level=logging.CRITICAL, reason=reason)
    sys.stderr.write(f"roomlog: {' '.join(reason.split())}\n")
    sys.stderr.flush()
    os._exit(2)
