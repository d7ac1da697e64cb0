"""The start, the rooms and a room: pages to be read without JavaScript, and older messages for scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from markupsafe import Markup
from tornado.web import HTTPError

from chat_app.core.names import clean_slug, clean_title
from chat_app.core.rooms import Room
from chat_app.errors import ChatError
from chat_app.models import LOBBY, Account, Message, Page, Unread, rfc3339
from chat_app.protocol import SEQ_LIMIT, encode, message_view
from chat_app.web.base import Access, BaseHandler

PAGE_LIMIT = 100
"""Messages of one answer at most."""
PAGE_DEFAULT = 50


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as `partials/message.html` shows it."""

    id: str
    seq: int
    from_name: str
    user_id: str
    text: str
    html: Markup | None
    sent_at: str
    edited_at: str | None
    deleted_at: str | None
    own: bool
    nonce: str | None
    """Of one's own only: a script finds what it sent before a reload."""


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room in a list."""

    slug: str
    title: str
    unread: int
    mentions: int
    current: bool


@dataclass(frozen=True, slots=True)
class RoomHead:
    """The room of a page: its messages are known up to `seq`."""

    slug: str
    title: str
    epoch: str
    seq: int


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


class RoomsHandler(BaseHandler):
    """What the pages with a list of rooms share."""

    access = Access.MEMBER

    async def unread(self) -> dict[str, Unread]:
        """By room id; with what was read a moment ago, since nothing takes a stale badge away later."""
        await self.services.unreads.flush()
        return {row.room_id: row for row in await self.services.database.rooms.unread(self.me.id)}

    def room_rows(self, unread: dict[str, Unread], current: str | None = None) -> list[RoomRow]:
        """Every room, the lobby first, then by title."""
        rows = []
        for room in self.services.registry.all():
            info, read = room.info, unread.get(room.info.id)
            here = info.slug == current
            rows.append(
                RoomRow(
                    slug=info.slug,
                    title=info.title,
                    unread=read.count if read and not here else 0,
                    mentions=read.mentions if read and not here else 0,
                    current=here,
                )
            )
        return sorted(rows, key=lambda row: (row.slug != LOBBY, row.title.casefold(), row.slug))


class Rooms(RoomsHandler):
    """`/rooms`: the list, and making one."""

    async def get(self) -> None:
        """The list and the form."""
        await self._show()

    async def post(self) -> None:
        """A new public room."""
        slug, title = self.field("slug"), self.field("title")
        try:
            room = await self.services.chat.create_room(self.me, clean_slug(slug), clean_title(title))
        except ChatError as error:
            await self._show(slug=slug, title=title, error=error)
            return
        self.go(f"/rooms/{room.info.slug}")

    async def _show(self, *, slug: str = "", title: str = "", error: ChatError | None = None) -> None:
        rooms = self.room_rows(await self.unread())
        self.render_page(
            "pages/rooms.html",
            http_status=self.refused(error) if error else 200,
            rooms=rooms,
            slug=slug,
            title=title,
            problem=self.problem(error, taken="slug"),
        )


class RoomPage(RoomsHandler):
    """`/rooms/SLUG`: the chat, with its newest messages or, with `?before=`, older ones."""

    compressed = True

    async def get(self, slug: str) -> None:
        """The page."""
        room = self.services.chat.visible(self.me, slug)
        before = position(self, "before")
        page = await self._messages(room, before)
        unread = await self.unread()
        mine, settings = unread.get(room.info.id), self.services.settings
        rows = [message_row(message, self.me) for message in page.messages]
        self.render_page(
            "pages/room.html",
            room=RoomHead(room.info.slug, room.info.title, room.info.epoch, page.seq),
            rooms=self.room_rows(unread, room.info.slug),
            messages=rows,
            more=page.more,
            oldest_seq=rows[0].seq if rows else before or page.seq + 1,
            paging=before is not None,
            read_seq=mine.read_seq if mine else 0,
            limits=settings,
            people=room.people.names(),
        )

    async def _messages(self, room: Room, before: int | None) -> Page:
        head, limit = room.seq, self.services.settings.history_limit
        history = self.services.database.history
        if before is not None:
            page = await history.before(room.info.id, before, limit=min(limit, PAGE_LIMIT) or PAGE_DEFAULT)
            return Page(page.messages, head, page.more)
        if limit == 0:
            return Page((), head, head > 0)
        return await history.latest(room.info.id, upto=head, limit=limit)


class RoomMessages(RoomsHandler):
    """`/rooms/SLUG/messages`: a page of the past for scripts."""

    answers_json = True

    async def get(self, slug: str) -> None:
        """`{"messages":[…],"more":…}`, oldest first."""
        room = self.services.chat.visible(self.me, slug)
        before, wanted = position(self, "before"), position(self, "limit")
        if wanted == 0:
            raise ChatError(
                "bad_request", "limit is at least 1."
            )  # no page could ever come nearer to the end
        limit = PAGE_DEFAULT if wanted is None else min(PAGE_LIMIT, wanted)
        history = self.services.database.history
        if before is None:
            page = await history.latest(room.info.id, upto=room.seq, limit=limit)
        else:
            page = await history.before(room.info.id, before, limit=limit)
        messages = [message_view(message, room.info.slug) for message in page.messages]
        self.write_json(encode({"messages": messages, "more": page.more}))


def position(handler: BaseHandler, name: str) -> int | None:
    """A whole number of the query; None when absent. Raises `ChatError("bad_request")`."""
    raw = handler.get_query_argument(name, None)
    if raw is None:
        return None
    if not (raw.isascii() and raw.isdigit() and len(raw) <= 16 and int(raw) <= SEQ_LIMIT):
        raise ChatError("bad_request", "%(name)s is a whole number.", name=name)
    return int(raw)


def message_row(message: Message, reader: Account) -> MessageRow:
    """A message for the templates; what was deleted has no text."""
    deleted = message.deleted_ms is not None
    return MessageRow(
        id=message.id,
        seq=message.seq,
        from_name=message.author,
        user_id=message.account_id,
        text="" if deleted else message.text,
        html=None if deleted or message.html is None else Markup(message.html),  # nosec B704 # sanitised when posted
        sent_at=rfc3339(message.sent_ms),
        edited_at=None if message.edited_ms is None else rfc3339(message.edited_ms),
        deleted_at=rfc3339(message.deleted_ms) if message.deleted_ms is not None else None,
        own=message.account_id == reader.id,
        nonce=message.nonce if message.account_id == reader.id else None,
    )
