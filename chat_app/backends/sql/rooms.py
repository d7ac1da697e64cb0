"""`ports.Rooms` over SQL: the rooms, and how far each account has read them."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Collection, Mapping
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
    exists,
    func,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError

from chat_app.backends.sql.direct import Statement, runner_of
from chat_app.backends.sql.notifies import notifies, set_notify
from chat_app.backends.sql.schema import accounts, mentions, messages, read_marks, room_members, rooms
from chat_app.backends.sql.upserts import put_rows
from chat_app.backends.sql.ways import Reading, Writing
from chat_app.errors import ChatError, NotFound
from chat_app.models import LOBBY, Member, Notify, RoomInfo, RoomKind, RoomState, RoomSurvey, Unread

UNREAD_LIMIT = 1000
"""Counting stops here: more is shown as many."""

_SELECT: Select[*tuple[Any, ...]] = select(
    rooms.c.id,
    rooms.c.slug,
    rooms.c.title,
    rooms.c.epoch,
    rooms.c.seq,
    rooms.c.created_ms,
    rooms.c.kind,
    rooms.c.topic,
    rooms.c.archived,
    rooms.c.posting,
)  # in the order of RoomInfo's fields


class SqlRooms:
    """The tables `rooms` and `read_marks`."""

    def __init__(self, writer: Writing, readers: Reading) -> None:
        self._writer = writer
        self._readers = readers

    async def all(self) -> list[RoomInfo]:
        """Every room with its head, the oldest first."""
        ordered = _SELECT.order_by(rooms.c.created_ms, rooms.c.slug_key)
        return await self._readers.read(
            lambda connection: [RoomInfo(*row) for row in connection.execute(ordered)]
        )

    async def members(self) -> dict[str, list[Member]]:
        """By room id, the longest there first; of a public room only its managers."""
        return await self._readers.read(_members)

    async def create(
        self, slug: str, title: str, *, account_id: str, now_ms: int, kind: RoomKind = "public"
    ) -> RoomInfo:
        """A new room with a fresh epoch. Raises `ChatError("taken")` for a slug that exists."""
        return await self._writer.write(
            lambda connection: _create(
                connection, slug, title, account_id=account_id, now_ms=now_ms, kind=kind
            )
        )

    async def direct(
        self, account_ids: Collection[str], *, slug: str, now_ms: int
    ) -> tuple[RoomInfo, list[Member], bool]:
        """The one direct room of these accounts, made when there is none and none of them is disabled.
        Raises `NotFound`.
        """
        ids = sorted(set(account_ids))
        return await self._writer.write(lambda connection: _direct(connection, ids, slug, now_ms))

    async def notifies(self) -> dict[str, dict[str, Notify]]:
        """What accounts chose, by room id and account id."""
        return await self._readers.read(notifies)

    async def set_notify(self, account_id: str, room_id: str, notify: Notify) -> None:
        """Store what an account chose for a room."""
        await self._writer.write(lambda connection: set_notify(connection, account_id, room_id, notify))

    async def survey(self) -> list[RoomSurvey]:
        """Every public room, the oldest first, with what administration wants to know of it."""
        return await self._readers.read(_survey)

    async def unread(self, account_id: str) -> list[Unread]:
        """One entry for each room; count and mentions are 0 where everything is read."""
        return await self._readers.read(lambda connection: _unread(connection, account_id))

    async def heads(self) -> dict[str, int]:
        """The head of every room by its id."""
        chosen = select(rooms.c.id, rooms.c.seq)
        return await self._readers.read(lambda connection: dict(connection.execute(chosen).all()))

    async def one(self, *, room_id: str = "", slug: str = "") -> RoomState | None:
        """One room as it is now, by its id or its slug."""
        chosen = rooms.c.id == room_id if room_id else rooms.c.slug == slug
        return await self._readers.read(lambda connection: _state(connection, chosen))

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
    connection: Connection,
    slug: str,
    title: str,
    *,
    account_id: str | None,
    now_ms: int,
    kind: RoomKind = "public",
    direct_key: str | None = None,
) -> RoomInfo:
    room = RoomInfo(secrets.token_hex(8), slug, title, new_epoch(), 0, now_ms, kind)
    # A public room says nothing of its kind: an older version's table, in which the lobby is made, has none.
    kinds = {} if kind == "public" else {"kind": kind, "direct_key": direct_key}
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
                **kinds,
            )
        )
    except IntegrityError as error:
        raise ChatError("taken", "There is a room with this address already.") from error
    if account_id is not None:
        add_member(connection, room.id, account_id, manager=True, now_ms=now_ms)
    return room


def add_member(connection: Connection, room_id: str, account_id: str, *, manager: bool, now_ms: int) -> None:
    """Store that an account belongs to a room."""
    connection.execute(
        insert(room_members).values(room_id=room_id, account_id=account_id, manager=manager, added_ms=now_ms)
    )


def room_of(connection: Connection, room_id: str, *, hold: bool = False) -> RoomInfo | None:
    """The room as it is now; `hold`: until the commit nobody else changes it."""
    chosen = _SELECT.where(rooms.c.id == room_id)
    row = connection.execute(chosen.with_for_update() if hold else chosen).one_or_none()
    return None if row is None else RoomInfo(*row)


def members_of(connection: Connection, room_id: str) -> list[Member]:
    """Its members, the longest there first."""
    return _members(connection, room_id).get(room_id, [])


def _state(connection: Connection, chosen: ColumnElement[bool]) -> RoomState | None:
    row = connection.execute(_SELECT.where(chosen)).one_or_none()
    if row is None:
        return None
    members = tuple(members_of(connection, row.id))
    return RoomState(RoomInfo(*row), members, notifies(connection, row.id).get(row.id, {}))


def _members(connection: Connection, room_id: str | None = None) -> dict[str, list[Member]]:
    chosen = (
        select(room_members.c.room_id, accounts.c.id, accounts.c.name, room_members.c.manager)
        .join_from(room_members, accounts)
        .order_by(room_members.c.added_ms, accounts.c.name_key)
    )
    if room_id is not None:
        chosen = chosen.where(room_members.c.room_id == room_id)
    found: dict[str, list[Member]] = {}
    for of_room, account_id, name, manager in connection.execute(chosen):
        found.setdefault(of_room, []).append(Member(account_id, name, manager))
    return found


def _direct(
    connection: Connection, account_ids: list[str], slug: str, now_ms: int
) -> tuple[RoomInfo, list[Member], bool]:
    key = hashlib.sha256(" ".join(account_ids).encode()).hexdigest()
    if (found := _direct_room(connection, key)) is not None:
        return found
    enabled = accounts.c.id.in_(account_ids) & accounts.c.disabled.is_(False)
    known = select(func.count()).select_from(accounts).where(enabled)
    if connection.execute(known).scalar_one() != len(account_ids):
        raise NotFound("There is nobody of this name.")
    try:
        with connection.begin_nested():
            room = _create(
                connection, slug, "", account_id=None, now_ms=now_ms, kind="direct", direct_key=key
            )
    except ChatError:  # the slug is taken, or another node was faster
        if (found := _direct_room(connection, key)) is None:
            raise
        return found
    for account_id in account_ids:
        add_member(connection, room.id, account_id, manager=False, now_ms=now_ms)
    return room, members_of(connection, room.id), True


def _direct_room(connection: Connection, key: str) -> tuple[RoomInfo, list[Member], bool] | None:
    row = connection.execute(_SELECT.where(rooms.c.direct_key == key)).one_or_none()
    return None if row is None else (RoomInfo(*row), members_of(connection, row.id), False)


def _survey(connection: Connection) -> list[RoomSurvey]:
    stored = select(func.count()).where(messages.c.room_id == rooms.c.id).correlate(rooms).scalar_subquery()
    chosen = (
        _SELECT.add_columns(stored, accounts.c.name)
        .select_from(rooms.outerjoin(accounts, accounts.c.id == rooms.c.created_by))
        .where(rooms.c.kind == "public")
        .order_by(rooms.c.created_ms, rooms.c.slug_key)
    )
    return [RoomSurvey(RoomInfo(*row[:-2]), row[-2], row[-1]) for row in connection.execute(chosen)]


def _unread(connection: Connection, account_id: str) -> list[Unread]:
    found = _UNREAD.run(runner_of(connection), {"account": account_id})
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
        messages.c.notice.is_(None),
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
        .where(seen_by(account_id))
        .order_by(rooms.c.created_ms, rooms.c.slug_key)
    )


def seen_by(account_id: str | BindParameter[str]) -> ColumnElement[bool]:
    """Of the rows of `rooms` those that an account may see: `permissions.allows` for "read", as SQL."""
    belongs = exists().where(room_members.c.room_id == rooms.c.id, room_members.c.account_id == account_id)
    return or_(rooms.c.kind == "public", belongs)


def _count(table: FromClause, condition: ColumnElement[bool], marks: FromClause) -> ScalarSelect[int]:
    limited = (
        select(literal(1).label("one")).select_from(table).where(condition).correlate(rooms, marks)
    ).limit(UNREAD_LIMIT)
    return select(func.count()).select_from(limited.subquery()).correlate(rooms, marks).scalar_subquery()


_UNREAD = Statement(_unread_statement())


def _mark_read(connection: Connection, marks: Mapping[tuple[str, str], int]) -> None:
    rows = [{"account_id": account, "room_id": room, "seq": seq} for (account, room), seq in marks.items()]
    put_rows(connection, read_marks, rows, value="seq", rising=True)
