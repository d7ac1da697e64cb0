"""A PostgreSQL database as a whole: opening, migrating, closing. `database` calls it for such a URL.

It is the same as SQLite's behind the ports, but that several processes may have it open, and that it may go
away and come back while they run.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from chat_app.backends.sql.advisory import MIGRATING, hold
from chat_app.backends.sql.failures import DatabaseError, describe, first_failure, is_conflict
from chat_app.backends.sql.opened import SqlDatabase
from chat_app.backends.sql.postgresql_connections import (
    connect,
    engine_of,
    explain,
    migrating_engine,
    place_of,
    transact,
)
from chat_app.backends.sql.postgresql_readers import CONNECTIONS as READING, PostgresqlReaders
from chat_app.backends.sql.postgresql_writer import CONNECTIONS as WRITING, PostgresqlWriter
from chat_app.backends.sql.revisions import check_known, upgrade
from chat_app.backends.sql.schema import HEAD_REVISION, metadata, rooms
from chat_app.backends.sql.serving_lock import ServingLock
from chat_app.backends.sql.upkeep import last_backup_ms
from chat_app.errors import Busy
from chat_app.logs import log_event

READY_SECONDS = 2.0
_MIGRATION_TRIES = 5
"""A step that changes tables may stand in a deadlock with a version that still serves."""
_log = logging.getLogger(__name__)


async def open_postgresql(url: str, *, shared: bool | None, queue_limit: int) -> PostgresqlDatabase:
    """The database of `url`, migrated where needed; `shared` as in `database.open_database`.

    Raises `DatabaseError`.
    """
    lock = None if shared is None else ServingLock(url, shared=shared)
    try:
        await _check_encoding(url)
        if lock is not None:
            await lock.acquire()
        await _migrate(url)
        return PostgresqlDatabase(url, lock, queue_limit=queue_limit)
    except BaseException as error:
        if lock is not None:
            await lock.close()
        if isinstance(error, DatabaseError) or not isinstance(error, Exception):
            raise
        raise explain(error, url) from error


async def _check_encoding(url: str) -> None:
    connection = await connect(url)
    try:
        encoding = connection.get_settings().server_encoding
    finally:
        await connection.close()
    if encoding != "UTF8":
        raise DatabaseError(f"{place_of(url)} has the encoding {encoding}; make it with ENCODING 'UTF8'.")


async def _migrate(url: str) -> None:
    engine = migrating_engine(url)
    try:
        for last in (*[False] * (_MIGRATION_TRIES - 1), True):
            try:
                return await transact(engine, lambda connection: migrate(connection, place_of(url)))
            except SQLAlchemyError as error:
                if last or not is_conflict(first_failure(error)):
                    raise DatabaseError(f"{place_of(url)} cannot be migrated: {describe(error)}.") from error
                log_event(_log, "database.migration_again", level=logging.WARNING, error=describe(error))
    finally:
        await engine.dispose()


def migrate(connection: Connection, place: str) -> None:
    """Bring the database to `HEAD_REVISION`; an empty one gets the lobby. One process at a time does it.

    Raises `DatabaseError` when its revision is newer or unknown, or it is of another program.
    """
    if stored_revision(connection, place) == HEAD_REVISION:
        return
    hold(connection, MIGRATING)
    revision = stored_revision(connection, place)  # another one may have done it meanwhile
    if revision == HEAD_REVISION:
        return
    if revision is not None:
        check_known(place, revision)
    upgrade(connection, new=revision is None)


def stored_revision(connection: Connection, place: str) -> str | None:
    """The revision of the database, None for an empty one. Raises `DatabaseError` when it is not ours."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise DatabaseError(f"{place} is a database of another program.")
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found == HEAD_REVISION and not set(metadata.tables) <= tables:
        raise DatabaseError(f"{place} is a database of another program.")
    return found or ""


class PostgresqlDatabase(SqlDatabase):
    """`ports.Database` in PostgreSQL; `lock` is held until it is closed."""

    def __init__(self, url: str, lock: ServingLock | None, *, queue_limit: int) -> None:
        super().__init__()
        self._url = url
        self._backing_up = asyncio.Lock()
        self._lock = lock
        if lock is not None:
            lock.on_taken = lambda line: self.on_fatal(line)
        self._writer = PostgresqlWriter(
            engine_of(url, connections=WRITING), queue_limit=queue_limit, on_commit=self._committed
        )
        self._readers = PostgresqlReaders(engine_of(url, connections=READING, reading=True))
        self._open_ports(self._writer, self._readers, shared=True)

    async def ready(self) -> bool:
        """Whether it answers a query now."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._readers.read(
                    lambda connection: connection.execute(select(rooms.c.id).limit(1)).first()
                )
        except (Busy, SQLAlchemyError, TimeoutError):
            return False
        return True

    async def backup(self, path: Path) -> None:
        """A snapshot into a new SQLite file with mode 0600, while everything goes on; one at a time.

        Raises `ChatError`: `exists` when the file is there, `failed` when it cannot be made.
        """
        from chat_app.backends.sql.backups import back_up

        async with self._backing_up:
            await asyncio.to_thread(back_up, self._url, path)

    async def last_backup_ms(self) -> int | None:
        """When the last backup was made, from whichever machine; None when there never was one."""
        return await self._readers.read(last_backup_ms)

    async def settle(self) -> None:
        """Wait until everything that is queued now is committed and its outcome told."""
        await self._writer.settle()

    async def close(self) -> None:
        """Commit what is queued, then close."""
        await self._readers.close()
        await self._writer.close()
        if self._lock is not None:
            await self._lock.close()
