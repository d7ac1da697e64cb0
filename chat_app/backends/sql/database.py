"""The database as a whole: opening, backing up, closing. The composition root and the command line call it.

Two ways lead in: `Writer` (one thread, one connection) and `Readers` (snapshots that nothing waits for).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from chat_app.backends.sql import readers as reading
from chat_app.backends.sql.accounts import SqlAccounts
from chat_app.backends.sql.changes import store_changes
from chat_app.backends.sql.failures import DatabaseError as DatabaseError, describe
from chat_app.backends.sql.files import (
    create_private,
    make_folder,
    new_file_beside,
    open_reading,
    path_of,
    reading_engine,
    sync_file,
    writing_engine,
)
from chat_app.backends.sql.history import SqlHistory
from chat_app.backends.sql.readers import Readers
from chat_app.backends.sql.restore import restore_database as restore_database
from chat_app.backends.sql.revisions import migrate
from chat_app.backends.sql.rooms import SqlRooms
from chat_app.backends.sql.schema import rooms
from chat_app.backends.sql.search import SqlSearch
from chat_app.backends.sql.writer import Writer
from chat_app.errors import Busy, ChatError
from chat_app.models import Amend
from chat_app.ports import Accounts, History, Rooms, Search

LAST_BACKUP = "last_backup"
"""An empty file beside the database; its time tells when the last backup was made."""


async def open_database(url: str, *, backups: Path, queue_limit: int = 4096) -> SqlDatabase:
    """The database of `url`, made or migrated where needed; `queue_limit` jobs may wait for the writer.

    Raises `DatabaseError` when it cannot be opened, is of a newer version or is no database of this program.
    """
    path = path_of(url)
    writing = _prepare(path, backups)
    return SqlDatabase(path, writing, queue_limit=queue_limit)


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


class SqlDatabase:
    """`ports.Database` in one SQLite file. Made on the running event loop, whose callbacks it uses."""

    history: History
    search: Search
    rooms: Rooms
    accounts: Accounts

    def __init__(self, path: Path, writing: Engine, *, queue_limit: int) -> None:
        self.on_fatal: Callable[[str], None] = _ignore
        """Called with one line on the loop when the disk fails; once until a commit succeeds again."""
        self.commit_seconds: Callable[[float, int], None] | None = None
        """Called on the loop after each transaction: how long it took, how many changes it stored."""
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
        self.search = search = SqlSearch(self._writer, self._readers)
        self.history = SqlHistory(self._writer, self._readers, search)
        self.rooms = SqlRooms(self._writer, self._readers)
        self.accounts = SqlAccounts(self._writer, self._readers)

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

    def _committed(self, seconds: float, changes: int) -> None:
        if self.commit_seconds is not None:
            self.commit_seconds(seconds, changes)


def _back_up(path: Path, target: Path) -> None:
    target = target.absolute()
    if target.exists():
        raise ChatError("exists", f"The file {target} is there already.")
    try:
        with new_file_beside(target) as temporary:
            with closing(open_reading(path)) as connection:
                connection.execute("VACUUM INTO ?", (str(temporary),))
            sync_file(temporary)
            os.link(temporary, target)  # unlike a renaming it never takes the place of another file
        sync_file(target)
        (path.parent / LAST_BACKUP).touch(mode=0o600)
    except FileExistsError:
        raise ChatError("exists", f"The file {target} is there already.") from None
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ChatError("failed", f"The backup {target} cannot be written: {reason}.") from error


def _ignore(line: str) -> None:
    """Nobody asked to be told."""
