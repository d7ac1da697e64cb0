"""`ports.History` over SQL: changes go to the writer, pages come from the readers."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, select

from chat_app.backends.sql.messages import message_of, select_messages
from chat_app.backends.sql.readers import Readers
from chat_app.backends.sql.schema import messages, rooms
from chat_app.backends.sql.search import SqlSearch
from chat_app.backends.sql.writer import Writer
from chat_app.errors import NotFound
from chat_app.models import Change, Message, Page
from chat_app.ports import Done


class SqlHistory:
    """The logs of all rooms in the table `messages`."""

    def __init__(self, writer: Writer, readers: Readers, search: SqlSearch) -> None:
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
        chosen = (messages.c.id == message_id) & (messages.c.room_id == room_id)
        return await self._readers.read(lambda connection: _one(connection, chosen))


def _older(connection: Connection, room_id: str, upto: int, limit: int) -> Page:
    chosen = (messages.c.room_id == room_id) & (messages.c.seq <= upto)
    newest_first = select_messages().where(chosen).order_by(messages.c.seq.desc()).limit(limit + 1)
    found = [message_of(row) for row in connection.execute(newest_first)]
    return Page(tuple(reversed(found[:limit])), seq=upto, more=len(found) > limit)


def _changes(connection: Connection, room_id: str, since: int, limit: int) -> Page:
    chosen = (messages.c.room_id == room_id) & (messages.c.rev > since)
    by_rev = select_messages().where(chosen).order_by(messages.c.rev).limit(limit + 1)
    found = [message_of(row) for row in connection.execute(by_rev)]
    if len(found) > limit:
        return Page(tuple(found[:limit]), seq=found[limit - 1].rev, more=True)
    head = connection.execute(select(rooms.c.seq).where(rooms.c.id == room_id)).scalar_one_or_none()
    if head is None:
        raise NotFound("There is no such room.")
    return Page(tuple(found), seq=head, more=False)


def _one(connection: Connection, chosen: ColumnElement[bool]) -> Message | None:
    row = connection.execute(select_messages().where(chosen)).one_or_none()
    return None if row is None else message_of(row)
