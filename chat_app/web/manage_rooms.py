"""Administration of the rooms in the browser: what there is, and other titles."""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.core.names import clean_title
from chat_app.errors import N_, ChatError
from chat_app.models import LOBBY, RoomSurvey, rfc3339
from chat_app.web.base import Access, BaseHandler

_NOTICES = {"title": N_("The title was changed.")}


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room in the list."""

    slug: str
    title: str
    messages: int
    created_at: str
    created_by: str | None


class ManageRoomsHandler(BaseHandler):
    """What the forms of the page share."""

    access = Access.ADMIN

    async def show(
        self, *, open_slug: str | None = None, title: str = "", error: ChatError | None = None
    ) -> None:
        """The page, with what came of the form of the room `open_slug` and the `title` typed there."""
        rooms = [_row(survey) for survey in await self.services.database.rooms.survey()]
        self.render_page(
            "pages/manage_rooms.html",
            http_status=self.refused(error) if error else 200,
            rooms=sorted(rooms, key=lambda row: (row.slug != LOBBY, row.title.casefold(), row.slug)),
            open_slug=open_slug,
            title=title,
            problem=self.problem(error),
            notice=None if error else self.notice(_NOTICES),
        )


class ManageRooms(ManageRoomsHandler):
    """`/manage-rooms`."""

    async def get(self) -> None:
        """The page."""
        await self.show()


class SetTitle(ManageRoomsHandler):
    """`/manage-rooms/SLUG/title`."""

    async def post(self, slug: str) -> None:
        """Another title."""
        room, title = await self.services.chat.find(self.me, slug), self.field("title")
        try:
            await self.services.management.change(self.me, room.info.slug, "title", value=clean_title(title))
        except ChatError as error:
            if error.code == "unchanged":
                self.go("/manage-rooms?notice=title")
                return
            await self.show(open_slug=room.info.slug, title=title, error=error)
            return
        self.go("/manage-rooms?notice=title")


def _row(survey: RoomSurvey) -> RoomRow:
    info = survey.info
    return RoomRow(info.slug, info.title, survey.messages, rfc3339(info.created_ms), survey.created_by)
