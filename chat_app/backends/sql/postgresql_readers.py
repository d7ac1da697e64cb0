"""Reading from PostgreSQL, each query in one transaction that cannot write: a snapshot of one moment.

The ports' implementations call it. A query whose connection is lost is asked once more on another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from chat_app.backends.sql.failures import first_failure, is_conflict, is_storage_failure
from chat_app.backends.sql.postgresql_connections import Slots, transact
from chat_app.backends.sql.readers import WAITING_LIMIT
from chat_app.errors import Busy

CONNECTIONS = 4

T = TypeVar("T")


class PostgresqlReaders:
    """Owns the connections of `engine`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._slots = Slots(CONNECTIONS)
        self._tasks: set[asyncio.Task[object]] = set()
        self._closed = False

    async def read(self, query: Callable[[Connection], T]) -> T:
        """The result of `query`. Raises `Busy` when too many wait, or the database is away.

        It goes on when its caller goes away: to break it off costs a connection.
        """
        if self._closed or len(self._tasks) >= WAITING_LIMIT:
            raise Busy()
        task = asyncio.create_task(self._read(query))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for the queries that run, then close the connections."""
        self._closed = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.dispose()

    async def _read(self, query: Callable[[Connection], T]) -> T:
        try:
            async with self._slots:
                try:
                    return await transact(self._engine, query)
                except Exception as raised:
                    error = first_failure(raised)
                    if isinstance(error, TimeoutError) or not _is_passing(error):
                        raise
                return await transact(self._engine, query)
        except Exception as raised:
            if _is_passing(first_failure(raised)):
                raise Busy() from raised
            raise


def _is_passing(error: BaseException) -> bool:
    return is_storage_failure(error) or is_conflict(error)
