"""Searching in PostgreSQL: candidates by their position in time, newest first. `search` calls it.

The few of an author or a room are looked through; else what the index gives, in stretches of time that grow,
and beside it what is not indexed yet; for terms too short for it, or while it is far behind, the newest.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from chat_app.backends.sql import search_terms
from chat_app.backends.sql.failures import is_cancelled
from chat_app.backends.sql.search_index_postgresql import BEHIND, BEYOND, POSITION, hashes, position_of
from chat_app.backends.sql.search_scope import Conditions, conditions_of
from chat_app.backends.sql.search_terms import Found, is_hit, pieces_of
from chat_app.models import SearchQuery

STRETCH = 5_000
"""Messages in the newest stretch; what is not in it often enough is seldom, and the index gives all of it."""
GROWTH = (10, 100)
"""How much longer than that the next stretches are; then the rest."""
_END = 2**62
_AT_ONCE = 1_000  # rows brought over together

_Candidate = tuple[int, str, str | None]
"""Position, id, text; without a text: all down to this position was looked at."""


def find(
    connection: Connection, query: SearchQuery, *, account_id: str, before: int | None, limit: int
) -> Found:
    """Hits before the position `before`, one more than `limit` where there are more."""

    def first(statement: str, values: dict[str, Any]) -> Any:
        return connection.execute(text(statement), values).first()

    conditions = conditions_of(first, query, account_id)
    if conditions is None:
        return Found([], None)
    end = _END if query.until_ms is None else position_of(query.until_ms, 0)
    walk = _Walk(
        connection,
        conditions,
        pieces_of([term.text for term in query.terms]),
        low=0 if query.since_ms is None else position_of(query.since_ms, 0),
        end=end if before is None else min(end, before),
    )
    hits: dict[str, int] = {}  # by id: what is being indexed is found twice
    last: int | None = None
    attempt = connection.begin_nested()  # left with everything that was set in it
    try:
        for position, message_id, content in walk.candidates():
            if content is not None and is_hit(content, query.terms):
                hits.setdefault(message_id, position)
                if len(hits) > limit:
                    break
            last = position
    except Exception as error:  # while rows are brought over it is the driver's own
        if not is_cancelled(error):
            raise
        walk.late = True
    finally:
        attempt.rollback()
    found = [(position, message_id) for message_id, position in hits.items()]
    return Found(found, last if walk.late else walk.rest, walk.late)


class _Walk:
    """What to look at, as long as there is time."""

    def __init__(
        self, connection: Connection, conditions: Conditions, pieces: list[str], *, low: int, end: int
    ) -> None:
        self.rest: int | None = None
        """Where to go on, for older ones were left out; None: there are none."""
        self.late = False
        self._connection = connection
        self._conditions = conditions
        self._pieces = pieces
        self._values = {**conditions.values, "low": low, "end": end}
        self._deadline = time.monotonic() + search_terms.DEADLINE_SECONDS

    def candidates(self) -> Iterator[_Candidate]:
        """Newest first; ends early, and is `late` then, when the time is over."""
        if self._is_narrow():
            yield from self._rows(_FEW)
            return
        behind = self._connection.execute(BEHIND).all() if self._pieces else []
        if not self._pieces or sum(row.seq - row.upto for row in behind) > search_terms.SCAN_LIMIT:
            yield from self._newest()
            return
        asked = {"ids": [row.id for row in behind], "uptos": [row.upto for row in behind]}
        fresh = list(self._rows(_FRESH, limit=search_terms.SCAN_LIMIT, **asked)) if behind else []
        yield from heapq.merge(fresh, self._indexed(), key=lambda row: row[0], reverse=True)

    def _is_narrow(self) -> bool:
        chosen, limit = self._conditions.chosen, search_terms.NARROW_LIMIT
        if not chosen:
            return False
        few = f"SELECT 1 FROM messages WHERE {' AND '.join(chosen)} LIMIT :limit"  # nosec B608 # our own text
        number = self._scalar(f"SELECT count(*) FROM ({few}) AS few", limit=limit + 1)  # nosec B608
        return number is not None and number <= limit

    def _newest(self) -> Iterator[_Candidate]:
        scan = search_terms.SCAN_LIMIT
        yield from self._rows(_NEWEST, limit=scan)
        floor = (
            None
            if self.late
            else self._scalar(_FLOOR.format(place=POSITION, table="messages"), skip=scan - 1)
        )
        if floor is not None:
            yield floor, "", None
            older = f"SELECT EXISTS (SELECT 1 FROM messages WHERE {POSITION} >= :low AND {POSITION} < :floor)"  # nosec B608 # our own text
            self.rest = floor if self._scalar(older, floor=floor) else None

    def _indexed(self) -> Iterator[_Candidate]:
        hashed = hashes(self._pieces)
        upper, statement = self._values["end"], _BY_POSITION
        for lower in self._bounds():
            yield from self._rows(statement, pieces=hashed, low=lower, end=upper)
            if self.late:
                return
            yield lower, "", None
            upper, statement = lower, _BY_INDEX

    def _bounds(self) -> Iterator[int]:
        """Where the stretches begin, the newest one's first."""
        low = self._values["low"]
        place = {"place": "position", "table": "messages_index"}
        newest = self._scalar(_FLOOR.format(**place), skip=0)
        floor = self._scalar(_FLOOR.format(**place), skip=STRETCH - 1)
        if newest is not None and floor is not None:
            yield floor
            for times in GROWTH:
                if (bound := floor - times * (newest - floor)) > low and bound < floor:
                    yield bound
        yield low

    def _rows(self, statement: str, **values: Any) -> Iterator[_Candidate]:
        if not self._limit_time():
            return
        asked = text(statement.format(conditions=self._conditions.text, position=POSITION))
        rows = self._connection.execution_options(yield_per=_AT_ONCE).execute(
            asked, {**self._values, **values}
        )
        with rows:
            for number, (position, message_id, content) in enumerate(rows):
                yield position, message_id, content
                if number % _AT_ONCE == _AT_ONCE - 1 and not self._limit_time(here=True):
                    return

    def _scalar(self, statement: str, **values: Any) -> Any:
        if not self._limit_time():
            return None
        return self._connection.execute(text(statement), {**self._values, **values}).scalar()

    def _limit_time(self, *, here: bool = False) -> bool:
        """Whether there is time left; the next statement gets no more, and is planned for its values."""
        left = self._deadline - time.monotonic()
        self.late = self.late or left <= 0
        if not self.late and not here:
            self._connection.execute(_LIMIT, {"left": f"{max(1, int(left * 1000))}"})
        return not self.late


