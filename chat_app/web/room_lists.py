"""The rooms that one sees, as the lists of the pages show them: by kind, with what is unread in them."""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.core.rooms import Room
from chat_app.models import LOBBY, Notify, RoomKind, Unread
from chat_app.web.base import Access, BaseHandler

_ORDER: dict[RoomKind, int] = {"public": 0, "private": 1, "direct": 2}


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room in a list; `count` and `named` as they were counted."""

    slug: str
    title: str
    kind: RoomKind
    notify: Notify
    archived: bool
    count: int
    named: int
    current: bool

    @property
    def unread(self) -> int:
        """What the badge counts: nothing of a room that somebody wants to hear nothing of."""
        return 0 if self.notify == "nothing" else self.count

    @property
    def mentions(self) -> int:
        """What calls for oneself: everything in a conversation."""
        if self.notify == "nothing":
            return 0
        return self.count if self.kind == "direct" else self.named

    @property
    def quiet(self) -> bool:
        """Something is unread that counts nowhere."""
        return self.notify == "nothing" and self.count > 0


class RoomsHandler(BaseHandler):
    """What the pages with a list of rooms share."""

    access = Access.MEMBER

    async def unread(self) -> dict[str, Unread]:
        """By room id; with what was read a moment ago, since nothing takes a stale badge away later."""
        await self.services.unreads.flush()
        return {row.room_id: row for row in await self.services.database.rooms.unread(self.me.id)}

    def room_rows(self, unread: dict[str, Unread], current: str | None = None) -> list[RoomRow]:
        """Every room that one sees, by kind, the lobby first, then by title; archived ones only where one
        stands.
        """
        return [row for row in self._rows(unread, current) if not row.archived or row.current]

    def archived_rows(self, unread: dict[str, Unread]) -> list[RoomRow]:
        """Those that are archived, in the same order."""
        return [row for row in self._rows(unread, None) if row.archived]

    def _rows(self, unread: dict[str, Unread], current: str | None) -> list[RoomRow]:
        known = ((room, unread.get(room.info.id)) for room in self.services.registry.all())
        rows = [self._row(room, read, current) for room, read in known if read is not None]
        return sorted(
            rows, key=lambda row: (_ORDER[row.kind], row.slug != LOBBY, row.title.casefold(), row.slug)
        )

    def _row(self, room: Room, read: Unread, current: str | None) -> RoomRow:
        here = room.info.slug == current
        return RoomRow(
            slug=room.info.slug,
            title=room.title_for(self.me.id),
            kind=room.info.kind,
            notify=room.notify_of(self.me.id),
            archived=room.info.archived,
            count=0 if here else read.count,
            named=0 if here else read.mentions,
            current=here,
        )
