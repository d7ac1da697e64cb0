"""Searching: a page to be used without JavaScript, and the same for scripts."""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.core.search import QUERY_LIMIT, excerpt, marks, parse
from chat_app.errors import ChatError, RateLimited
from chat_app.models import Message, SearchPage, SearchQuery, rfc3339
from chat_app.protocol import SLUG, encode, message_view
from chat_app.web.base import Access, BaseHandler
from chat_app.web.pages import position

PAGE = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found, as the page shows it."""

    slug: str
    title: str
    seq: int
    from_name: str
    sent_at: str
    pieces: list[tuple[str, bool]]


class SearchHandler(BaseHandler):
    """What the two share."""

    access = Access.MEMBER

    async def find(self, raw: str) -> tuple[SearchQuery, SearchPage]:
        """Raises `ChatError` for what cannot be looked for, and `RateLimited`."""
        query = parse(raw)
        if wait := self.services.searches.take(self.me.id):
            raise RateLimited("Too many searches. Wait a moment.", retry_after=wait)
        page = await self.services.database.search.find(
            query, account_id=self.me.id, before=position(self, "before"), limit=PAGE
        )
        return query, page


class Search(SearchHandler):
    """`/search`."""

    async def get(self) -> None:
        """The form, and what was found; with `?in=SLUG` the form to look in that room."""
        raw, room = self.get_query_argument("q", ""), self.get_query_argument("in", "")
        query, page, error = None, None, None
        if not raw and SLUG.match(room):
            self.render_page(
                "pages/search.html", q=f"in:{room} ", hits=[], searched=False, next=None, complete=True
            )
            return
        if raw.strip():
            try:
                query, page = await self.find(raw)
            except ChatError as refused:
                error = refused
        self.render_page(
            "pages/search.html",
            http_status=self.refused(error) if error else 200,
            q=raw[:QUERY_LIMIT],
            hits=[self._hit(message, query) for message in page.messages] if page and query else [],
            searched=page is not None,
            next=page.next if page else None,
            complete=page.complete if page else True,
            problem=self.problem(error),
        )

    def _hit(self, message: Message, query: SearchQuery) -> Hit:
        room = self.services.registry.by_id(message.room_id)
        assert room is not None
        return Hit(
            slug=room.info.slug,
            title=room.title_for(self.me.id),
            seq=message.seq,
            from_name=message.author,
            sent_at=rfc3339(message.sent_ms),
            pieces=excerpt(message.text, query.terms),
        )


class SearchMessages(SearchHandler):
    """`/search/messages`."""

    answers_json = True

    async def get(self) -> None:
        """`{"hits":[{"message":{…},"marks":[[start,end],…]}],"next":…,"complete":…}`, newest first."""
        query, page = await self.find(self.get_query_argument("q", ""))
        hits = []
        for message in page.messages:
            room = self.services.registry.by_id(message.room_id)
            assert room is not None
            view = message_view(message, room.info.slug)
            hits.append(
                {
                    "message": view,
                    "title": room.title_for(self.me.id),
                    "marks": marks(message.text, query.terms),
                }
            )
        self.write_json(encode({"hits": hits, "next": page.next, "complete": page.complete}))
