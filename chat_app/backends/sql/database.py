"""The database as a whole: opening, backing up, closing. The composition root and the command line call it.

Two ways lead in (`ways`): for SQLite `Writer` (one thread, one connection) and `Readers` (snapshots that
nothing waits for); for PostgreSQL see `postgresql`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from chat_app.backends.sql import readers as reading
from chat_app.backends.sql.changes import store_changes
from chat_app.backends.sql.failures import DatabaseError as DatabaseError, describe
from chat_app.backends.sql.files import (
    create_private,
    make_folder,
    new_backup_file,
    open_reading,
    path_of,
    reading_engine,
    writing_engine,
)
from chat_app.backends.sql.opened import SqlDatabase as SqlDatabase
from chat_app.backends.sql.readers import Readers
from chat_app.backends.sql.restore import restore_database as restore_database
from chat_app.backends.sql.revisions import migrate
from chat_app.backends.sql.schema import rooms
from chat_app.backends.sql.writer import Writer
from chat_app.errors import Busy
from chat_app.models import Amend

LAST_BACKUP = "last_backup"
"""An empty file beside the database; its time tells when the last backup was made."""


async def open_database(
    url: str, *, backups: Path, queue_limit: int = 4096, shared: bool | None = None
) -> SqlDatabase:
    """The database of `url`, made or migrated where needed; `queue_limit` jobs may wait for the writer.

    Who serves a PostgreSQL database says whether several processes do (`shared`), and is refused when others
    say otherwise; None: it is opened beside whoever serves. The data folder's lock does so for SQLite.
    Raises `DatabaseError` when it cannot be opened, is of a newer version or is no database of this program.
    """
    if is_postgresql(url):
        # asyncpg takes 40 ms to load: who has SQLite need not wait for it
        from chat_app.backends.sql.postgresql import open_postgresql

        return await open_postgresql(url, shared=shared, queue_limit=queue_limit)
    path = path_of(url)
    writing = _prepare(path, backups)
    return SqliteDatabase(path, writing, queue_limit=queue_limit)


def is_postgresql(url: str) -> bool:
    """Whether a URL names a PostgreSQL database."""
    return url.partition("://")[0] in ("postgresql", "postgres")


def _prepare(path: Path, backups: Path) -> Engine:
    """The engine with its connection open: readers can open the file only while the writer has it open."""
    try:
        make_folder(path.parent)
        if path.exists():
            path.chmod(0o600)
        else:
            create_private(path)
        migrate(path, backups=backups)
        engine = writing_engine(path)
        try:
            with engine.begin():  # shows whether it can be written
                return engine
        except BaseException:
            engine.dispose()
            raise
    except OSError as error:
        raise DatabaseError(f"The database {path} cannot be opened: {error.strerror}.") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise DatabaseError(f"The database {path} cannot be opened: {describe(error)}.") from error


class SqliteDatabase(SqlDatabase):
    """`ports.Database` in one SQLite file."""

    def __init__(self, path: Path, writing: Engine, *, queue_limit: int) -> None:
        super().__init__()
        self._path = path
        self._backing_up = asyncio.Lock()
        self._writer = Writer(
            writing,
            store_changes,
            takes_away=lambda change: isinstance(change, Amend),
            queue_limit=queue_limit,
            on_fatal=lambda line: self.on_fatal(line),
            on_commit=self._committed,
        )
        self._readers = Readers(reading_engine(path, connections=reading.THREADS))
        self._open_ports(self._writer, self._readers)

    async def ready(self) -> bool:
        """Whether it answers a query and the last transaction was not lost to the disk."""
        if self._writer.failed:
            return False
        try:
            await self._readers.read(
                lambda connection: connection.execute(select(rooms.c.id).limit(1)).first()
            )
        except (Busy, SQLAlchemyError):
            return False
        return True

    async def backup(self, path: Path) -> None:
        """A consistent copy into a new file with mode 0600, while everything goes on; one at a time.

        Raises `ChatError`: `exists` when the file is there, `failed` when it cannot be written.
        """
        async with self._backing_up:
            await asyncio.to_thread(_back_up, self._path, path)

    async def last_backup_ms(self) -> int | None:
        """When the last backup was made, by whichever process; None when there never was one."""
        try:
            return int((self._path.parent / LAST_BACKUP).stat().st_mtime * 1000)
        except OSError:
            return None

    async def settle(self) -> None:
        """Wait until everything that is queued now is committed and its outcome told."""
        await self._writer.settle()

    async def close(self) -> None:
        """Commit what is queued, then close."""
        await self._readers.close()  # first, so that the last one to close can empty the -wal file
        await self._writer.close()


def _back_up(path: Path, target: Path) -> None:
    with new_backup_file(target) as temporary, closing(open_reading(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(temporary),))
    (path.parent / LAST_BACKUP).touch(mode=0o600)
