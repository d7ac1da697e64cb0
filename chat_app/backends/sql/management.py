"""Changes of a room itself in the writer's transaction, each with the notice that tells it in the log.

`changes.store_changes` calls `manage`; who may do it was asked before (`core/management.py`).
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from chat_app.backends.sql.messages import message_of, select_messages
from chat_app.backends.sql.rooms import add_member, members_of, room_of
from chat_app.backends.sql.schema import accounts, messages, room_members, rooms
from chat_app.errors import ChatError, NotFound
from chat_app.models import Committed, Manage, Member, RoomInfo

MEMBERS_LIMIT = 1_000
"""Of a private room; everybody who joins it is told all of them."""


def manage(connection: Connection, change: Manage) -> Committed:
    """Store it with the room's next seq. Raises `NotFound`, and `ChatError` unchanged, too_large."""
    room = room_of(connection, change.room_id, hold=True)
    if room is None:
        raise NotFound("There is no such room.")
    text = _apply(connection, change, room, members_of(connection, room.id))
    seq = room.seq + 1
    connection.execute(update(rooms).where(rooms.c.id == room.id).values(seq=seq))
    connection.execute(
        insert(messages).values(
            id=change.id,
            room_id=room.id,
            seq=seq,
            rev=seq,
            account_id=change.actor_id,
            text=text,
            sent_ms=change.at_ms,
            notice=change.kind,
        )
    )
    row = connection.execute(select_messages().where(messages.c.id == change.id)).one()
    return Committed(
        "message",
        room.id,
        seq,
        message_of(row),
        room=room_of(connection, room.id),
        members=tuple(members_of(connection, room.id)),
    )


def _apply(connection: Connection, change: Manage, room: RoomInfo, members: list[Member]) -> str:
    """Does it, and returns what the notice names: a person, a title, a topic."""
    match change.kind:
        case "title":
            _set(connection, room, changed=change.value != room.title, title=change.value)
            return change.value
        case "topic":
            _set(connection, room, changed=change.value != room.topic, topic=change.value)
            return change.value
        case "posting":
            _set(connection, room, changed=change.value != room.posting, posting=change.value)
            return change.value
        case "archived" | "restored":
            archived = change.kind == "archived"
            _set(connection, room, changed=archived != room.archived, archived=archived)
            return ""
        case "added":
            return _add(connection, change, members)
        case "removed" | "left":
            return _remove(connection, change, members)
        case "manager":
            return _promote(connection, change, members)


def _set(connection: Connection, room: RoomInfo, *, changed: bool, **values: object) -> None:
    if not changed:
        raise _unchanged()
    connection.execute(update(rooms).where(rooms.c.id == room.id).values(**values))


def _add(connection: Connection, change: Manage, members: list[Member]) -> str:
    if any(member.account_id == change.account_id for member in members):
        raise _unchanged()
    if len(members) >= MEMBERS_LIMIT:
        raise ChatError("too_large", "A private room has at most %(limit)s members.", limit=MEMBERS_LIMIT)
    chosen = select(accounts.c.id, accounts.c.name).where(accounts.c.id == change.account_id)
    row = connection.execute(chosen).one_or_none()
    if row is None:
        raise NotFound("There is nobody of this name.")
    add_member(connection, change.room_id, row.id, manager=False, now_ms=change.at_ms)
    return str(row.name)


def _remove(connection: Connection, change: Manage, members: list[Member]) -> str:
    gone = next((member for member in members if member.account_id == change.account_id), None)
    if gone is None:
        raise _unchanged()
    connection.execute(
        delete(room_members).where(
            room_members.c.room_id == change.room_id, room_members.c.account_id == gone.account_id
        )
    )
    rest = [member for member in members if member is not gone]
    if rest and not any(member.manager for member in rest):
        _make_manager(connection, change.room_id, rest[0])  # who is there longest: a room is never without
    return gone.name


def _promote(connection: Connection, change: Manage, members: list[Member]) -> str:
    chosen = next((member for member in members if member.account_id == change.account_id), None)
    if chosen is None:
        raise NotFound("There is nobody of this name in the room.")
    if chosen.manager:
        raise _unchanged()
    _make_manager(connection, change.room_id, chosen)
    return chosen.name


def _make_manager(connection: Connection, room_id: str, member: Member) -> None:
    connection.execute(
        update(room_members)
        .where(room_members.c.room_id == room_id, room_members.c.account_id == member.account_id)
        .values(manager=True)
    )


def _unchanged() -> ChatError:
    return ChatError("unchanged", "It is so already.")
