"""Reading, each query in one transaction: a snapshot of one commit, which no writer waits for.

The ports' implementations call it. Its connections cannot write.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from chat_app.backends.sql.failures import is_locked
from chat_app.errors import Busy

THREADS = 2
WAITING_LIMIT = 16_384
"""Queries that may wait; a further one raises `Busy`. After a restart everybody asks at once."""

T = TypeVar("T")


class Readers:
    """Owns the threads and the reading connections of `engine`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="sql-reader")
        self._waiting = 0
        self._closed = False

    async def read(self, query: Callable[[Connection], T]) -> T:
        """The result of `query`, run in a thread. Raises `Busy` when too many wait or it is locked."""
        if self._closed or self._waiting >= WAITING_LIMIT:
            raise Busy()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, query)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Wait for the queries that run, then close the connections."""
        self._closed = True
        await asyncio.to_thread(self._executor.shutdown)
        self._engine.dispose()

    def _run(self, query: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection, connection.begin():
                return query(connection)
        except (DatabaseError, sqlite3.DatabaseError) as error:  # the second one by a `direct.Statement`
            if is_locked(error):
                raise Busy() from error
            raise
