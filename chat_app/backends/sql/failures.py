"""Telling apart what SQL drivers raise: the database is away or failed, somebody else was in the way, or only
this statement was wrong.
"""

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
_STATEMENT_CLASSES = ("0A", "21", "22", "23", "42", "44", "54", "P0")
"""The first two characters of a SQLSTATE (PostgreSQL, appendix A) that speaks of the statement alone."""
_CONFLICTS = ("40001", "40P01", "55P03")
"""Serialisation failure, deadlock, a lock that was not got in time: the transaction is undone."""
_STALE_PLAN = "cached statement plan is invalid"


class DatabaseError(Exception):
    """The database cannot be opened or restored; its text is one sentence for whoever runs the server."""


def is_storage_failure(error: BaseException) -> bool:
    """Whether the database itself failed (locked, full, damaged, away), so that the transaction is lost."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = _state(error)
    if state is not None:
        return not state.startswith(_STATEMENT_CLASSES) and state not in _CONFLICTS
    if isinstance(error, OSError):  # of a driver's connection, and its time-outs
        return True
    return isinstance(error, DriverError) and not isinstance(error, _STATEMENT_ERRORS)


def is_conflict(error: BaseException) -> bool:
    """Whether another transaction, or a migration, was in the way: the same may be tried again at once."""
    return _state(error) in _CONFLICTS or (isinstance(error, DBAPIError) and _STALE_PLAN in str(error.orig))


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
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(
        error.orig if isinstance(error, DBAPIError) and error.orig is not None else type(error).__name__
    )


def is_cancelled(error: BaseException) -> bool:
    """Whether PostgreSQL ended the statement since its time was over."""
    return _state(error) == "57014"


def kind_of(error: DBAPIError) -> str:
    """What was wrong with a statement, without the values that PostgreSQL's words, and its driver's, hold."""
    state = _state(error)
    cause = getattr(error.orig, "__cause__", None)
    return describe(error) if state is None else f"{type(cause or error).__name__} ({state})"


def _state(error: BaseException) -> str | None:
    """The SQLSTATE of what PostgreSQL, or its driver, says; None for other databases."""
    original = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(original, "sqlstate", None)
    return state if isinstance(state, str) else None
