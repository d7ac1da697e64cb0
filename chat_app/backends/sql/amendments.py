"""Storing one edit or one deletion; `changes` calls it inside a savepoint of the writer's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from chat_app.backends.sql.mentions import candidates, look_up, mentioned
from chat_app.backends.sql.messages import message_of, select_messages
from chat_app.backends.sql.schema import accounts, mentions, messages, rooms
from chat_app.errors import Forbidden, NotFound
from chat_app.models import ROLES, Amend, Committed, Message


def amend(connection: Connection, change: Amend) -> Committed:
    """Store it with the room's next `seq` as the message's `rev`.

    Raises `NotFound`, `Forbidden` or, where neither is due, the change's own `refusal`.
    """
    head = connection.execute(
        select(rooms.c.seq).where(rooms.c.id == change.room_id).with_for_update()
    ).scalar_one_or_none()
    before = _find(connection, change)
    if head is None or before is None or before.deleted_ms is not None:
        raise NotFound("There is no such message.")
    if change.kind == "edited":
        _check_edit(change, before)
    else:
        _check_deletion(connection, change, before)
    if change.refusal is not None:
        raise change.refusal
    if change.kind == "edited":
        values = {"text": change.text, "html": change.html, "edited_ms": change.at_ms}
    else:
        values = {"text": "", "html": None, "deleted_ms": change.at_ms}
    connection.execute(update(messages).where(messages.c.id == before.id).values(**values, rev=head + 1))
    connection.execute(update(rooms).where(rooms.c.id == change.room_id).values(seq=head + 1))
    named = _mention_again(connection, change, before)
    after = _find(connection, change)
    assert after is not None
    return Committed(change.kind, change.room_id, head + 1, after, mentioned=named)


def _find(connection: Connection, change: Amend) -> Message | None:
    chosen = (messages.c.id == change.message_id) & (messages.c.room_id == change.room_id)
    row = connection.execute(select_messages().where(chosen)).one_or_none()
    return None if row is None else message_of(row)


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
    connection.execute(delete(mentions).where(mentions.c.message_id == message.id))
    if change.kind == "deleted" or "@" not in change.text:
        return ()
    found = candidates(change.text)
    ids = look_up(connection, {key for keys in found for key in keys})
    named = mentioned(found, ids, author_id=message.account_id)
    rows = [
        {"message_id": message.id, "account_id": key, "room_id": message.room_id, "seq": message.seq}
        for key in named
    ]
    if rows:
        connection.execute(insert(mentions), rows)
    return named
