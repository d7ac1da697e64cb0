"""Where an installation may lie, SQLite or PostgreSQL: opened as a whole, to be read or to be replaced.

`copying` and `backups` use it. All of it is plain code that runs inside `outside_the_loop`, as PostgreSQL's
driver needs a loop. Reading sees one snapshot; replacing is one transaction, done or undone as a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Table, select
from sqlalchemy.util import greenlet_spawn

from chat_app.backends.sql.failures import DatabaseError
from chat_app.backends.sql.files import (
    exchange,
    has_log,
    make_folder,
    new_file_beside,
    reading_engine,
    sync_file,
    writing_engine,
)
from chat_app.backends.sql.revisions import migrate, stored_revision
from chat_app.backends.sql.schema import HEAD_REVISION, accounts, messages

CACHE_KIB = 65_536
"""Of SQLite while a file is filled: ids come in no order, so every row touches other pages."""

T = TypeVar("T")


def outside_the_loop(function: Callable[[], T]) -> T:
    """Runs it on a loop of its own in this thread, which must have none."""

    async def spawned() -> T:
        return await greenlet_spawn(function)

    return asyncio.run(spawned())


class Target(Protocol):
    """A place while it is replaced."""

    def held(self) -> Connection | None:
        """To read what is there; None when nobody ever used it."""

    def emptied(self) -> Connection:
        """To write: the tables of now. What is in them goes when something else is put there."""


class Place(Protocol):
    """A database; `str` of it is for messages. Everything here raises `DatabaseError`."""

    def reading(self, *, served: bool) -> AbstractContextManager[Connection]:
        """A snapshot of a database of this version; `served`: even while a PostgreSQL server process runs."""

    def replacing(self) -> AbstractContextManager[Target]:
        """It is as it was when the block is left by an exception."""


class SqlitePlace:
    """A file. Whoever serves it holds the lock of the data folder, which is the caller's to ask for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    @contextmanager
    def reading(self, *, served: bool = False) -> Iterator[Connection]:
        if not self.path.is_file():
            raise DatabaseError(f"There is no database {self.path}.")
        check_revision(str(self), stored_revision(self.path))
        engine = reading_engine(self.path, connections=1, immutable=not has_log(self.path))
        try:
            with engine.connect() as connection, connection.begin():
                yield connection
        finally:
            engine.dispose()

    @contextmanager
    def replacing(self) -> Iterator[Target]:
        make_folder(self.path.parent)
        with new_file_beside(self.path) as temporary:
            with ExitStack() as stack:
                target = _SqliteTarget(self, temporary, stack)
                yield target
            if target.filled:
                sync_file(temporary)
                exchange(temporary, self.path)


class _SqliteTarget:
    """A new file, which takes the place of the other one in the end."""

    def __init__(self, place: SqlitePlace, temporary: Path, stack: ExitStack) -> None:
        self.filled = False
        self._place = place
        self._temporary = temporary
        self._stack = stack

    def held(self) -> Connection | None:
        path = self._place.path
        if not path.exists() or stored_revision(path) is None:
            return None
        connection = self._stack.enter_context(self._place.reading())
        return connection if is_used(connection) else None

    def emptied(self) -> Connection:
        self.filled = True
        return self._stack.enter_context(new_database(self._temporary))


@contextmanager
def new_database(path: Path) -> Iterator[Connection]:
    """An empty file with the tables of now, open for one transaction."""
    migrate(path, backups=None, journal="DELETE")
    engine = writing_engine(path, journal="DELETE")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA cache_size=-{CACHE_KIB}")
            connection.commit()
            with connection.begin():
                yield connection
    finally:
        engine.dispose()


def check_revision(place: str, revision: str | None) -> None:
    """Raises `DatabaseError` unless it is of this version."""
    if revision is None:
        raise DatabaseError(f"The database {place} is empty.")
    if revision != HEAD_REVISION:
        raise DatabaseError(
            f"The database {place} is of another version (revision {revision}, not {HEAD_REVISION}); "
            "start the server on it once with this one."
        )


def is_used(connection: Connection) -> bool:
    """Whether anybody was ever there: a new database has but a lobby."""
    return any(_has_rows(connection, table) for table in (accounts, messages))


def _has_rows(connection: Connection, table: Table) -> bool:
    return connection.execute(select(table.c.id).limit(1)).first() is not None
