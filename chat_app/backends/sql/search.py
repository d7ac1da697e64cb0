"""`ports.Search` in SQLite: candidates by the index, newest first, each looked at before it counts as a hit.

What was not indexed yet, and terms too short for the index, are looked for in the newest messages themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from chat_app.backends.sql.messages import message_of, select_messages
from chat_app.backends.sql.readers import Readers
from chat_app.backends.sql.schema import messages
from chat_app.backends.sql.search_index import CHUNK, index_more, indexed_upto
from chat_app.backends.sql.writer import Writer
from chat_app.errors import Busy
from chat_app.folding import fold
from chat_app.models import SearchPage, SearchQuery, Term

SCAN_LIMIT = 50_000
"""Messages looked through without an index: about 50 ms."""
DEADLINE_SECONDS = 0.5
"""A search that takes longer ends with what it has found."""
PIECE = 3
PIECES_LIMIT = 40
CATCH_UP_PAUSE_SECONDS = 0.03
"""Between two chunks, so that what people send is stored meanwhile."""
_STEPS = 2_000  # of SQLite's machine between two looks at the clock

_VISIBLE = (
    "room_id IN (SELECT id FROM rooms WHERE kind = 'public' OR EXISTS (SELECT 1 FROM room_members "
    "WHERE room_members.room_id = rooms.id AND room_members.account_id = :account))"
)  # rooms.seen_by, for a statement that is written out


class SqlSearch:
    """The messages, and the index beside them."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
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
    upto = indexed_upto(connection)
    conditions, values = _conditions(query, account_id)
    pieces = _pieces(query.terms)
    hits: list[tuple[int, str]] = []
    last: int | None = None
    with _Deadline(connection) as deadline:
        for rowid, message_id, content in _candidates(connection, conditions, values, pieces, upto, before):
            if _is_hit(content, query.terms):
                hits.append((rowid, message_id))
                if len(hits) > limit:
                    break
            last = rowid
    more = len(hits) > limit
    hits = hits[:limit]
    if more:
        following: int | None = hits[-1][0]
    elif deadline.passed:
        following = last
    else:
        following = None if pieces else _scanned_to(connection, before)
    found = {m.id: m for m in map(message_of, _chosen(connection, [message_id for _, message_id in hits]))}
    return SearchPage(
        tuple(found[message_id] for _, message_id in hits),
        following,
        complete=more or not (deadline.passed or following is not None),
    )


def _conditions(query: SearchQuery, account_id: str) -> tuple[str, dict[str, Any]]:
    parts = ["messages.deleted_ms IS NULL", "messages.notice IS NULL", f"messages.{_VISIBLE}"]
    values: dict[str, Any] = {"account": account_id}
    for part, name, value in (
        (
            "messages.account_id = (SELECT id FROM accounts WHERE name_key = :author)",
            "author",
            query.author_key,
        ),
        ("messages.room_id = (SELECT id FROM rooms WHERE slug_key = :room)", "room", query.room_slug),
        ("messages.sent_ms >= :since", "since", query.since_ms),
        ("messages.sent_ms < :until", "until", query.until_ms),
    ):
        if value is not None:
            parts.append(part)
            values[name] = value
    return " AND ".join(parts), values


def _pieces(terms: tuple[Term, ...]) -> list[str]:
    """What the index is asked for; nothing when every term is too short for it."""
    found = {
        term.text[start : start + PIECE] for term in terms for start in range(len(term.text) - PIECE + 1)
    }
    return sorted(found)[:PIECES_LIMIT]


def _candidates(
    connection: Connection,
    conditions: str,
    values: dict[str, Any],
    pieces: list[str],
    upto: int,
    before: int | None,
) -> Iterator[tuple[int, str, str]]:
    """(rowid, id, text), newest first: what is not indexed yet, then what the index gives."""
    end = before if before is not None else 2**62
    floor = upto if pieces else 0
    newest = (
        "SELECT rowid, id, text FROM (SELECT rowid, * FROM messages WHERE rowid > :floor AND rowid < :end "
        f"ORDER BY rowid DESC LIMIT {SCAN_LIMIT}) AS messages WHERE {conditions} ORDER BY rowid DESC"
    )
    if end > floor + 1:
        yield from _rows(connection, newest, {**values, "floor": floor, "end": end})
    if pieces:
        # The order of the joined tables is what CROSS JOIN says in SQLite: the index first.
        indexed = (
            "SELECT messages.rowid, messages.id, messages.text FROM messages_index CROSS JOIN messages "
            "ON messages.rowid = messages_index.rowid WHERE messages_index MATCH :match "
            f"AND messages_index.rowid < :end AND {conditions} ORDER BY messages_index.rowid DESC"
        )
        match = " AND ".join('"' + piece.replace('"', '""') + '"' for piece in pieces)
        yield from _rows(connection, indexed, {**values, "match": match, "end": min(end, upto + 1)})


def _rows(connection: Connection, statement: str, values: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
    with connection.execution_options(stream_results=True).execute(text(statement), values) as result:
        for row in result:
            yield row[0], row[1], row[2]


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


def _scanned_to(connection: Connection, before: int | None) -> int | None:
    """Where a look through the newest messages ended; None when it went through all of them."""
    end = before if before is not None else 2**62
    newest = (
        f"SELECT rowid FROM messages WHERE rowid < :end ORDER BY rowid DESC LIMIT 1 OFFSET {SCAN_LIMIT - 1}"
    )
    last = connection.execute(text(newest), {"end": end}).scalar_one_or_none()
    if last is None:
        return None
    older = connection.execute(text("SELECT 1 FROM messages WHERE rowid < :end LIMIT 1"), {"end": last})
    return int(last) if older.first() is not None else None


class _Deadline:
    """Interrupts what the connection does when its time is over; the query so far stands."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self.passed = False
        self._driver: Any = connection.connection.driver_connection
        self._clock = clock
        self._end = clock() + DEADLINE_SECONDS

    def __enter__(self) -> _Deadline:
        self._driver.set_progress_handler(self._is_over, _STEPS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self._driver.set_progress_handler(None, 0)
        return self.passed and isinstance(error, OperationalError)

    def _is_over(self) -> bool:
        self.passed = self._clock() > self._end
        return self.passed
