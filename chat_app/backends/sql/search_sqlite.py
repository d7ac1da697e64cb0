"""Searching in SQLite: candidates, newest first, each looked at before it counts as a hit. `search` calls it.

What was not indexed yet, and terms too short for the index, are looked for in the messages themselves.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator

from sqlalchemy import Connection

from chat_app.backends.sql import search_terms
from chat_app.backends.sql.direct import driver_of
from chat_app.backends.sql.search_index_sqlite import indexed_upto
from chat_app.backends.sql.search_sqlite_candidates import Plan, plan_of, scope_of
from chat_app.backends.sql.search_terms import Found, is_hit, pieces_of
from chat_app.models import SearchQuery

_STEPS = 2_000  # of SQLite's machine between two looks at the clock


def find(
    connection: Connection, query: SearchQuery, *, account_id: str, before: int | None, limit: int
) -> Found:
    """Hits before the row `before`, one more than `limit` where there are more."""
    driver = driver_of(connection)
    scope = scope_of(driver, query, account_id)
    if scope is None:
        return Found([], None)
    pieces = pieces_of([term.text for term in query.terms])
    plan = plan_of(driver, scope, pieces, upto=indexed_upto(connection), before=before)
    hits: list[tuple[int, str]] = []
    last: int | None = None
    with _Deadline(driver) as deadline:
        for rowid, message_id, content in _candidates(driver, plan):
            if is_hit(content, query.terms):
                hits.append((rowid, message_id))
                if len(hits) > limit:
                    break
            last = rowid
    return Found(hits, last if deadline.passed else plan.rest, deadline.passed)


def _candidates(driver: sqlite3.Connection, plan: Plan) -> Iterator[tuple[int, str, str]]:
    for statement, values in plan.statements:
        yield from driver.execute(statement, values)


class _Deadline:
    """Interrupts what the connection does when its time is over; the query so far stands."""

    def __init__(self, driver: sqlite3.Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self.passed = False
        self._driver = driver
        self._clock = clock
        self._end = clock() + search_terms.DEADLINE_SECONDS

    def __enter__(self) -> _Deadline:
        self._driver.set_progress_handler(self._is_over, _STEPS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self._driver.set_progress_handler(None, 0)
        return self.passed and isinstance(error, sqlite3.OperationalError)

    def _is_over(self) -> bool:
        self.passed = self._clock() > self._end
        return self.passed
