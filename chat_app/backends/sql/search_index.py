"""The index for searching, whatever the database: what keeps it in step calls these.

`amendments` follows edits and deletions, `search` indexes what came, `restore` and `copying` begin anew.
"""

from __future__ import annotations

from sqlalchemy import Connection

from chat_app.backends.sql import search_index_postgresql as postgresql, search_index_sqlite as sqlite
from chat_app.models import Message


def index_more(connection: Connection) -> bool:
    """Index some of what is not indexed yet; whether there may be more."""
    return bool((postgresql if _is_postgresql(connection) else sqlite).index_more(connection))


def follow(connection: Connection, before: Message, new_text: str | None) -> None:
    """A message was edited (`new_text`) or deleted (None): nothing of the old text is found any more."""
    (postgresql if _is_postgresql(connection) else sqlite).follow(connection, before, new_text)


def start_anew(connection: Connection) -> None:
    """Forget everything; it is indexed again in the background."""
    (postgresql if _is_postgresql(connection) else sqlite).start_anew(connection)


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
