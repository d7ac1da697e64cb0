"""Rows of messages as `models.Message`, with everybody's name as it is now; what every change of one does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import structs
from sqlalchemy import ColumnElement, Connection, Row, Select, select, update

from chat_app.backends.sql.marks import named_in, reactions_on, replies
from chat_app.backends.sql.schema import accounts, messages, rooms
from chat_app.errors import Forbidden, NotFound
from chat_app.models import ChangeKind, Committed, Message

_PLAIN = (
    messages.c.id,
    messages.c.room_id,
    messages.c.seq,
    messages.c.rev,
    messages.c.account_id,
    accounts.c.name,
    messages.c.text,
    messages.c.html,
    messages.c.sent_ms,
    messages.c.nonce,
    messages.c.edited_ms,
    messages.c.deleted_ms,
    messages.c.notice,
)  # in the order of Message's fields
_SELECT: Select[*tuple[Any, ...]] = select(
    *_PLAIN, messages.c.reply_to, messages.c.here, messages.c.pinned_ms
).join_from(messages, accounts)


def select_messages() -> Select[*tuple[Any, ...]]:
    """Messages with their authors; narrow it with `where`."""
    return _SELECT


def message_of(row: Row[*tuple[Any, ...]] | tuple[Any, ...]) -> Message:
    """The message in a row of `select_messages`, without what other tables hold beside it."""
    _, here, pinned_ms = row[-3:]
    fields: tuple[Any, ...] = (*row[:-3], None, (), bool(here), pinned_ms)
    return Message(*fields)


def messages_of(connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Message]:
    """The messages in rows of `select_messages`, with what stands beside them."""
    given = list(rows)
    found = [message_of(row) for row in given]
    answered = replies(connection, {row[-3] for row in given} - {None})
    named = named_in(connection, [message.id for message in found if "@" in message.text])
    reacted = reactions_on(connection, [message.id for message in found if message.rev != message.seq])
    if not (answered or named or reacted):
        return found
    return [
        structs.replace(
            message,
            reply_to=answered.get((message.room_id, row[-3])),
            mentions=named.get(message.id, ()),
            reactions=reacted.get(message.id, ()),
        )
        for message, row in zip(found, given, strict=True)
    ]


def find(connection: Connection, room_id: str, message_id: str) -> Message | None:
    """One message of a room in its state now."""
    found = messages_of(connection, connection.execute(select_messages().where(_is(room_id, message_id))))
    return found[0] if found else None


def changeable(connection: Connection, room_id: str, message_id: str) -> tuple[int, Message]:
    """The room's head, held until the commit, and the message without what other tables hold beside it.

    Raises `NotFound` for one that is not there or was deleted, `Forbidden` for a notice.
    """
    head = connection.execute(
        select(rooms.c.seq).where(rooms.c.id == room_id).with_for_update()
    ).scalar_one_or_none()
    row = connection.execute(select_messages().where(_is(room_id, message_id))).one_or_none()
    message = None if row is None else message_of(row)
    if head is None or message is None or message.deleted_ms is not None:
        raise NotFound("There is no such message.")
    if message.notice is not None:
        raise Forbidden("Nobody wrote this line, so nobody changes it.")
    return head, message


def unchanged(connection: Connection, kind: ChangeKind, message: Message) -> Committed:
    """It is so already: no `seq` is taken."""
    now = find(connection, message.room_id, message.id)
    assert now is not None
    return Committed(kind, message.room_id, now.rev, now, duplicate=True)


def changed(
    connection: Connection,
    kind: ChangeKind,
    message: Message,
    seq: int,
    *,
    mentioned: tuple[str, ...] = (),
    **values: object,
) -> Committed:
    """Store that the message changed with the room's next `seq`, and read it again."""
    chosen = messages.c.id == message.id
    connection.execute(update(messages).where(chosen).values(**values, rev=seq))
    connection.execute(update(rooms).where(rooms.c.id == message.room_id).values(seq=seq))
    after = find(connection, message.room_id, message.id)
    assert after is not None
    return Committed(kind, message.room_id, seq, after, mentioned=mentioned)


def _is(room_id: str, message_id: str) -> ColumnElement[bool]:
    return (messages.c.id == message_id) & (messages.c.room_id == room_id)
