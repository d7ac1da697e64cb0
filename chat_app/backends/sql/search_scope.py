"""What a message has to be, whatever it says, for somebody who looks for it: of whom, where, when, visible.

`search_sqlite_candidates` and `search_postgresql` put it into their statements, which are the same SQL here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from chat_app.models import SearchQuery

VISIBLE = (
    "rooms.kind = 'public' OR EXISTS (SELECT 1 FROM room_members "
    "WHERE room_members.room_id = rooms.id AND room_members.account_id = :account)"
)
"""`rooms.seen_by`, for a statement that is written out."""
_OF_ROOM = f"SELECT id FROM rooms WHERE slug_key = :slug AND ({VISIBLE})"  # nosec B608 # our own text
_SEEN = f"messages.room_id IN (SELECT id FROM rooms WHERE {VISIBLE})"  # nosec B608 # our own text
Values = dict[str, Any]


class Conditions(Struct, frozen=True):
    """Conditions on `messages` and their values."""

    chosen: list[str]
    """Those on the author and the room."""
    parts: list[str]
    values: Values

    @property
    def text(self) -> str:
        """All of them."""
        return " AND ".join([*self.chosen, *self.parts])


def conditions_of(
    first: Callable[[str, Values], Sequence[Any] | None], query: SearchQuery, account_id: str
) -> Conditions | None:
    """None where there is nothing, for nobody has that name or sees such a room; `first` asks for a row."""
    values: Values = {"account": account_id}
    parts = ["messages.deleted_ms IS NULL", "messages.notice IS NULL"]
    chosen: list[str] = []
    if query.author_key is not None:
        row = first("SELECT id FROM accounts WHERE name_key = :author", {"author": query.author_key})
        if row is None:
            return None
        values["author"] = row[0]
        chosen.append("messages.account_id = :author")
    if query.room_slug is not None:
        row = first(_OF_ROOM, {"slug": query.room_slug, "account": account_id})
        if row is None:
            return None
        values["room"] = row[0]
        chosen.append("messages.room_id = :room")
    else:
        parts.append(_SEEN)
    if query.since_ms is not None:
        values["since"] = query.since_ms
        parts.append("messages.sent_ms >= :since")
    if query.until_ms is not None:
        values["until"] = query.until_ms
        parts.append("messages.sent_ms < :until")
    return Conditions(chosen, parts, values)
