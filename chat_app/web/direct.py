"""Beginning a direct conversation: a form that needs no JavaScript, and what the chat's dialog posts to."""

from __future__ import annotations

from chat_app.core.management import DIRECT_LIMIT
from chat_app.errors import ChatError
from chat_app.web.base import Access, BaseHandler


class Direct(BaseHandler):
    """`/direct`: a conversation with one or more people by name."""

    access = Access.MEMBER

    async def get(self) -> None:
        """The form."""
        await self._show(self.get_query_argument("names", ""))

    async def post(self) -> None:
        """To the one room of these people."""
        names = self.field("names")
        try:
            wanted = [name for part in names.split(",") if (name := part.strip().lstrip("@"))]
            room = await self.services.management.open_direct(self.me, wanted[: DIRECT_LIMIT + 1])
        except ChatError as error:
            await self._show(names, error)
            return
        self.go(f"/rooms/{room.info.slug}")

    async def _show(self, names: str, error: ChatError | None = None) -> None:
        accounts = await self.services.identity.people.all()
        others = [one.name for one in accounts if not one.disabled and one.id != self.me.id]
        self.render_page(
            "pages/direct.html",
            http_status=self.refused(error) if error else 200,
            names=names[:400],
            people=sorted(others, key=str.casefold)[:500],
            problem=self.problem(error, not_found="names", bad_request="names"),
        )
