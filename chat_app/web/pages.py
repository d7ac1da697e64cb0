"""The start, the rooms and a room: pages to be read without JavaScript."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from tornado.web import HTTPError

from chat_app.core.names import clean_slug, clean_title
from chat_app.core.room_views import may
from chat_app.core.rooms import Room
from chat_app.errors import N_, ChatError
from chat_app.models import LOBBY, Context, Notify, Posting, RoomKind
from chat_app.protocol import SEQ_LIMIT
from chat_app.web.base import Access, BaseHandler
from chat_app.web.message_rows import message_rows
from chat_app.web.room_lists import RoomsHandler

PAGE_LIMIT = 100
"""Messages of one answer at most."""
PAGE_DEFAULT = 50
_NOTICES = {
    "removed": N_("You are no longer in that room."),
    "left": N_("You left the room."),
}


@dataclass(frozen=True, slots=True)
class RoomHead:
    """The room of a page: its messages are known up to `seq`."""

    slug: str
    title: str
    epoch: str
    seq: int
    kind: RoomKind
    topic: str
    archived: bool
    posting: Posting
    may: list[str]
    notify: Notify


class Start(BaseHandler):
    """`/`."""

    access = Access.PUBLIC

    async def get(self) -> None:
        """To the lobby, to the sign-in page, or to the page that tells of the set-up link."""
        if self.account is not None:
            self.go(f"/rooms/{LOBBY}")
        else:
            self.go("/login" if await self.services.identity.has_owner() else "/setup-needed")


class NotFoundPage(BaseHandler):
    """Every address that is none."""

    access = Access.PUBLIC

    async def prepare(self) -> NoReturn:
        """404, whatever the method."""
        self.check_size()
        if not self.host_allowed():
            raise HTTPError(403)
        await self.authenticate()
        raise HTTPError(404)


class Rooms(RoomsHandler):
    """`/rooms`: the list, and making one."""

    async def get(self) -> None:
        """The list and the form."""
        await self._show()

    async def post(self) -> None:
        """A new room, public unless `kind` is `private`."""
        slug, title, private = self.field("slug"), self.field("title"), self.field("kind") == "private"
        try:
            room = await self.services.management.create_room(
                self.me, clean_slug(slug), clean_title(title), kind="private" if private else "public"
            )
        except ChatError as error:
            await self._show(slug=slug, title=title, private=private, error=error)
            return
        self.go(f"/rooms/{room.info.slug}")

    async def _show(
        self, *, slug: str = "", title: str = "", private: bool = False, error: ChatError | None = None
    ) -> None:
        unread = await self.unread()
        self.render_page(
            "pages/rooms.html",
            http_status=self.refused(error) if error else 200,
            rooms=self.room_rows(unread),
            archived=self.archived_rows(unread),
            notice=None if error else self.notice(_NOTICES),
            slug=slug,
            title=title,
            private=private,
            problem=self.problem(error, taken="slug"),
        )


class RoomPage(RoomsHandler):
    """`/rooms/SLUG`: the chat, with its newest messages or, with `?before=`, `?after=` or `?at=`, others."""

    compressed = True

    async def get(self, slug: str) -> None:
        """The page; with `?at=` that message is marked."""
        room = await self.services.chat.find(self.me, slug)
        wanted = {name: position(self, name) for name in ("before", "after", "at")}
        head = room.seq
        page = await self._messages(room, head, **wanted)
        unread = await self.unread()
        mine, settings = unread.get(room.info.id), self.services.settings
        rows = await message_rows(
            self.services.database.history, room.info.id, page.messages, self.me, at=wanted["at"]
        )
        self.render_page(
            "pages/room.html",
            room=self._head(room, head),
            rooms=self.room_rows(unread, room.info.slug),
            messages=rows,
            more=page.more,
            newer=page.newer,
            oldest_seq=rows[0].seq if rows else wanted["before"] or head + 1,
            newest_seq=rows[-1].seq if rows else head,
            paging=any(seq is not None for seq in wanted.values()),
            at=wanted["at"],
            read_seq=mine.read_seq if mine else 0,
            limits=settings,
            people=room.people.names(),
            people_partial=room.people.partial,
        )

    def _head(self, room: Room, seq: int) -> RoomHead:
        info = room.info
        return RoomHead(
            slug=info.slug,
            title=room.title_for(self.me.id),
            epoch=info.epoch,
            seq=seq,
            kind=info.kind,
            topic=info.topic,
            archived=info.archived,
            posting=info.posting,
            may=may(room, self.me),
            notify=room.notify_of(self.me.id),
        )

    async def _messages(
        self, room: Room, head: int, *, before: int | None, after: int | None, at: int | None
    ) -> Context:
        room_id, history = room.info.id, self.services.database.history
        limit = self.services.settings.history_limit
        size = min(limit, PAGE_LIMIT) or PAGE_DEFAULT
        if at is not None:
            return await history.around(room_id, at, limit=size)
        if after is not None:
            return await history.after(room_id, after, limit=size)
        if before is not None:
            page = await history.before(room_id, before, limit=size)
            return Context(page.messages, page.more, newer=before <= head)
        if limit == 0:
            return Context((), head > 0, newer=False)
        page = await history.latest(room_id, upto=head, limit=limit)
        return Context(page.messages, page.more, newer=False)


def position(handler: BaseHandler, name: str) -> int | None:
    """A whole number of the query; None when absent. Raises `ChatError("bad_request")`."""
    raw = handler.get_query_argument(name, None)
    if raw is None:
        return None
    if not (raw.isascii() and raw.isdigit() and len(raw) <= 16 and int(raw) <= SEQ_LIMIT):
        raise ChatError("bad_request", "%(name)s is a whole number.", name=name)
    return int(raw)
