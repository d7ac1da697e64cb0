"""`ports.Rooms` over SQL: the rooms, and how far each account has read them."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from chat_app.backends.sql.direct import Statement, driver_of
from chat_app.backends.sql.readers import Readers
from chat_app.backends.sql.schema import accounts, mentions, messages, read_marks, rooms
from chat_app.backends.sql.writer import Writer
from chat_app.errors import ChatError, NotFound
from chat_app.models import LOBBY, RoomInfo, RoomSurvey, Unread

UNREAD_LIMIT = 1000
"""Counting stops here: more is shown as many."""

_SELECT: Select[*tuple[Any, ...]] = select(
    rooms.c.id, rooms.c.slug, rooms.c.title, rooms.c.epoch, rooms.c.seq, rooms.c.created_ms
)
_ADVANCE = (
    update(read_marks)
    .where(read_marks.c.account_id == bindparam("account"), read_marks.c.room_id == bindparam("room"))
    .where(read_marks.c.seq < bindparam("upto"))
    .values(seq=bindparam("upto"))
)


class SqlRooms:
    """The tables `rooms` and `read_marks`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def all(self) -> list[RoomInfo]:
        """Every room with its head, the oldest first."""
        ordered = _SELECT.order_by(rooms.c.created_ms, rooms.c.slug_key)
        return await self._readers.read(
            lambda connection: [RoomInfo(*row) for row in connection.execute(ordered)]
        )

    async def create(self, slug: str, title: str, *, account_id: str, now_ms: int) -> RoomInfo:
        """A new public room with a fresh epoch. Raises `ChatError("taken")` for a slug that exists."""
        return await self._writer.write(
            lambda connection: _create(connection, slug, title, account_id=account_id, now_ms=now_ms)
        )

    async def survey(self) -> list[RoomSurvey]:
        """Every room, the oldest first, with what administration wants to know of it."""
        return await self._readers.read(_survey)

    async def set_title(self, room_id: str, title: str) -> None:
        """Another title. Raises `NotFound`."""
        await self._writer.write(lambda connection: _set_title(connection, room_id, title))

    async def unread(self, account_id: str) -> list[Unread]:
        """One entry for each room; count and mentions are 0 where everything is read."""
        return await self._readers.read(lambda connection: _unread(connection, account_id))

    async def mark_read(self, marks: dict[tuple[str, str], int]) -> None:
        """Store read positions {(account_id, room_id): seq} together; a position never moves back."""
        given = dict(marks)
        if given:
            await self._writer.write(lambda connection: _mark_read(connection, given))


def create_lobby(connection: Connection, *, now_ms: int) -> None:
    """The room that is always there; `files` makes it in a new database."""
    _create(connection, LOBBY, "Lobby", account_id=None, now_ms=now_ms)


def new_epoch() -> str:
    """What tells one history of a room from another: a position means nothing in another epoch."""
    return secrets.token_urlsafe(9)


def _create(
    connection: Connection, slug: str, title: str, *, account_id: str | None, now_ms: int
) -> RoomInfo:
    room = RoomInfo(secrets.token_hex(8), slug, title, new_epoch(), 0, now_ms)
    try:
        connection.execute(
            insert(rooms).values(
                id=room.id,
                slug=slug,
                slug_key=unicodedata.normalize("NFKC", slug).casefold(),
                title=title,
                epoch=room.epoch,
                seq=room.seq,
                created_ms=now_ms,
                created_by=account_id,
            )
        )
    except IntegrityError as error:
        raise ChatError("taken", "There is a room with this address already.") from error
    return room


def _survey(connection: Connection) -> list[RoomSurvey]:
    stored = select(func.count()).where(messages.c.room_id == rooms.c.id).correlate(rooms).scalar_subquery()
    chosen = (
        _SELECT.add_columns(stored, accounts.c.name)
        .select_from(rooms.outerjoin(accounts, accounts.c.id == rooms.c.created_by))
        .order_by(rooms.c.created_ms, rooms.c.slug_key)
    )
    return [RoomSurvey(RoomInfo(*row[:-2]), row[-2], row[-1]) for row in connection.execute(chosen)]


def _set_title(connection: Connection, room_id: str, title: str) -> None:
    if connection.execute(update(rooms).where(rooms.c.id == room_id).values(title=title)).rowcount == 0:
        raise NotFound("There is no such room.")


def _unread(connection: Connection, account_id: str) -> list[Unread]:
    found = _UNREAD.run(driver_of(connection), {"account": account_id})
    return [Unread(*row) for row in found]


def _unread_statement() -> Select[*tuple[Any, ...]]:
    marks = read_marks.alias("marks")
    position = func.coalesce(marks.c.seq, 0)
    account_id: BindParameter[str] = bindparam("account")
    others = and_(
        messages.c.room_id == rooms.c.id,
        messages.c.seq > position,
        messages.c.account_id != account_id,
        messages.c.deleted_ms.is_(None),
    )
    named = and_(
        mentions.c.account_id == account_id,
        mentions.c.room_id == rooms.c.id,
        mentions.c.seq > position,
    )
    own_mark = and_(marks.c.room_id == rooms.c.id, marks.c.account_id == account_id)
    counts = [
        case((rooms.c.seq > position, _count(table, condition, marks)), else_=0)  # most rooms are read
        for table, condition in ((messages, others), (mentions, named))
    ]
    return (
        select(rooms.c.id, position, *counts, rooms.c.seq)
        .select_from(rooms.outerjoin(marks, own_mark))
        .order_by(rooms.c.created_ms, rooms.c.slug_key)
    )


def _count(table: FromClause, condition: ColumnElement[bool], marks: FromClause) -> ScalarSelect[int]:
    limited = (
        select(literal(1).label("one")).select_from(table).where(condition).correlate(rooms, marks)
    ).limit(UNREAD_LIMIT)
    return select(func.count()).select_from(limited.subquery()).correlate(rooms, marks).scalar_subquery()


_UNREAD = Statement(_unread_statement())


def _mark_read(connection: Connection, marks: Mapping[tuple[str, str], int]) -> None:
    rows = [{"account": account, "room": room, "upto": seq} for (account, room), seq in marks.items()]
    connection.execute(_ADVANCE, rows)
    known: set[tuple[str, str]] = set()
    accounts = sorted({account for account, _ in marks})
    for start in range(0, len(accounts), 500):
        chosen = read_marks.c.account_id.in_(accounts[start : start + 500])
        found = connection.execute(select(read_marks.c.account_id, read_marks.c.room_id).where(chosen))
        known |= {(account, room) for account, room in found}
    missing = [
        {"account_id": account, "room_id": room, "seq": seq}
        for (account, room), seq in marks.items()
        if (account, room) not in known
    ]
    if missing:
        connection.execute(insert(read_marks), missing)
