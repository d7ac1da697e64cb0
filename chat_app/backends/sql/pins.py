"""Pinning messages in the writer's transaction, and reading what is pinned.

`changes` calls `pin`; who may do it was asked before (`core/marks.py`).
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, select

from chat_app.backends.sql.messages import changeable, changed, messages_of, select_messages, unchanged
from chat_app.backends.sql.schema import messages
from chat_app.errors import ChatError
from chat_app.models import Committed, Message, Pin

PINS_LIMIT = 100
"""In one room; they are shown all at once."""


def pin(connection: Connection, change: Pin) -> Committed:
    """Store it; a duplicate where it is so already. Raises `NotFound`, `Forbidden`, `ChatError` too_large."""
    head, message = changeable(connection, change.room_id, change.message_id)
    if (message.pinned_ms is not None) == change.pinned:
        return unchanged(connection, "pinned", message)
    if change.pinned:
        stored = select(func.count()).select_from(messages).where(_pinned(change.room_id))
        if connection.execute(stored).scalar_one() >= PINS_LIMIT:
            raise ChatError(
                "too_large",
                "At most %(limit)s messages are pinned. Unpin one first.",
                limit=PINS_LIMIT,
            )
    return changed(connection, "pinned", message, head + 1, pinned_ms=change.at_ms if change.pinned else None)


def pinned(connection: Connection, room_id: str) -> list[Message]:
    """What is pinned in a room, the latest pin first."""
    chosen = select_messages().where(_pinned(room_id))
    ordered = chosen.order_by(messages.c.pinned_ms.desc(), messages.c.seq.desc())
    return messages_of(connection, connection.execute(ordered))


def _pinned(room_id: str) -> ColumnElement[bool]:
    return (messages.c.room_id == room_id) & messages.c.pinned_ms.is_not(None)
