"""Storing posts in bulk, in SQLite: statement by statement through its driver, in the writer's transaction.

`changes` calls `store_posts`; `room_posts` does the same for PostgreSQL and shares what is below it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, TypedDict

from sqlalchemy import Connection, bindparam, insert as plain_insert, select, update
from sqlalchemy.dialects.sqlite import insert

from chat_app.backends.sql.direct import Statement, driver_of
from chat_app.backends.sql.marks import replies
from chat_app.backends.sql.mentions import (
    called,
    candidates,
    closed_rooms,
    look_up,
    mention_rows,
    mentioned,
    only_members,
)
from chat_app.backends.sql.messages import message_of, select_messages
from chat_app.backends.sql.schema import mentions, messages, rooms
from chat_app.errors import ChatError, NotFound
from chat_app.models import Committed, Message, Post, ReplyTo

MESSAGE_COLUMNS = (
    "id", "room_id", "seq", "rev", "account_id", "text", "html", "nonce", "sent_ms", "reply_to", "here",
)  # fmt: skip
UPDATE_HEAD = Statement(update(rooms).where(rooms.c.id == bindparam("room")).values(seq=bindparam("head")))
INSERT_MENTION = Statement(
    plain_insert(mentions).values({column.name: bindparam(column.name) for column in mentions.columns})
)

_INSERT = Statement(
    insert(messages)
    .values({name: bindparam(name) for name in MESSAGE_COLUMNS})
    .on_conflict_do_nothing(index_elements=["account_id", "room_id", "nonce"])
)
_BY_NONCE = Statement(
    select_messages().where(
        messages.c.account_id == bindparam("account_id"),
        messages.c.room_id == bindparam("room_id"),
        messages.c.nonce == bindparam("nonce"),
    )
)
_HEAD = Statement(select(rooms.c.seq).where(rooms.c.id == bindparam("room")))


class MessageRow(TypedDict):
    """What `MESSAGE_COLUMNS` hold of a post."""

    id: str
    room_id: str
    seq: int
    rev: int
    account_id: str
    text: str
    html: str | None
    nonce: str | None
    sent_ms: int
    reply_to: str | None
    here: bool


def store_posts(connection: Connection, posts: Sequence[Post]) -> list[Committed | ChatError]:
    """Store them together, of whichever rooms; a known nonce is answered with what it became."""
    driver = driver_of(connection)
    heads: dict[str, int | None] = {}
    results: list[Committed | ChatError] = []
    mention_rows_of: list[dict[str, Any]] = []
    changed: set[str] = set()
    answered = replies(connection, {post.reply_to for post in posts if post.reply_to is not None})
    for post, accounts_named in zip(posts, named_in_posts(connection, posts), strict=True):
        room_id = post.room_id
        if room_id not in heads:
            heads[room_id] = _head(driver, room_id)
        head = heads[room_id]
        if head is None:
            results.append(NotFound("There is no such room."))
            continue
        reply_to = None if post.reply_to is None else answered.get((room_id, post.reply_to))
        lost = post.reply_to is not None and reply_to is None
        if lost or not _INSERT.run(driver, row_of(post, head + 1)).rowcount:
            row = _BY_NONCE.run(driver, row_of(post, 0)).fetchone()
            results.append(no_answer() if row is None else known(message_of(row)))
            continue
        message = message_from(post, head + 1, accounts_named, reply_to)
        heads[room_id] = message.seq
        changed.add(room_id)
        if accounts_named or post.present:
            also = called(post.present, accounts_named, author_id=post.account_id)
            mention_rows_of += mention_rows(message, accounts_named, also)
            accounts_named += also
        results.append(Committed("message", room_id, message.seq, message, mentioned=accounts_named))
    UPDATE_HEAD.run_many(driver, ({"room": room_id, "head": heads[room_id]} for room_id in changed))
    if mention_rows_of:
        INSERT_MENTION.run_many(driver, mention_rows_of)
    return results


def _head(driver: sqlite3.Connection, room_id: str) -> int | None:
    row = _HEAD.run(driver, {"room": room_id}).fetchone()
    return None if row is None else row[0]


# -- for PostgreSQL too -------------------------------------------------------------------------------------


def known(first: Message) -> Committed:
    """What a post became whose nonce was there already."""
    return Committed("message", first.room_id, first.seq, first, duplicate=True)


def no_answer() -> NotFound:
    """The refusal of a reply to nothing."""
    return NotFound("There is no such message to answer.")


def named_in_posts(connection: Connection, posts: Sequence[Post]) -> list[tuple[str, ...]]:
    """For each post the accounts that it names and that may see its room."""
    if not any("@" in post.text for post in posts):
        return [()] * len(posts)
    found = [candidates(post.text) if "@" in post.text else [] for post in posts]
    keys = {key for of_text in found for of_at in of_text for key in of_at}
    ids = look_up(connection, keys) if keys else {}
    named = [
        mentioned(of_text, ids, author_id=post.account_id) for post, of_text in zip(posts, found, strict=True)
    ]
    hidden = closed_rooms(connection, {post.room_id for post, ids in zip(posts, named, strict=True) if ids})
    return [
        only_members(of_post, hidden.get(post.room_id)) for post, of_post in zip(posts, named, strict=True)
    ]


def message_from(post: Post, seq: int, named: tuple[str, ...], reply_to: ReplyTo | None) -> Message:
    """What the post is once it is stored."""
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
        reply_to=reply_to,
        mentions=tuple(sorted(named)) if named else (),
        here=post.present is not None,
    )


def row_of(post: Post, seq: int) -> MessageRow:
    """What is stored of it."""
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
        "reply_to": post.reply_to,
        "here": post.present is not None,
    }
