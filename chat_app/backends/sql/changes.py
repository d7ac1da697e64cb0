"""Storing the changes of rooms in the writer's transaction: posts in bulk, everything else one by one.

`Writer` calls `store_changes`; the rules are those of `ports.History`. Every change takes the room's next
`seq`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NotRequired, TypedDict

from sqlalchemy import Connection, bindparam, insert, select, tuple_, update

from chat_app.backends.sql.amendments import amend
from chat_app.backends.sql.failures import is_storage_failure
from chat_app.backends.sql.management import manage
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
from chat_app.backends.sql.pins import pin
from chat_app.backends.sql.reactions import react
from chat_app.backends.sql.schema import mentions, messages, rooms
from chat_app.errors import ChatError, NotFound
from chat_app.logs import log_event
from chat_app.models import Amend, Change, Committed, Manage, Message, Pin, Post, React, ReplyTo

_log = logging.getLogger(__name__)
_NonceKey = tuple[str, str, str]

_UPDATE_HEADS = update(rooms).where(rooms.c.id == bindparam("room")).values(seq=bindparam("head"))


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
    reply_to: NotRequired[str | None]
    here: NotRequired[bool]


def store_changes(connection: Connection, changes: Sequence[Change]) -> list[Committed | ChatError]:
    """Store them in their order; what is refused changes nothing and keeps nothing from the others."""
    results: list[Committed | ChatError] = []
    for kind, group in groupby(changes, type):
        if kind is Post:
            results += _store_posts(connection, [change for change in group if isinstance(change, Post)])
        else:
            results += [_store_one(connection, change) for change in group if not isinstance(change, Post)]
    return results


def _store_posts(connection: Connection, posts: list[Post]) -> list[Committed | ChatError]:
    try:
        with connection.begin_nested():
            return _store_together(connection, posts)
    except Exception as error:
        if is_storage_failure(error):
            raise
        if len(posts) == 1:
            return [_refused(error)]
    # One of them cannot be stored (an unknown account, say): alone it harms nobody else.
    return [result for post in posts for result in _store_posts(connection, [post])]


def _store_one(connection: Connection, change: Amend | React | Pin | Manage) -> Committed | ChatError:
    try:
        with connection.begin_nested():
            match change:
                case Amend():
                    return amend(connection, change)
                case React():
                    return react(connection, change)
                case Pin():
                    return pin(connection, change)
                case Manage():
                    return manage(connection, change)
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
    known = _by_nonce(connection, posts)
    heads = _heads(connection, {post.room_id for post in posts})
    named = _mentioned(connection, posts)
    results: list[Committed | ChatError] = []
    answered = _answered(connection, posts)
    more = any(post.reply_to is not None or post.present is not None for post in posts)
    rows: list[_MessageRow] = []
    of_mentions: list[dict[str, Any]] = []
    for post, accounts_named in zip(posts, named, strict=True):
        key = _nonce_key(post)
        if key is not None and key in known:
            first = known[key]
            results.append(Committed("message", post.room_id, first.seq, first, duplicate=True))
            continue
        if post.room_id not in heads:
            results.append(NotFound("There is no such room."))
            continue
        reply_to = None
        if post.reply_to is not None:
            reply_to = answered.get((post.room_id, post.reply_to))
            if reply_to is None:
                results.append(NotFound("There is no such message to answer."))
                continue
        heads[post.room_id] = seq = heads[post.room_id] + 1
        message = _message(post, seq, accounts_named, reply_to)
        if key is not None:
            known[key] = message
        rows.append(_row(post, seq, more=more))
        if accounts_named or post.present:
            also = called(post.present, accounts_named, author_id=post.account_id)
            of_mentions += mention_rows(message, accounts_named, also)
            accounts_named += also
        results.append(Committed("message", post.room_id, seq, message, mentioned=accounts_named))
    if rows:
        connection.execute(insert(messages), rows)
        changed = {row["room_id"] for row in rows}
        connection.execute(_UPDATE_HEADS, [{"room": room_id, "head": heads[room_id]} for room_id in changed])
    if of_mentions:
        connection.execute(insert(mentions), of_mentions)
    return results


def _nonce_key(post: Post) -> _NonceKey | None:
    return None if post.nonce is None else (post.account_id, post.room_id, post.nonce)


def _by_nonce(connection: Connection, posts: list[Post]) -> dict[_NonceKey, Message]:
    keys = {key for post in posts if (key := _nonce_key(post)) is not None}
    if not keys:
        return {}
    columns = tuple_(messages.c.account_id, messages.c.room_id, messages.c.nonce)
    found = connection.execute(select_messages().where(columns.in_(list(keys))))
    known = map(message_of, found)
    return {(message.account_id, message.room_id, message.nonce or ""): message for message in known}


def _answered(connection: Connection, posts: list[Post]) -> dict[tuple[str, str], ReplyTo]:
    """What the posts answer, by (room, id). It was told to them, so it was stored before these."""
    wanted = {post.reply_to for post in posts if post.reply_to is not None}
    return replies(connection, wanted)


def _heads(connection: Connection, room_ids: set[str]) -> dict[str, int]:
    chosen = select(rooms.c.id, rooms.c.seq).where(rooms.c.id.in_(list(room_ids))).with_for_update()
    return dict(connection.execute(chosen).all())


def _mentioned(connection: Connection, posts: list[Post]) -> list[tuple[str, ...]]:
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


def _message(post: Post, seq: int, named: tuple[str, ...], reply_to: ReplyTo | None) -> Message:
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


def _row(post: Post, seq: int, *, more: bool) -> _MessageRow:
    """`more`: whether any of those stored with it is more than a plain message; the rows have one form."""
    row: _MessageRow = {
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
    if more:
        row["reply_to"], row["here"] = post.reply_to, post.present is not None
    return row
