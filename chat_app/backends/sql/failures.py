"""Telling apart what SQL drivers raise: locked, the disk failed, or only this statement was wrong."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import (
    DatabaseError as DriverError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)

_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_STATEMENT_ERRORS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


class DatabaseError(Exception):
    """The database cannot be opened or restored; its text is one sentence for whoever runs the server."""


def is_storage_failure(error: BaseException) -> bool:
    """Whether the database itself failed (locked, full, damaged), so that the transaction is lost."""
    return isinstance(error, DriverError) and not isinstance(error, _STATEMENT_ERRORS)


def first_failure(error: BaseException) -> BaseException:
    """The first failure of the database that led to `error`: rolling back after it may have failed too."""
    earlier, first = error.__context__, error
    while earlier is not None:
        if is_storage_failure(earlier):
            first = earlier
        earlier = earlier.__context__
    return first


def is_locked(error: BaseException) -> bool:
    """Whether somebody else holds the database: it may be tried again."""
    original = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(original, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _LOCKED


def describe(error: BaseException) -> str:
    """The driver's own words, without the statement and its parameters: those hold what people wrote."""
    return str(
        error.orig if isinstance(error, DBAPIError) and error.orig is not None else type(error).__name__
    )


def is_cancelled(error: DBAPIError) -> bool:
    """Whether PostgreSQL ended the statement since its time was over."""
    return getattr(error.orig, "sqlstate", None) == "57014"
