"""`ports.Search` over SQL: hits newest first, each looked at before it counts, within a deadline.

`search_sqlite` and `search_postgresql` find them; the index beside the messages is kept by `search_index`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import Connection

from chat_app.backends.sql.messages import message_of, select_messages
from chat_app.backends.sql.schema import messages
from chat_app.backends.sql.search_index import index_more
from chat_app.backends.sql.search_terms import Found
from chat_app.backends.sql.ways import Reading, Writing
from chat_app.errors import Busy
from chat_app.models import SearchPage, SearchQuery

CATCH_UP_PAUSE_SECONDS = 0.03
"""Between two chunks, so that what people send is stored meanwhile."""


class SqlSearch:
    """The messages, and the index beside them."""

    def __init__(self, writer: Writing, readers: Reading, *, shared: bool = False) -> None:
        """`shared`: other nodes store messages too, and one may be gone before it indexed its own."""
        self._writer = writer
        self._readers = readers
        self._shared = shared
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
            if self._shared and not self.behind:
                from chat_app.backends.sql.search_index_postgresql import is_behind

                self.behind = await self._readers.read(is_behind)
            while self.behind:
                self.behind = False
                if await self._writer.write(index_more):
                    self.behind = True
                    await asyncio.sleep(CATCH_UP_PAUSE_SECONDS)
        except Busy:
            self.behind = True


def _find(
    connection: Connection, query: SearchQuery, account_id: str, before: int | None, limit: int
) -> SearchPage:
    if connection.dialect.name == "postgresql":
        from chat_app.backends.sql.search_postgresql import find
    else:
        from chat_app.backends.sql.search_sqlite import find
    found = find(connection, query, account_id=account_id, before=before, limit=limit)
    hits, following = _page(found, limit)
    chosen = {m.id: m for m in map(message_of, _chosen(connection, [message_id for _, message_id in hits]))}
    more = len(found.hits) > limit
    return SearchPage(
        tuple(chosen[message_id] for _, message_id in hits),
        following,
        complete=more or not (found.late or following is not None),
    )


def _page(found: Found, limit: int) -> tuple[list[tuple[int, str]], int | None]:
    """The hits of this page and where the next one goes on: never between two at the same position."""
    if len(found.hits) <= limit:
        return found.hits, found.rest
    cut = found.hits[limit][0]
    hits = [hit for hit in found.hits[:limit] if hit[0] != cut] or found.hits[:limit]
    return hits, hits[-1][0]


def _chosen(connection: Connection, ids: list[str]) -> Any:
    return connection.execute(select_messages().where(messages.c.id.in_(ids))) if ids else ()