_LIMIT = text(
    "SELECT set_config('statement_timeout', :left, true), "
    "set_config('plan_cache_mode', 'force_custom_plan', true)"
)
# All of it is our own text; what is looked for are values. Each statement leaves the planner no choice but
# one: what it may walk along stands in the inner part.
_FEW = (
    "WITH few AS MATERIALIZED (SELECT {position} AS position, id, text FROM messages WHERE {conditions}) "
    "SELECT position, id, text FROM few WHERE position >= :low AND position < :end ORDER BY position DESC"
)
_NEWEST = (
    "SELECT position, id, text FROM (SELECT {position} AS position, messages.* FROM messages "
    "WHERE {position} >= :low AND {position} < :end ORDER BY {position} DESC LIMIT :limit) AS messages "
    "WHERE {conditions} ORDER BY position DESC"
)
_FRESH = (
    f"SELECT {{position}} AS position, messages.id, messages.text FROM {BEYOND} "
    "WHERE {position} >= :low AND {position} < :end AND {conditions} ORDER BY position DESC"  # nosec B608
)
_WITHIN = "position >= :low AND position < :end"
_HAS_PIECES = "pieces @> CAST(:pieces AS smallint[])"
_FOUND = (
    "SELECT found.position, messages.id, messages.text FROM found CROSS JOIN LATERAL "
    "(SELECT * FROM messages WHERE messages.id = found.message_id LIMIT 1) AS messages "
    "WHERE {conditions} ORDER BY found.position DESC"
)
_BY_POSITION = (
    f"WITH near AS MATERIALIZED (SELECT * FROM messages_index WHERE {_WITHIN}), "
    f"found AS MATERIALIZED (SELECT message_id, position FROM near WHERE {_HAS_PIECES}) {_FOUND}"  # nosec B608
)
_BY_INDEX = (
    "WITH found AS MATERIALIZED (SELECT message_id, position FROM messages_index "
    f"WHERE {_HAS_PIECES} AND {_WITHIN}) {_FOUND}"  # nosec B608
)
_FLOOR = (
    "SELECT {place} FROM {table} WHERE {place} >= :low AND {place} < :end "
    "ORDER BY {place} DESC OFFSET :skip LIMIT 1"
)
