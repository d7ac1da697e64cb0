"""The index of three-character pieces in PostgreSQL: an array of hashes a message, with a GIN index on it.

pg_trgm would leave out what is no letter in the database's locale, so CJK in some and signs in all; it also
has to be installed. What is not indexed yet is told by each room's log: beyond `search_progress`. A room's
numbers become visible in their order, so nothing is missed, whichever node stored it. Posting does nothing
for it; one node at a time indexes what came (`index_more`), edits and deletions are followed at once
(`follow`).

Both write a message's row by its id, and who comes second waits for the first: an edit or deletion leaves its
own row, empty for a deletion, which `index_more` never replaces by an older text.
"""

from __future__ import annotations

import zlib

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    MetaData,
    SmallInteger,
    String,
    Table,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chat_app.backends.sql.advisory import INDEXING, try_hold
from chat_app.backends.sql.schema import rooms
from chat_app.backends.sql.search_terms import all_pieces
from chat_app.folding import fold
from chat_app.models import Message

CHUNK = 500
"""Messages indexed in one transaction."""
ROOMS = 200
"""Rooms looked at in one transaction."""
_HELD_MS = 100
"""It gives up sooner than PostgreSQL looks for a deadlock: an edit must never be the one that loses."""

index_tables = MetaData()
messages_index = Table(
    "messages_index",
    index_tables,
    Column("message_id", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("pieces", ARRAY(SmallInteger), nullable=False),
    Index("ix_messages_index_position", "position"),
    Index("ix_messages_index_pieces", "pieces", postgresql_using="gin"),
)
search_progress = Table(
    "search_progress",
    index_tables,
    Column("room_id", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # up to which the room's messages are in the index
)

_PER_MS = 2048
POSITION = f"(messages.sent_ms * {_PER_MS} + messages.seq % {_PER_MS})"
"""Where a message stands among all: by time, then by the room's log. A number that JavaScript can hold."""
BEHIND = (
    select(rooms.c.id, func.coalesce(search_progress.c.seq, 0).label("upto"), rooms.c.seq)
    .select_from(rooms.outerjoin(search_progress, search_progress.c.room_id == rooms.c.id))
    .where(rooms.c.seq > func.coalesce(search_progress.c.seq, 0))
)
"""Rooms whose log goes on beyond the index, and from where."""

BEYOND = (
    "unnest(CAST(:ids AS varchar[]), CAST(:uptos AS bigint[])) WITH ORDINALITY AS behind (id, upto, number) "
    "CROSS JOIN LATERAL (SELECT * FROM messages WHERE messages.room_id = behind.id "
    "AND messages.seq > behind.upto ORDER BY messages.seq LIMIT :limit) AS messages"
)
"""The first messages of rooms `ids` after `uptos`, along each log: LIMIT keeps the planner to it."""
_NEXT = text(
    "SELECT messages.id, messages.room_id, messages.sent_ms, messages.seq, messages.text, "
    f"messages.deleted_ms IS NULL AND messages.notice IS NULL AS counts FROM {BEYOND} "
    "ORDER BY behind.number, messages.seq LIMIT :limit"  # nosec B608 # our own text
)

_put = insert(messages_index)
_PUT_NEW = _put.on_conflict_do_nothing()
_PUT = _put.on_conflict_do_update(index_elements=["message_id"], set_={"pieces": _put.excluded.pieces})
_progress = insert(search_progress)
_REACHED = _progress.on_conflict_do_update(index_elements=["room_id"], set_={"seq": _progress.excluded.seq})


def position_of(sent_ms: int, seq: int) -> int:
    """`POSITION` of a message."""
    return sent_ms * _PER_MS + seq % _PER_MS


def hashes(pieces: set[str] | list[str]) -> list[int]:
    """What the index holds for pieces: few of the 65,536 numbers, so that a hit has to be looked at."""
    return sorted({(zlib.crc32(piece.encode()) & 0xFFFF) - 0x8000 for piece in pieces})


def is_behind(connection: Connection) -> bool:
    """Whether there is something to index."""
    return connection.execute(BEHIND.limit(1)).first() is not None


def index_more(connection: Connection) -> bool:
    """Index the next messages, at most `CHUNK`, unless another node does so; whether there may be more."""
    if not try_hold(connection, INDEXING):
        return False
    connection.execute(text(f"SET LOCAL lock_timeout = {_HELD_MS}"))
    behind = connection.execute(BEHIND.order_by(rooms.c.id).limit(ROOMS)).all()
    if not behind:
        return False
    asked = {"ids": [row.id for row in behind], "uptos": [row.upto for row in behind], "limit": CHUNK}
    rows = connection.execute(_NEXT, asked).all()
    found = [
        {"message_id": row.id, "position": position_of(row.sent_ms, row.seq), "pieces": pieces}
        for row in rows
        if row.counts and (pieces := hashes(all_pieces(fold(row.text))))
    ]
    if found:
        connection.execute(_PUT_NEW, found)
    reached = {row.id: row.seq for row in behind}
    if len(rows) == CHUNK:  # the last one's room may go on, and those after it were not looked at
        ids = list(reached)
        reached = {room_id: reached[room_id] for room_id in ids[: ids.index(rows[-1].room_id)]}
    for row in rows:
        reached[row.room_id] = max(reached.get(row.room_id, 0), row.seq)
    connection.execute(_REACHED, [{"room_id": room_id, "seq": seq} for room_id, seq in reached.items()])
    return len(rows) == CHUNK or len(behind) == ROOMS


def follow(connection: Connection, before: Message, new_text: str | None) -> None:
    """A message was edited (`new_text`) or deleted (None)."""
    pieces = [] if new_text is None else hashes(all_pieces(fold(new_text)))
    position = position_of(before.sent_ms, before.seq)
    connection.execute(_PUT, {"message_id": before.id, "position": position, "pieces": pieces})


def start_anew(connection: Connection) -> None:
    """Forget everything."""
    connection.execute(delete(messages_index))
    connection.execute(delete(search_progress))
