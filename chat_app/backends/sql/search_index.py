"""The index for searching, whatever the database: what keeps it in step calls these.

`amendments` follows edits and deletions, `search` indexes what came, `restore` and `rows` begin anew.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from chat_app.backends.sql import search_index_sqlite
from chat_app.models import Message


def index_more(connection: Connection) -> bool:
    """Index some of what is not indexed yet; whether there may be more."""
    return bool(_of(connection).index_more(connection))


def follow(connection: Connection, before: Message, new_text: str | None) -> None:
    """A message was edited (`new_text`) or deleted (None): nothing of the old text is found any more."""
    _of(connection).follow(connection, before, new_text)


def start_anew(connection: Connection) -> None:
    """Forget everything; it is indexed again in the background."""
    _of(connection).start_anew(connection)


def _of(connection: Connection) -> Any:
    if connection.dialect.name != "postgresql":
        return search_index_sqlite
    from chat_app.backends.sql import search_index_postgresql  # whoever has SQLite need not wait for it

    return search_index_postgresql
