"""Connections to PostgreSQL: how they are opened, how long anything may take, and why one cannot be opened.

`postgresql` and the parts beside it call it. asyncpg reads the URL, so its options are those of libpq
(`sslmode`, several hosts, `PGPASSWORD`, `~/.pgpass`). No message holds a user's password.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Connection, NullPool, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chat_app.backends.sql.failures import DatabaseError, first_failure, is_storage_failure

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 10.0
"""A statement that takes longer: the line is half open, or somebody holds what it needs."""
IDLE_SECONDS = 8
"""PostgreSQL ends a transaction in which nothing happens for so long: whoever began it was stopped, and
others wait for the room it holds.
"""
KEEPALIVE_SECONDS = 5
LOST_SECONDS = 15
"""A peer that answers nothing for so long is gone, for both sides."""
_SETTINGS = {
    "application_name": "roomlog",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "tcp_keepalives_idle": str(KEEPALIVE_SECONDS),
    "tcp_keepalives_interval": str(KEEPALIVE_SECONDS),
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": f"{LOST_SECONDS}s",
}
_DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)

T = TypeVar("T")


def place_of(url: str) -> str:
    """The URL without whoever signs in, for messages."""
    with suppress(ValueError):
        parts = urlsplit(url)
        return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return "postgresql://"


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]
    """One that is closed without a word: on a half-open line the farewell would be waited for."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 # the driver names it
        """At once; nothing is under way."""
        self.terminate()


async def connect(
    url: str, *, unhurried: bool = False, kind: type[asyncpg.Connection[Any]] = asyncpg.Connection
) -> asyncpg.Connection[Any]:
    """A connection of its own. What it commits is on the disk, whatever the server's default is.

    `unhurried`: a statement may take as long as it takes.
    """
    connection: asyncpg.Connection[Any] = await asyncpg.connect(
        url,
        timeout=CONNECT_SECONDS,
        command_timeout=None if unhurried else COMMAND_SECONDS,
        server_settings=_SETTINGS,
        connection_class=kind,
    )
    keep_alive(connection)
    try:
        await connection.execute(_DURABLE)
    except BaseException:
        connection.terminate()
        raise
    return connection


def keep_alive(connection: asyncpg.Connection[Any]) -> None:
    """The system finds out by itself that the other side is gone; asyncpg has no option for it."""
    line = connection._transport.get_extra_info("socket")
    if line is None or line.family == socket.AF_UNIX:
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_SECONDS),
        ("TCP_KEEPINTVL", KEEPALIVE_SECONDS),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", LOST_SECONDS * 1000),
    ):
        if hasattr(socket, name):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def engine_of(url: str, *, connections: int, reading: bool = False) -> AsyncEngine:
    """A pool. `reading`: each transaction is one snapshot and cannot write."""
    options = {"postgresql_readonly": True} if reading else {}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(url, kind=PooledConnection),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=COMMAND_SECONDS,
        isolation_level="REPEATABLE READ" if reading else "READ COMMITTED",
        execution_options=options,
        hide_parameters=True,  # what people wrote, and hashes, stay out of errors and so of the log
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def _check(connection: Any, record: object, proxy: object) -> None:
        # Known without asking: after a restart of the server the first one who comes is not refused.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine


def migrating_engine(url: str) -> AsyncEngine:
    """A connection whose statements may take as long as they take."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(url, unhurried=True),
        poolclass=NullPool,
        hide_parameters=True,
    )


async def transact(
    engine: AsyncEngine,
    function: Callable[[Connection], T],
    *,
    before_commit: Callable[[], None] = lambda: None,
) -> T:
    """The result of `function`, which ran in a transaction of its own, after the commit.

    When the connection is lost it is thrown away at once: rolling back would wait as long again.
    """
    async with engine.connect() as connection:
        transaction = await connection.begin()
        try:
            result = await connection.run_sync(function)
            before_commit()
            await transaction.commit()
        except BaseException as error:
            if is_storage_failure(first_failure(error)):
                await _abandon(connection)
            else:
                await transaction.rollback()
            raise
        return result


async def _abandon(connection: AsyncConnection) -> None:
    if connection.invalidated:
        return
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    driver.terminate()
    await connection.invalidate()


def explain(error: Exception, url: str) -> DatabaseError:
    """One sentence for whoever runs the server. Raises `error` itself when it is none of a connection."""
    place = place_of(url)
    match error:
        case asyncpg.InvalidPasswordError():
            return DatabaseError(f"{place} does not accept the user's password.")
        case asyncpg.InvalidCatalogNameError():
            return DatabaseError(f"There is no such database: {place}.")
        case asyncpg.ClientConfigurationError():
            return DatabaseError(f"The URL of {place} cannot be used: {_first_line(error)}.")
        case asyncpg.PostgresError() | asyncpg.InterfaceError():
            return DatabaseError(f"{place} cannot be opened: {_first_line(error)}.")
        case TimeoutError():
            return DatabaseError(f"{place} cannot be reached: it does not answer.")
        case OSError():
            reason = error.strerror if error.strerror and "%" not in error.strerror else _first_line(error)
            return DatabaseError(f"{place} cannot be reached: {reason}.")
        case ValueError():  # the driver's words may hold a part of the password
            return DatabaseError("The database's URL cannot be read: postgresql://USER:PASSWORD@HOST/NAME.")
    raise error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


class Slots:
    """So many at a time, in the order in which they came, and none waits for ever."""

    def __init__(self, number: int) -> None:
        self._free = asyncio.Semaphore(number)

    async def __aenter__(self) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(COMMAND_SECONDS):
            await self._free.acquire()

    async def __aexit__(self, *raised: object) -> None:
        self._free.release()
