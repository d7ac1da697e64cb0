"""Storing the changes of rooms in the writer's transaction: posts in bulk, edits and deletions one by one.

`Writer` calls `store_changes`; the rules are those of `ports.History`. Every change takes the room's next
`seq`.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from itertools import groupby
from typing import Any, TypedDict

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert

from chat_app.backends.sql.amendments import amend
from chat_app.backends.sql.direct import Statement, driver_of, savepoint
from chat_app.backends.sql.failures import is_storage_failure
from chat_app.backends.sql.mentions import candidates, look_up, mentioned
from chat_app.backends.sql.messages import message_of, select_messages
from chat_app.backends.sql.schema import mentions, messages, rooms
from chat_app.errors import ChatError, NotFound
from chat_app.logs import log_event
from chat_app.models import Amend, Change, Committed, Message, Post

_log = logging.getLogger(__name__)
_MESSAGE_COLUMNS = ("id", "room_id", "seq", "rev", "account_id", "text", "html", "nonce", "sent_ms")

_INSERT = Statement(
    insert(messages)
    .values({name: bindparam(name) for name in _MESSAGE_COLUMNS})
    .on_conflict_do_nothing(index_elements=["account_id", "room_id", "nonce"])
)
_INSERT_MENTION = Statement(
    insert(mentions).values({column.name: bindparam(column.name) for column in mentions.columns})
)
_BY_NONCE = Statement(
    select_messages().where(
        messages.c.account_id == bindparam("account_id"),
        messages.c.room_id == bindparam("room_id"),
        messages.c.nonce == bindparam("nonce"),
    )
)
_HEAD = Statement(select(rooms.c.seq).where(rooms.c.id == bindparam("room")))
_UPDATE_HEAD = Statement(update(rooms).where(rooms.c.id == bindparam("room")).values(seq=bindparam("head")))


class _MessageRow(TypedDict):
    id: str
    room_id: str
    seq: int
    rev: int
    account_id: str
    text: str
    html: str | None
    nonce: str | None
    sent_ms: int


def store_changes(connection: Connection, changes: Sequence[Change]) -> list[Committed | ChatError]:
    """Store them in their order; what is refused changes nothing and keeps nothing from the others."""
    results: list[Committed | ChatError] = []
    for kind, group in groupby(changes, type):
        if kind is Post:
            results += _store_posts(connection, [change for change in group if isinstance(change, Post)])
        else:
            results += [_store_amend(connection, change) for change in group if isinstance(change, Amend)]
    return results


def _store_posts(connection: Connection, posts: list[Post]) -> list[Committed | ChatError]:
    try:
        with savepoint(driver_of(connection)):
            return _store_together(connection, posts)
    except Exception as error:
        if is_storage_failure(error):
            raise
        if len(posts) == 1:
            return [_refused(error)]
    # One of them cannot be stored (an unknown account, say): alone it harms nobody else.
    return [result for post in posts for result in _store_posts(connection, [post])]


def _store_amend(connection: Connection, change: Amend) -> Committed | ChatError:
    try:
        with connection.begin_nested():
            return amend(connection, change)
    except ChatError as error:
        return error
    except Exception as error:
        if is_storage_failure(error):
            raise
        return _refused(error)


def _refused(error: Exception) -> ChatError:
    log_event(_log, "database.change_refused", level=logging.ERROR, exc_info=error)
    return ChatError("bad_request", "That could not be stored.")


def _store_together(connection: Connection, posts: list[Post]) -> list[Committed | ChatError]:
    driver = driver_of(connection)
    heads: dict[str, int | None] = {}
    results: list[Committed | ChatError] = []
    mention_rows: list[dict[str, Any]] = []
    changed: set[str] = set()
    for post, accounts_named in zip(posts, _mentioned(connection, posts), strict=True):
        room_id = post.room_id
        if room_id not in heads:
            heads[room_id] = _head(driver, room_id)
        head = heads[room_id]
        if head is None:
            results.append(NotFound("There is no such room."))
            continue
        message = _message(post, head + 1)
        if not _INSERT.run(driver, _row(post, head + 1)).rowcount:
            first = message_of(_BY_NONCE.run(driver, _row(post, 0)).fetchone())
            results.append(Committed("message", room_id, first.seq, first, duplicate=True))
            continue
        heads[room_id] = message.seq
        changed.add(room_id)
        mention_rows += _mention_rows(message, accounts_named)
        results.append(Committed("message", room_id, message.seq, message, mentioned=accounts_named))
    _UPDATE_HEAD.run_many(driver, ({"room": room_id, "head": heads[room_id]} for room_id in changed))
    if mention_rows:
        _INSERT_MENTION.run_many(driver, mention_rows)
    return results


def _head(driver: sqlite3.Connection, room_id: str) -> int | None:
    row = _HEAD.run(driver, {"room": room_id}).fetchone()
    return None if row is None else row[0]


def _mentioned(connection: Connection, posts: list[Post]) -> list[tuple[str, ...]]:
    found = [candidates(post.text) if "@" in post.text else [] for post in posts]
    keys = {key for of_text in found for of_at in of_text for key in of_at}
    ids = look_up(connection, keys) if keys else {}
    return [
        mentioned(of_text, ids, author_id=post.account_id) for post, of_text in zip(posts, found, strict=True)
    ]


def _message(post: Post, seq: int) -> Message:
    return Message(
        id=post.id,
        room_id=post.room_id,
        seq=seq,
        rev=seq,
        account_id=post.account_id,
        author=post.author,
        text=post.text,
        html=post.html,
        sent_ms=post.sent_ms,
        nonce=post.nonce,
    )


def _row(post: Post, seq: int) -> _MessageRow:
    return {
        "id": post.id,
        "room_id": post.room_id,
        "seq": seq,
        "rev": seq,
        "account_id": post.account_id,
        "text": post.text,
        "html": post.html,
        "nonce": post.nonce,
        "sent_ms": post.sent_ms,
    }


def _mention_rows(message: Message, account_ids: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "message_id": message.id,
            "account_id": account_id,
            "room_id": message.room_id,
            "seq": message.seq,
        }
        for account_id in account_ids
    ]
