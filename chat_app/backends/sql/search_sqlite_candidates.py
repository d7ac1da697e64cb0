"""Which messages a search looks at in SQLite, newest first: the few of an author or a room, those that the
index gives, or the newest themselves. `search_sqlite` runs it, and looks at each before it counts as a hit.

Every statement runs along one index and sorts nothing but the few: a test reads their plans.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from chat_app.backends.sql import search_terms
from chat_app.backends.sql.search_scope import Values, conditions_of
from chat_app.models import SearchQuery

CLOCK_SLACK_MS = 6 * 3_600_000
"""Rows stand in the order of time, but for a clock that was set anew: by no more than this."""
END = 2**62

_COLUMNS = "SELECT messages.rowid, messages.id, messages.text FROM"


class Scope(Struct, frozen=True):
    """What a message has to be, whatever it says; `low` and `high`: the rows of its time, `high` excluded."""

    conditions: str
    values: Values
    low: int
    high: int
    narrow: bool
    """Whether it is worth to look at all of the author or the room."""


class Plan(Struct, frozen=True):
    """Statements that give (rowid, id, text), to be run one after the other."""

    statements: list[tuple[str, Values]]
    rest: int | None
    """Where to go on, for older ones were left out; None: there are none."""


def scope_of(driver: sqlite3.Connection, query: SearchQuery, account_id: str) -> Scope | None:
    """What may be looked at; None where there is nothing, for nobody has that name or sees such a room."""
    found = conditions_of(lambda asked, values: driver.execute(asked, values).fetchone(), query, account_id)
    if found is None:
        return None
    low = 0 if query.since_ms is None else _row_from(driver, query.since_ms - CLOCK_SLACK_MS)
    high = END if query.until_ms is None else _row_from(driver, query.until_ms + CLOCK_SLACK_MS)
    few = bool(found.chosen) and _are_few(driver, " AND ".join(found.chosen), found.values)
    return Scope(found.text, found.values, low, high, narrow=few)


def plan_of(
    driver: sqlite3.Connection, scope: Scope, pieces: list[str], *, upto: int, before: int | None
) -> Plan:
    """What to look at for older ones than `before`; the index reaches to the row `upto`."""
    end = min(END if before is None else before, scope.high)
    values: Values = {**scope.values, "low": scope.low, "end": end}
    if scope.narrow:
        statement = few_of_author if "author" in values else few_of_room
        return Plan([(statement(scope.conditions), values)], None)
    newest = driver.execute("SELECT max(rowid) FROM messages WHERE rowid < ?", (end,)).fetchone()[0] or 0
    floor = max(newest - search_terms.SCAN_LIMIT, scope.low - 1, upto if pieces else 0)
    statements = [(scan(scope.conditions), {**values, "low": floor + 1})] if newest > floor else []
    if not pieces or floor > max(upto, scope.low - 1):
        return Plan(statements, floor + 1 if floor > max(scope.low - 1, 0) else None)
    match = " AND ".join('"' + piece.replace('"', '""') + '"' for piece in pieces)
    asked = {**values, "match": match, "end": min(end, upto + 1)}
    return Plan([*statements, (by_index(scope.conditions), asked)], None)


def few_of_room(conditions: str) -> str:
    """All of a room along its log, in which seq rises with the rows."""
    return (
        f"{_COLUMNS} messages WHERE {conditions} AND +messages.rowid >= :low AND +messages.rowid < :end "
        "ORDER BY messages.seq DESC"
    )


def few_of_author(conditions: str) -> str:
    """All of an author, sorted: the + keeps the planner from walking through everybody's instead."""
    return (
        f"{_COLUMNS} messages WHERE {conditions} AND +messages.rowid >= :low AND +messages.rowid < :end "
        "ORDER BY +messages.rowid DESC"
    )


def scan(conditions: str) -> str:
    """A stretch of all messages; the + keeps the planner from collecting and sorting what an index gives."""
    return (
        f"{_COLUMNS} messages WHERE messages.rowid >= :low AND messages.rowid < :end "
        f"AND {_unindexed(conditions)} ORDER BY messages.rowid DESC"
    )


def by_index(conditions: str) -> str:
    """What has all pieces. CROSS JOIN says that the index comes first."""
    return (
        f"{_COLUMNS} messages_index CROSS JOIN messages ON messages.rowid = messages_index.rowid "
        "WHERE messages_index MATCH :match AND messages_index.rowid >= :low AND messages_index.rowid < :end "
        f"AND {_unindexed(conditions)} ORDER BY messages_index.rowid DESC"
    )


def _unindexed(conditions: str) -> str:
    for column in ("messages.account_id =", "messages.room_id"):
        conditions = conditions.replace(column, f"+{column}")
    return conditions


def _are_few(driver: sqlite3.Connection, chosen: str, values: Values) -> bool:
    limit = search_terms.NARROW_LIMIT
    some = f"SELECT 1 FROM messages WHERE {chosen} LIMIT {limit + 1}"  # nosec B608 # conditions of ours
    return bool(driver.execute(f"SELECT count(*) FROM ({some})", values).fetchone()[0] <= limit)  # nosec B608


def _row_from(driver: sqlite3.Connection, moment_ms: int) -> int:
    """The first row of a message that was sent at that moment or later."""
    low, high = 0, (driver.execute("SELECT max(rowid) FROM messages").fetchone()[0] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        at = "SELECT rowid, sent_ms FROM messages WHERE rowid >= ? ORDER BY rowid LIMIT 1"
        row, sent_ms = driver.execute(at, (middle,)).fetchone() or (high, moment_ms)
        low, high = (row + 1, high) if sent_ms < moment_ms else (low, middle)
    return low
