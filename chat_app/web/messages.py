"""Messages of a room for scripts: pages of the past, around one, what one said before; names to complete.

What is pinned is a page as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from chat_app.core.completion import Found
from chat_app.core.marks import own_reactions
from chat_app.core.permissions import allows
from chat_app.core.rooms import Room
from chat_app.errors import ChatError, Forbidden, NotFound
from chat_app.models import Message, rfc3339
from chat_app.protocol import MessageView, encode, own_view
from chat_app.web.base import Services
from chat_app.web.message_rows import message_rows
from chat_app.web.pages import PAGE_DEFAULT, PAGE_LIMIT, position
from chat_app.web.room_lists import RoomsHandler

IDS_LIMIT = 100


class MessagesAnswer(Struct, frozen=True):
    """A page of messages, oldest first; whether there are older and newer ones, where that was asked for."""

    messages: list[MessageView]
    more: bool | UnsetType = UNSET
    newer: bool | UnsetType = UNSET


class VersionView(Struct, frozen=True):
    """A text that a message had before."""

    text: str
    at: str


class VersionsAnswer(Struct, frozen=True):
    """Oldest first, without the text it has now."""

    versions: list[VersionView]


class NamesAnswer(Struct, frozen=True):
    """Whom the beginning of a name may mean."""

    names: list[Found]


class MessagesHandler(RoomsHandler):
    """What answers with messages."""

    async def views(self, room: Room, messages: Sequence[Message]) -> list[MessageView]:
        """As this reader sees them."""
        own = await own_reactions(self.services.database.history, messages, self.me.id)
        return [own_view(message, room.info.slug, own) for message in messages]


class RoomMessages(MessagesHandler):
    """`/rooms/SLUG/messages`: the past, in pages, around one of them, or some of them."""

    answers_json = True

    async def get(self, slug: str) -> None:
        """`before`, `after`, `around` or `ids`, one of them; none: the newest."""
        room = await self.services.chat.find(self.me, slug)
        given = {name: position(self, name) for name in ("before", "after", "around")}
        ids = self.get_query_argument("ids", None)
        if sum(value is not None for value in (*given.values(), ids)) > 1:
            raise ChatError("bad_request", "Ask for one of before, after, around and ids.")
        wanted = position(self, "limit")
        if wanted == 0:
            raise ChatError("bad_request", "limit is at least 1.")  # such a page comes nearer to no end
        limit = PAGE_DEFAULT if wanted is None else min(PAGE_LIMIT, wanted)
        room_id, history = room.info.id, self.services.database.history
        if ids is not None:
            some = await history.some(room_id, _ids(ids))
            answer = MessagesAnswer(await self.views(room, some))
        elif (seq := given["around"]) is not None or given["after"] is not None:
            if seq is not None:
                context = await history.around(room_id, seq, limit=limit)
            else:
                context = await history.after(room_id, given["after"] or 0, limit=limit)
            views = await self.views(room, context.messages)
            answer = MessagesAnswer(views, context.more, context.newer)
        else:
            if (before := given["before"]) is not None:
                page = await history.before(room_id, before, limit=limit)
            else:
                page = await history.latest(room_id, upto=room.seq, limit=limit)
            answer = MessagesAnswer(await self.views(room, page.messages), page.more)
        self.write_json(encode(answer))


class MessageVersions(RoomsHandler):
    """`/rooms/SLUG/messages/ID/versions`: what it said before, for who moderates."""

    answers_json = True

    async def get(self, slug: str, message_id: str) -> None:
        """Nothing where no earlier text was kept."""
        room = await self.services.chat.find(self.me, slug)
        if not allows(self.me, "moderate", room.standing(self.me.id)):
            raise Forbidden("Only moderators see what a message said before.")
        history = self.services.database.history
        if await history.get(room.info.id, message_id) is None:
            raise NotFound("There is no such message.")
        kept = await history.versions(message_id)
        self.write_json(
            encode(VersionsAnswer([VersionView(version.text, rfc3339(version.at_ms)) for version in kept]))
        )


class RoomPins(MessagesHandler):
    """`/rooms/SLUG/pins`: a page for who asks for one, JSON for everybody else."""

    def initialize(self, services: Services) -> None:
        """A browser asks for HTML, a script does not."""
        self.answers_json = "text/html" not in self.request.headers.get("Accept", "")
        super().initialize(services)

    async def get(self, slug: str) -> None:
        """The latest pin first."""
        room = await self.services.chat.find(self.me, slug)
        history = self.services.database.history
        pinned = await history.pinned(room.info.id)
        if self.answers_json:
            self.write_json(encode(MessagesAnswer(await self.views(room, pinned))))
            return
        self.render_page(
            "pages/pins.html",
            room={"slug": room.info.slug, "title": room.title_for(self.me.id)},
            messages=await message_rows(history, room.info.id, pinned, self.me),
        )


class RoomNames(RoomsHandler):
    """`/rooms/SLUG/names?q=`: whom an @ may name here."""

    answers_json = True

    async def get(self, slug: str) -> None:
        """Who is here first, then who spoke lately, then whoever may see the room."""
        room = await self.services.chat.find(self.me, slug)
        query = self.get_query_argument("q", "", strip=False)
        self.write_json(encode(NamesAnswer(await self.services.completion.in_room(room, query))))


class Names(RoomsHandler):
    """`/names?q=`: whom one may write to."""

    answers_json = True

    async def get(self) -> None:
        """By name."""
        query = self.get_query_argument("q", "", strip=False)
        self.write_json(encode(NamesAnswer(await self.services.completion.everywhere(query))))


def _ids(raw: str) -> list[str]:
    ids = [part for part in raw.split(",") if part]
    if len(ids) > IDS_LIMIT:
        raise ChatError("bad_request", "Ask for at most %(limit)s messages at a time.", limit=IDS_LIMIT)
    return ids
