"""A room's settings, its members, and what one wants to hear of it: forms that need no JavaScript."""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.core.management import TOPIC_LIMIT, clean_topic
from chat_app.core.names import clean_title, name_key
from chat_app.core.room_views import may
from chat_app.core.rooms import Room
from chat_app.errors import N_, ChatError, NotFound
from chat_app.models import NoticeKind
from chat_app.web.base import Access, BaseHandler

_NOTICES = {
    "saved": N_("The room was changed."),
    "added": N_("The member was added."),
    "removed": N_("The member was removed."),
    "notify": N_("Your notifications for this room were changed."),
}


@dataclass(frozen=True, slots=True)
class MemberRow:
    """Somebody of the room."""

    id: str
    name: str
    manager: bool
    me: bool


class SettingsHandler(BaseHandler):
    """What the forms of the page share."""

    access = Access.MEMBER

    async def show(self, room: Room, *, error: ChatError | None = None, **typed: str) -> None:
        """The page, with what came of a form and what was typed into it."""
        info = room.info
        allowed = may(room, self.me)
        members = sorted(room.members.values(), key=lambda member: member.name.casefold())
        self.render_page(
            "pages/room_settings.html",
            http_status=self.refused(error) if error else 200,
            room=info,
            shown_title=room.title_for(self.me.id),
            notify=room.notify_of(self.me.id),
            may=allowed,
            title=typed.get("title", info.title),
            topic=typed.get("topic", info.topic),
            posting=typed.get("posting", info.posting),
            name=typed.get("name", ""),
            topic_limit=TOPIC_LIMIT,
            members=[MemberRow(m.account_id, m.name, m.manager, m.account_id == self.me.id) for m in members],
            problem=self.problem(
                error, too_large="topic", not_found="name", unchanged="name" if "name" in typed else "title"
            ),
            notice=None if error else self.notice(_NOTICES),
        )

    async def change(
        self,
        slug: str,
        kind: NoticeKind,
        *,
        account_id: str | None = None,
        then: str = "saved",
    ) -> None:
        """Does it and goes back to the page."""
        room = await self.services.chat.find(self.me, slug)
        try:
            await self.services.management.change(self.me, slug, kind, account_id=account_id)
        except ChatError as error:
            if error.code == "unchanged":
                self.go(f"/rooms/{slug}/settings")
                return
            await self.show(room, error=error)
            return
        self.go(f"/rooms/{slug}/settings?notice={then}")


class RoomSettings(SettingsHandler):
    """`/rooms/SLUG/settings`."""

    async def get(self, slug: str) -> None:
        """The page; who may change nothing sees what there is to see."""
        await self.show(await self.services.chat.find(self.me, slug))

    async def post(self, slug: str) -> None:
        """Title, topic and who may write: what differs is changed, each told in the room."""
        room = await self.services.chat.find(self.me, slug)
        typed = {name: self.field(name) for name in ("title", "topic", "posting")}
        changes: list[tuple[NoticeKind, str]] = []
        try:
            changes = [
                ("title", clean_title(typed["title"])),
                ("topic", clean_topic(typed["topic"])),
                ("posting", typed["posting"] or room.info.posting),
            ]
            for kind, value in changes:
                if value != getattr(room.info, kind):
                    await self.services.management.change(self.me, slug, kind, value=value)
        except ChatError as error:
            await self.show(room, error=error, **typed)
            return
        self.go(f"/rooms/{slug}/settings?notice=saved")


class RoomNotify(SettingsHandler):
    """`/rooms/SLUG/notify`."""

    async def post(self, slug: str) -> None:
        """What one wants to be notified of there; nobody else is concerned."""
        room = await self.services.chat.find(self.me, slug)
        try:
            await self.services.management.set_notify(self.me, slug, self.field("notify"))
        except ChatError as error:
            await self.show(room, error=error)
            return
        self.go(f"/rooms/{slug}/settings?notice=notify")


class Archive(SettingsHandler):
    """`/rooms/SLUG/archive`."""

    async def post(self, slug: str) -> None:
        """Nobody writes there any more; it can be read."""
        await self.change(slug, "archived")


class Restore(SettingsHandler):
    """`/rooms/SLUG/restore`."""

    async def post(self, slug: str) -> None:
        """It is used again."""
        await self.change(slug, "restored")


class AddMember(SettingsHandler):
    """`/rooms/SLUG/members`."""

    async def post(self, slug: str) -> None:
        """Somebody by name."""
        room, name = await self.services.chat.find(self.me, slug), self.field("name")
        try:
            found = await self.services.database.accounts.by_name(name_key(name[:64]))
            if found is None or found[0].disabled:
                raise NotFound("There is nobody of this name.")
            await self.services.management.change(self.me, slug, "added", account_id=found[0].id)
        except ChatError as error:
            await self.show(room, error=error, name=name)
            return
        self.go(f"/rooms/{slug}/settings?notice=added")


class RemoveMember(SettingsHandler):
    """`/rooms/SLUG/members/ID/remove`."""

    async def post(self, slug: str, account_id: str) -> None:
        """He sees the room no more, at once."""
        await self.change(slug, "removed", account_id=account_id, then="removed")


class MakeManager(SettingsHandler):
    """`/rooms/SLUG/members/ID/manager`."""

    async def post(self, slug: str, account_id: str) -> None:
        """He manages the room too."""
        await self.change(slug, "manager", account_id=account_id)


class LeaveRoom(SettingsHandler):
    """`/rooms/SLUG/leave`."""

    async def post(self, slug: str) -> None:
        """Out of a private room, by oneself."""
        await self.services.management.change(self.me, slug, "left")
        self.go("/rooms?notice=left")
