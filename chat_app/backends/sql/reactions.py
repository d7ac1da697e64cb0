"""Storing one reaction, or its end; `changes` calls it inside a savepoint of the writer's transaction.

Who may react was asked before (`core/marks.py`).
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import structs
from sqlalchemy import Connection, delete, func, insert, select

from chat_app.backends.sql.messages import changeable, changed, unchanged
from chat_app.backends.sql.schema import reactions
from chat_app.errors import ChatError
from chat_app.models import Committed, React

EMOJI_LIMIT = 20
"""Different emoji on one message: a row of them, no wall."""


def react(connection: Connection, change: React) -> Committed:
    """Store it; a duplicate where it is so already. Raises `NotFound`, `Forbidden`, `ChatError` too_large."""
    head, message = changeable(connection, change.room_id, change.message_id)
    own = (
        (reactions.c.message_id == message.id)
        & (reactions.c.emoji == change.emoji)
        & (reactions.c.account_id == change.account_id)
    )
    there = connection.execute(select(reactions.c.emoji).where(own)).first() is not None
    if there != change.remove:
        return unchanged(connection, "reacted", message)
    if change.remove:
        connection.execute(delete(reactions).where(own))
    else:
        _check_number(connection, change)
        connection.execute(
            insert(reactions).values(
                message_id=message.id,
                emoji=change.emoji,
                account_id=change.account_id,
                created_ms=change.at_ms,
            )
        )
    return structs.replace(changed(connection, "reacted", message, head + 1), reacted=change)


def reacted(connection: Connection, account_id: str, message_ids: Collection[str]) -> set[tuple[str, str]]:
    """Which emoji an account put on these messages: their ids and the emoji."""
    own = reactions.c.message_id.in_(list(message_ids)) & (reactions.c.account_id == account_id)
    chosen = select(reactions.c.message_id, reactions.c.emoji).where(own)
    return {(message_id, emoji) for message_id, emoji in connection.execute(chosen)}


def _check_number(connection: Connection, change: React) -> None:
    on_message = reactions.c.message_id == change.message_id
    same = select(reactions.c.emoji).where(on_message, reactions.c.emoji == change.emoji).limit(1)
    if connection.execute(same).first() is not None:
        return
    different = select(func.count(reactions.c.emoji.distinct())).where(on_message)
    if connection.execute(different).scalar_one() >= EMOJI_LIMIT:
        raise ChatError("too_large", "At most %(limit)s different emoji on a message.", limit=EMOJI_LIMIT)


def forget_reactions(connection: Connection, message_id: str) -> None:
    """A deleted message has none."""
    connection.execute(delete(reactions).where(reactions.c.message_id == message_id))
