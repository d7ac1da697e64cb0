"""The index of three-character pieces in SQLite (FTS5): `search_index` has it kept in step by the writer.

New messages are indexed together a moment later (`index_more`), for indexing each by itself would cost more
than storing it; edits and deletions at once (`follow`), so that nothing of the old text is found or kept.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, text, update

from chat_app.backends.sql.direct import driver_of, translated
from chat_app.backends.sql.schema import search_state
from chat_app.folding import fold
from chat_app.models import Message

CHUNK = 500
"""Messages indexed in one transaction: about 20 ms, in which nothing else is stored."""

_ROWID = text("SELECT rowid FROM messages WHERE id = :id")
_NEXT = (
    "SELECT rowid, text, deleted_ms IS NULL AND notice IS NULL FROM messages "
    "WHERE rowid > ? ORDER BY rowid LIMIT ?"
)
_PUT_MANY = "INSERT INTO messages_index (rowid, text) VALUES (?, ?)"
_PUT = text("INSERT INTO messages_index (rowid, text) VALUES (:rowid, :text)")
_TAKE = text("INSERT INTO messages_index (messages_index, rowid, text) VALUES ('delete', :rowid, :text)")
_EMPTY = text("INSERT INTO messages_index (messages_index) VALUES ('delete-all')")


def indexed_upto(connection: Connection) -> int:
    """The rowid up to which messages are in the index."""
    return int(connection.execute(select(search_state.c.upto)).scalar_one())


def index_more(connection: Connection) -> bool:
    """Index the next messages, at most `CHUNK`; whether there may be more."""
    upto, driver = indexed_upto(connection), driver_of(connection)
    with translated():  # SQLAlchemy's way with 500 rows takes as long as indexing them
        rows = driver.execute(_NEXT, (upto, CHUNK)).fetchall()
        if not rows:
            return False
        driver.executemany(_PUT_MANY, [(rowid, fold(content)) for rowid, content, counts in rows if counts])
    connection.execute(update(search_state).values(upto=rows[-1][0]))
    return len(rows) == CHUNK


def follow(connection: Connection, before: Message, new_text: str | None) -> None:
    """A message was edited (`new_text`) or deleted (None)."""
    rowid = connection.execute(_ROWID, {"id": before.id}).scalar_one()
    if rowid > indexed_upto(connection):
        return
    connection.execute(_TAKE, {"rowid": rowid, "text": fold(before.text)})
    if new_text is not None:
        connection.execute(_PUT, {"rowid": rowid, "text": fold(new_text)})


def start_anew(connection: Connection) -> None:
    """Forget everything: the rows may have other numbers now, as in a restored backup."""
    connection.execute(_EMPTY)
    connection.execute(update(search_state).values(upto=0))
