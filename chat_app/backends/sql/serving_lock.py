"""Who serves a PostgreSQL database: one process alone, or several that know of each other through Redis.

`postgresql` takes the lock before it opens anything for serving. It is PostgreSQL's own (an advisory lock)
and belongs to a connection, so it ends with its process, however that ends. When the connection is lost it is
taken again; meanwhile the process serves on, for what is stored is kept right by the rows' own locks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from chat_app.backends.sql.advisory import LOCKS, SERVING
from chat_app.backends.sql.failures import DatabaseError, describe
from chat_app.backends.sql.postgresql_connections import connect
from chat_app.logs import log_event

START_SECONDS, START_PAUSE_SECONDS = 3.0, 0.2
"""Whoever served before may be ending just now: a restart is not refused."""
CHECK_SECONDS = 5.0
AGAIN_SECONDS = 1.0
GHOST_SECONDS = 5.0
"""Our own lost connection may still hold the lock; so long it is asked to go."""
_ALONE = "Another process serves this database; several need REDIS_URL (--redis)."
_SHARED = "A process without REDIS_URL (--redis) serves this database; each of several needs it."
_SESSION = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2"
_FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

_log = logging.getLogger(__name__)


class ServingLock:
    """Held until it is closed. `on_taken(line)` is called when somebody else took it while it was lost."""

    def __init__(self, url: str, *, shared: bool) -> None:
        self.on_taken: Callable[[str], None] = lambda line: None
        self._url = url
        self._refusal = _SHARED if shared else _ALONE
        self._take = f"SELECT pg_try_advisory_lock{'_shared' if shared else ''}($1, $2)"
        self._connection: asyncpg.Connection[Any] | None = None
        self._session: asyncpg.Record | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def acquire(self) -> None:
        """Raises `DatabaseError` when another process has it, and what `connect` raises."""
        clock = asyncio.get_running_loop().time
        end = clock() + START_SECONDS
        while not await self._try():
            if clock() > end:
                raise DatabaseError(self._refusal)
            await asyncio.sleep(START_PAUSE_SECONDS)
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Let go."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=CHECK_SECONDS)
            except _FAILURES:
                connection.terminate()

    async def _try(self) -> bool:
        """One try on a fresh connection; if our own lost one is in the way, it is ended for the next try."""
        connection = await connect(self._url)
        try:
            if await connection.fetchval(self._take, LOCKS, SERVING):
                self._session = await connection.fetchrow(_SESSION)
                self._connection = connection
                return True
            if self._session is not None:
                await connection.execute(_END, *self._session)
        except BaseException:
            connection.terminate()
            raise
        await connection.close(timeout=CHECK_SECONDS)
        return False

    async def _keep(self) -> None:
        """Looks after the connection, and takes the lock again when it is lost."""
        while True:
            await self._until_lost()
            log_event(_log, "database.lock_lost", level=logging.WARNING)
            if not await self._again():
                self.on_taken(self._refusal)
                return
            log_event(_log, "database.lock_again", level=logging.WARNING)

    async def _until_lost(self) -> None:
        connection = self._connection
        assert connection is not None
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        while not connection.is_closed():
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await lost.wait()
            except TimeoutError:  # a half-open line says nothing by itself
                try:
                    await connection.execute("SELECT 1", timeout=CHECK_SECONDS)
                except _FAILURES:
                    break
        connection.terminate()

    async def _again(self) -> bool:
        """Whether it is held again, however long the database is away; False: somebody else has it."""
        clock = asyncio.get_running_loop().time
        refused_at: float | None = None
        while refused_at is None or clock() < refused_at + GHOST_SECONDS:
            try:
                if await self._try():
                    return True
                refused_at = refused_at or clock()
            except _FAILURES as error:
                log_event(_log, "database.lock_waits", level=logging.WARNING, error=describe(error))
            await asyncio.sleep(AGAIN_SECONDS)
        return False
