"""Storing posts in bulk, in PostgreSQL: all of one room, in as few statements as it takes.

`changes` calls `store_room_posts`. The room's row is locked until the commit, so that `seq` is the order of
commits and nobody ever sees a hole; a SEQUENCE would not do (docs/adr/0010).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, Connection, bindparam, func, insert, select

from chat_app.backends.sql.marks import replies
from chat_app.backends.sql.mentions import called, mention_rows
from chat_app.backends.sql.messages import message_of, select_messages
from chat_app.backends.sql.posts import (
    INSERT_MENTION,
    MESSAGE_COLUMNS,
    UPDATE_HEAD,
    MessageRow,
    known,
    message_from,
    named_in_posts,
    no_answer,
    row_of,
)
from chat_app.backends.sql.schema import messages, rooms
from chat_app.errors import ChatError, NotFound
from chat_app.models import Committed, Message, Post

_LOCK = select(rooms.c.seq).where(rooms.c.id == bindparam("room")).with_for_update()
_COLUMNS = tuple(messages.c[name] for name in MESSAGE_COLUMNS)
_ARRAYS = (bindparam(column.name, type_=ARRAY(column.type)) for column in _COLUMNS)
_ROWS = func.unnest(*_ARRAYS).table_valued(*MESSAGE_COLUMNS).render_derived(name="posts")
_INSERT = insert(messages).from_select(list(MESSAGE_COLUMNS), select(*_ROWS.c))
"""One statement for any number of rows, so that it is prepared once."""
_BY_NONCE = select_messages().where(
    messages.c.room_id == bindparam("room"),
    messages.c.account_id == func.any(bindparam("accounts", type_=ARRAY(messages.c.account_id.type))),
    messages.c.nonce == func.any(bindparam("nonces", type_=ARRAY(messages.c.nonce.type))),
)


def store_room_posts(connection: Connection, posts: Sequence[Post]) -> list[Committed | ChatError]:
    """Store them together, all of one room; a known nonce is answered with what it became."""
    room_id = posts[0].room_id
    head = connection.execute(_LOCK, {"room": room_id}).scalar_one_or_none()
    if head is None:
        return [NotFound("There is no such room.") for _ in posts]
    there = _by_nonce(connection, room_id, posts)
    answered = replies(connection, {post.reply_to for post in posts if post.reply_to is not None})
    results: list[Committed | ChatError] = []
    rows: list[MessageRow] = []
    mentions: list[dict[str, Any]] = []
    for post, named in zip(posts, named_in_posts(connection, posts), strict=True):
        first = there.get((post.account_id, post.nonce))
        reply_to = None if post.reply_to is None else answered.get((room_id, post.reply_to))
        if first is not None or (post.reply_to is not None and reply_to is None):
            results.append(no_answer() if first is None else known(first))
            continue
        head += 1
        message = message_from(post, head, named, reply_to)
        rows.append(row_of(post, head))
        if post.nonce is not None:
            there[post.account_id, post.nonce] = message
        if named or post.present:
            also = called(post.present, named, author_id=post.account_id)
            mentions += mention_rows(message, named, also)
            named += also
        results.append(Committed("message", room_id, head, message, mentioned=named))
    _store(connection, room_id, head, rows, mentions)
    return results


def _by_nonce(
    connection: Connection, room_id: str, posts: Iterable[Post]
) -> dict[tuple[str, str | None], Message]:
    """What is stored already; read after the room is locked, so nobody stores it meanwhile."""
    asked = {(post.account_id, post.nonce) for post in posts if post.nonce is not None}
    if not asked:
        return {}
    values = {
        "room": room_id,
        "accounts": sorted({account_id for account_id, _ in asked}),
        "nonces": [nonce for _, nonce in asked],
    }
    found = map(message_of, connection.execute(_BY_NONCE, values))
    return {(message.account_id, message.nonce): message for message in found}


def _store(
    connection: Connection, room_id: str, head: int, rows: list[MessageRow], mentions: list[dict[str, Any]]
) -> None:
    if not rows:
        return
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in MESSAGE_COLUMNS}  # type: ignore[literal-required]
    connection.execute(_INSERT, columns)
    connection.execute(UPDATE_HEAD.core, {"room": room_id, "head": head})
    if mentions:
        INSERT_MENTION.run_many(connection, mentions)
