"""`ports.History` over SQL: changes go to the writer, pages come from the readers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, exists, select, union_all

from chat_app.backends.sql.messages import find, messages_of, select_messages
from chat_app.backends.sql.pins import pinned
from chat_app.backends.sql.reactions import reacted
from chat_app.backends.sql.schema import messages, rooms
from chat_app.backends.sql.search import SqlSearch
from chat_app.backends.sql.versions import forget_versions, versions
from chat_app.backends.sql.ways import Reading, Writing
from chat_app.errors import NotFound
from chat_app.models import Change, Context, Message, Page, Version
from chat_app.ports import Done


class SqlHistory:
    """The logs of all rooms in the table `messages`."""

    def __init__(self, writer: Writing, readers: Reading, search: SqlSearch) -> None:
        self._writer = writer
        self._readers = readers
        self._search = search

    def submit(self, change: Change, done: Done) -> None:
        """Queue a change. Raises `Busy` at once when the queue is full."""
        self._writer.submit(change, done)
        self._search.behind = True

    async def latest(self, room_id: str, *, upto: int, limit: int) -> Page:
        """The newest `limit` messages with `seq` <= `upto`, which is the page's `seq`; `more`: older ones."""
        return await self._readers.read(lambda connection: _older(connection, room_id, upto, limit))

    async def before(self, room_id: str, seq: int, *, limit: int) -> Page:
        """The `limit` messages before `seq`; `more` when there are older ones."""
        return await self._readers.read(lambda connection: _older(connection, room_id, seq - 1, limit))

    async def changes(self, room_id: str, since: int, *, limit: int) -> Page:
        """Messages with `rev` > `since` by `rev`. Raises `NotFound` for an unknown room."""
        return await self._readers.read(lambda connection: _changes(connection, room_id, since, limit))

    async def get(self, room_id: str, message_id: str) -> Message | None:
        """One message in its state now."""
        return await self._readers.read(lambda connection: find(connection, room_id, message_id))

    async def some(self, room_id: str, message_ids: Collection[str]) -> list[Message]:
        """Those of the messages that are in the room, oldest first."""
        wanted = list(message_ids)
        return await self._readers.read(lambda connection: _some(connection, room_id, wanted))

    async def around(self, room_id: str, seq: int, *, limit: int) -> Context:
        """`limit` messages, half of them before `seq`."""
        return await self._readers.read(lambda connection: _around(connection, room_id, seq, limit))

    async def after(self, room_id: str, seq: int, *, limit: int) -> Context:
        """The `limit` messages after `seq`."""
        return await self._readers.read(lambda connection: _context(connection, room_id, seq + 1, 0, limit))

    async def pinned(self, room_id: str) -> list[Message]:
        """What is pinned in the room, the latest pin first."""
        return await self._readers.read(lambda connection: pinned(connection, room_id))

    async def reacted(self, account_id: str, message_ids: Collection[str]) -> set[tuple[str, str]]:
        """Which emoji an account put on these messages: their ids and the emoji."""
        return await self._readers.read(lambda connection: reacted(connection, account_id, message_ids))

    async def versions(self, message_id: str) -> list[Version]:
        """The earlier texts of a message, oldest first."""
        return await self._readers.read(lambda connection: versions(connection, message_id))

    async def forget_versions(self) -> None:
        """No earlier text of any message is left."""
        await self._writer.write(forget_versions, erases=True)


def _older(connection: Connection, room_id: str, upto: int, limit: int) -> Page:
    chosen = (messages.c.room_id == room_id) & (messages.c.seq <= upto)
    newest_first = select_messages().where(chosen).order_by(messages.c.seq.desc()).limit(limit + 1)
    found = messages_of(connection, connection.execute(newest_first))
    return Page(tuple(reversed(found[:limit])), seq=upto, more=len(found) > limit)


def _changes(connection: Connection, room_id: str, since: int, limit: int) -> Page:
    found = messages_of(connection, connection.execute(_by_rev(room_id, since, limit + 1)))
    if len(found) > limit:
        return Page(tuple(found[:limit]), seq=found[limit - 1].rev, more=True)
    head = connection.execute(select(rooms.c.seq).where(rooms.c.id == room_id)).scalar_one_or_none()
    if head is None:
        raise NotFound("There is no such room.")
    return Page(tuple(found), seq=head, more=False)


def _by_rev(room_id: str, since: int, limit: int) -> CompoundSelect[*tuple[Any, ...]]:
    """What changed after `since` in its order: by `seq` what is as it was posted, by `rev` what changed
    again, which alone has an index of it (docs/adr/0015).
    """
    new = select_messages().where(
        messages.c.room_id == room_id, messages.c.seq > since, messages.c.rev == messages.c.seq
    )
    changed = select_messages().where(
        messages.c.room_id == room_id, messages.c.rev > since, messages.c.rev != messages.c.seq
    )
    parts = (
        new.order_by(messages.c.seq).limit(limit).subquery(),
        changed.order_by(messages.c.rev).limit(limit).subquery(),
    )
    return union_all(*map(select, parts)).order_by("rev").limit(limit)


def _some(connection: Connection, room_id: str, message_ids: list[str]) -> list[Message]:
    chosen = select_messages().where(messages.c.room_id == room_id, messages.c.id.in_(message_ids))
    return messages_of(connection, connection.execute(chosen.order_by(messages.c.seq)))


def _around(connection: Connection, room_id: str, seq: int, limit: int) -> Context:
    return _context(connection, room_id, seq, limit // 2, limit - limit // 2)


def _context(connection: Connection, room_id: str, seq: int, before: int, after: int) -> Context:
    """`before` messages before `seq`, and `after` from it on."""
    in_room = messages.c.room_id == room_id
    older = _older(connection, room_id, seq - 1, before) if before else None
    chosen = select_messages().where(in_room, messages.c.seq >= seq).order_by(messages.c.seq)
    newer = messages_of(connection, connection.execute(chosen.limit(after + 1)))
    more = older.more if older else _any(connection, in_room & (messages.c.seq < seq))
    return Context((*(older.messages if older else ()), *newer[:after]), more, len(newer) > after)


def _any(connection: Connection, chosen: ColumnElement[bool]) -> bool:
    return bool(connection.execute(select(exists().where(chosen))).scalar_one())
