"""Storing one edit or one deletion; `changes` calls it inside a savepoint of the writer's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from chat_app.backends.sql.mentions import (
    called,
    candidates,
    closed_rooms,
    look_up,
    mention_rows,
    mentioned,
    only_members,
)
from chat_app.backends.sql.messages import changeable, changed
from chat_app.backends.sql.reactions import forget_reactions
from chat_app.backends.sql.schema import accounts, mentions
from chat_app.backends.sql.search_index import follow
from chat_app.backends.sql.versions import forget_versions, keep_version
from chat_app.errors import Forbidden
from chat_app.models import ROLES, Amend, Committed, Message

_GONE = {"text": "", "html": None, "pinned_ms": None, "reply_to": None, "here": False}
"""What a deleted message has no more, beside its reactions, versions and mentions."""


def amend(connection: Connection, change: Amend) -> Committed:
    """Store it with the room's next `seq` as the message's `rev`.

    Raises `NotFound`, `Forbidden` or, where neither is due, the change's own `refusal`.
    """
    head, before = changeable(connection, change.room_id, change.message_id)
    if change.kind == "edited":
        _check_edit(change, before)
    else:
        _check_deletion(connection, change, before)
    if change.refusal is not None:
        raise change.refusal
    values: dict[str, object]
    if change.kind == "edited":
        here = change.present is not None
        values = {"text": change.text, "html": change.html, "edited_ms": change.at_ms, "here": here}
        if change.keep_version and change.text != before.text:
            keep_version(connection, before)
        follow(connection, before, change.text)
    else:
        values = {**_GONE, "deleted_ms": change.at_ms}
        forget_reactions(connection, before.id)
        forget_versions(connection, before.id)
        follow(connection, before, None)
    named = _mention_again(connection, change, before)
    return changed(connection, change.kind, before, head + 1, mentioned=named, **values)


def _check_edit(change: Amend, message: Message) -> None:
    if message.account_id != change.actor_id:
        raise Forbidden("Only its author can edit a message.")
    if change.at_ms - message.sent_ms > change.edit_window_ms:
        raise Forbidden("Messages can be edited for 24 hours.")


def _check_deletion(connection: Connection, change: Amend, message: Message) -> None:
    if message.account_id == change.actor_id:
        return
    if not change.may_moderate:
        raise Forbidden("You can delete only your own messages.")
    chosen = accounts.c.id.in_([change.actor_id, message.account_id])
    found = connection.execute(select(accounts.c.id, accounts.c.role).where(chosen))
    roles = dict(found.all())
    actor, author = roles.get(change.actor_id), roles[message.account_id]
    if actor is None or ROLES.index(author) < ROLES.index(actor):  # the highest role stands first
        raise Forbidden("You cannot delete a message of somebody with a higher role.")


def _mention_again(connection: Connection, change: Amend, message: Message) -> tuple[str, ...]:
    """Who is named now; an @here that stays calls those whom it called, a new one those who are present."""
    of_message = mentions.c.message_id == message.id
    present = change.present
    if present is not None and message.here:
        chosen = select(mentions.c.account_id).where(of_message, mentions.c.here)
        present = tuple(connection.execute(chosen).scalars())
    connection.execute(delete(mentions).where(of_message))
    if change.kind == "deleted" or "@" not in change.text:
        return ()
    found = candidates(change.text)
    ids = look_up(connection, {key for keys in found for key in keys})
    named = mentioned(found, ids, author_id=message.account_id)
    named = only_members(named, closed_rooms(connection, {message.room_id}).get(message.room_id))
    also = called(present, named, author_id=message.account_id)
    rows = mention_rows(message, named, also)
    if rows:
        connection.execute(insert(mentions), rows)
    return named + also
