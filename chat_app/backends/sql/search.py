"""`ports.Search` in SQLite: candidates, newest first, each looked at before it counts as a hit.

What was not indexed yet, and terms too short for the index, are looked for in the messages themselves.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection

from chat_app.backends.sql.direct import driver_of
from chat_app.backends.sql.messages import message_of, select_messages
from chat_app.backends.sql.schema import messages
from chat_app.backends.sql.search_candidates import Plan, pieces_of, plan_of, scope_of
from chat_app.backends.sql.search_index import CHUNK, index_more, indexed_upto
from chat_app.backends.sql.ways import Reading, Writing
from chat_app.errors import Busy
from chat_app.folding import fold
from chat_app.models import SearchPage, SearchQuery, Term

DEADLINE_SECONDS = 0.5
"""A search that takes longer ends with what it has found."""
CATCH_UP_PAUSE_SECONDS = 0.03
"""Between two chunks, so that what people send is stored meanwhile."""
_STEPS = 2_000  # of SQLite's machine between two looks at the clock


class SqlSearch:
    """The messages, and the index beside them."""

    def __init__(self, writer: Writing, readers: Reading) -> None:
        self._writer = writer
        self._readers = readers
        self.behind = True
        """Whether something may have come that is not in the index; `history` says so."""

    async def find(
        self, query: SearchQuery, *, account_id: str, before: int | None, limit: int
    ) -> SearchPage:
        """At most `limit` hits older than `before`, what an earlier page gave as `next`."""
        return await self._readers.read(
            lambda connection: _find(connection, query, account_id, before, limit)
        )

    async def catch_up(self) -> None:
        """Index what came since the last call."""
        try:
            while self.behind:
                self.behind = False
                if await self._writer.write(index_more) == CHUNK:
                    self.behind = True
                    await asyncio.sleep(CATCH_UP_PAUSE_SECONDS)
        except Busy:
            self.behind = True


def _find(
    connection: Connection, query: SearchQuery, account_id: str, before: int | None, limit: int
) -> SearchPage:
    driver = driver_of(connection)
    scope = scope_of(driver, query, account_id)
    if scope is None:
        return SearchPage((), None, complete=True)
    pieces = pieces_of([term.text for term in query.terms])
    plan = plan_of(driver, scope, pieces, upto=indexed_upto(connection), before=before)
    hits: list[tuple[int, str]] = []
    last: int | None = None
    with _Deadline(driver) as deadline:
        for rowid, message_id, content in _candidates(driver, plan):
            if _is_hit(content, query.terms):
                hits.append((rowid, message_id))
                if len(hits) > limit:
                    break
            last = rowid
    more = len(hits) > limit
    hits = hits[:limit]
    following = hits[-1][0] if more else last if deadline.passed else plan.rest
    found = {m.id: m for m in map(message_of, _chosen(connection, [message_id for _, message_id in hits]))}
    return SearchPage(
        tuple(found[message_id] for _, message_id in hits),
        following,
        complete=more or not (deadline.passed or following is not None),
    )


def _candidates(driver: sqlite3.Connection, plan: Plan) -> Iterator[tuple[int, str, str]]:
    for statement, values in plan.statements:
        yield from driver.execute(statement, values)


def _is_hit(content: str, terms: tuple[Term, ...]) -> bool:
    folded = fold(content)
    return all(_contains(folded, term) for term in terms)


def _contains(folded: str, term: Term) -> bool:
    at = folded.find(term.text)
    while at >= 0:
        end = at + len(term.text)
        if not term.whole or (
            not (at and folded[at - 1].isalnum() and term.text[0].isalnum())
            and not (end < len(folded) and folded[end].isalnum() and term.text[-1].isalnum())
        ):
            return True
        at = folded.find(term.text, at + 1)
    return False


def _chosen(connection: Connection, ids: list[str]) -> Any:
    return connection.execute(select_messages().where(messages.c.id.in_(ids))) if ids else ()


class _Deadline:
    """Interrupts what the connection does when its time is over; the query so far stands."""

    def __init__(self, driver: sqlite3.Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self.passed = False
        self._driver = driver
        self._clock = clock
        self._end = clock() + DEADLINE_SECONDS

    def __enter__(self) -> _Deadline:
        self._driver.set_progress_handler(self._is_over, _STEPS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self._driver.set_progress_handler(None, 0)
        return self.passed and isinstance(error, sqlite3.OperationalError)

    def _is_over(self) -> bool:
        self.passed = self._clock() > self._end
        return self.passed
