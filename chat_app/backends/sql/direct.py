"""Statements that every message or connection needs: compiled from Core once, then run by SQLite's driver.

`posts`, `rooms` and `sessions` run them inside the transaction that is open. SQLAlchemy's execution costs
100 µs a statement, the statement itself 5 (docs/performance.md). Errors inside a `savepoint` are those that
SQLAlchemy would raise, without parameters. On PostgreSQL, where a statement costs a way over the network, the
same objects are executed by SQLAlchemy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import Executable

from chat_app.backends.sql.failures import is_storage_failure

Row = tuple[Any, ...]
Runner = sqlite3.Connection | Connection
"""What runs a `Statement`: SQLite's driver, or SQLAlchemy on PostgreSQL."""
_DIALECT = sqlite.dialect()


class Statement:
    """A statement with its text and the order of its parameters."""

    def __init__(self, statement: Executable) -> None:
        self.core = statement
        compiled: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
        self.text: str = str(compiled)
        names: list[str] = compiled.positiontup
        own = {name: value for name, value in compiled.params.items() if value is not None}
        """What stands in the statement itself, a limit say."""
        self._in_order: Callable[[Mapping[str, Any]], Row]
        if len(names) > 1 and not own:
            self._in_order = itemgetter(*names)
        else:
            self._in_order = lambda values: tuple(
                own[name] if name in own else values[name] for name in names
            )

    def run(self, runner: Runner, values: Mapping[str, Any]) -> sqlite3.Cursor | CursorResult[Any]:
        """Executes it."""
        if isinstance(runner, sqlite3.Connection):
            return runner.execute(self.text, self._in_order(values))
        return runner.execute(self.core, values)

    def run_many(self, runner: Runner, rows: Iterable[Mapping[str, Any]]) -> None:
        """Executes it for each."""
        if isinstance(runner, sqlite3.Connection):
            runner.executemany(self.text, map(self._in_order, rows))
        elif given := list(rows):
            runner.execute(self.core, given)


def runner_of(connection: Connection) -> Runner:
    """What runs statements fastest in the transaction of this connection."""
    return driver_of(connection) if connection.dialect.name == "sqlite" else connection


def driver_of(connection: Connection) -> sqlite3.Connection:
    """SQLite's connection below SQLAlchemy's, in the same transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


@contextmanager
def savepoint(driver: sqlite3.Connection) -> Iterator[None]:
    """What fails inside leaves nothing behind; when the database itself fails, the transaction is lost.

    SQLite keeps every page as it was before: of 50 posts in 50 rooms storing takes twice as long in one.
    """
    try:
        with translated():
            driver.execute("SAVEPOINT direct")
            yield
            driver.execute("RELEASE direct")
    except BaseException as error:
        if not is_storage_failure(error):
            driver.execute("ROLLBACK TO direct")
            driver.execute("RELEASE direct")
        raise


@contextmanager
def translated() -> Iterator[None]:
    """What the driver raises inside is raised as SQLAlchemy would."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(None, None, error, sqlite3.Error, hide_parameters=True) from error
