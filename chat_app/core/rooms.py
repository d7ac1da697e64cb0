"""Every room of this process, and following one.

A room is a log with its newest part in memory, and the cursors that stand in it: `room.Room`, in the layers
`ring`, `fan_out` and `serving` (docs/adr/0001).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import structs

from chat_app.core.connection import Connection, Cursor
from chat_app.core.room import Room as Room
from chat_app.core.tasks import Tasks as Tasks
from chat_app.models import Account, Member, Notify, RoomInfo
from chat_app.ports import History


class Elsewhere(Protocol):
    """The share of other nodes in the rooms (`core/follower.py`)."""

    def behind(self, room: Room) -> None:
        """The store is said to hold changes that are not here."""

    async def ask(self, account_id: str, slug: str) -> None:
        """Another node may have made the room, or let the account in, just now: asks the store."""


class Registry:
    """Every room of this process, by slug."""

    def __init__(self, *, history: History, history_limit: int, tasks: Tasks) -> None:
        self._history = history
        self._history_limit = history_limit
        self.tasks = tasks
        """What the rooms start runs in these."""
        self._rooms: dict[str, Room] = {}
        self._by_id: dict[str, Room] = {}
        self.elsewhere: Elsewhere | None = None
        """None: this process is alone."""
        self.on_added: Callable[[Room], None] = lambda room: None

    def add(
        self,
        info: RoomInfo,
        members: Iterable[Member] = (),
        notifies: Mapping[str, Notify] | None = None,
    ) -> Room:
        """Puts a room in; its log stays in the store until somebody follows it."""
        room = Room(
            info,
            history=self._history,
            history_limit=self._history_limit,
            tasks=self.tasks,
            members=members,
            notifies=notifies,
            behind=self._behind,
        )
        self._rooms[info.slug] = self._by_id[info.id] = room
        self.on_added(room)
        return room

    def by_slug(self, slug: str) -> Room | None:
        """The room of this name."""
        return self._rooms.get(slug)

    def by_id(self, room_id: str) -> Room | None:
        """The room of this id."""
        return self._by_id.get(room_id)

    def _behind(self, room: Room) -> bool:
        if self.elsewhere is not None:
            self.elsewhere.behind(room)
        return self.elsewhere is not None

    def rename(self, account: Account) -> None:
        """An account has another name, or still the same one: then nothing happens."""
        for room in self._rooms.values():
            if (member := room.members.get(account.id)) is not None:
                room.members[account.id] = structs.replace(member, name=account.name)
            room.rename(account)
            room.people.rename(account)

    def all(self) -> list[Room]:
        """All of them by title, the lobby first."""
        return sorted(
            self._rooms.values(), key=lambda room: (room.info.slug != "lobby", room.info.title.casefold())
        )


def follow(connection: Connection, room: Room, *, since: int | None, epoch: str | None) -> None:
    """Follow a room from `since`, or from its latest messages; a further time puts the cursor anew."""
    cursor = connection.cursors.get(room.info.slug)
    if cursor is None:
        cursor = connection.cursors[room.info.slug] = Cursor(connection, room)
        room.people.arrive(connection.account)
    room.place(cursor, since=since, epoch=epoch)


def unfollow(connection: Connection, room: Room) -> None:
    """Undoes `follow`."""
    cursor = connection.cursors.pop(room.info.slug, None)
    if cursor is not None:
        room.remove(cursor)
        room.people.depart(connection.account)
        if connection.stale_presence is not None:
            connection.stale_presence.discard(room)
