"""Rows of messages as `models.Message`, with the author's name as it is now."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select, select

from chat_app.backends.sql.schema import accounts, messages
from chat_app.models import Message

_SELECT: Select[*tuple[Any, ...]] = select(
    messages.c.id,
    messages.c.room_id,
    messages.c.seq,
    messages.c.rev,
    messages.c.account_id,
    accounts.c.name,
    messages.c.text,
    messages.c.html,
    messages.c.sent_ms,
    messages.c.nonce,
    messages.c.edited_ms,
    messages.c.deleted_ms,
).join_from(messages, accounts)  # in the order of Message's fields


def select_messages() -> Select[*tuple[Any, ...]]:
    """Messages with their authors; narrow it with `where`."""
    return _SELECT


def message_of(row: Row[*tuple[Any, ...]] | tuple[Any, ...]) -> Message:
    """The message in a row of `select_messages`."""
    return Message(*row)
