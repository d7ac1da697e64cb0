"""What stands beside messages: what they answer, whom they name, which reactions they have.

`messages` asks for a whole page at once: one statement for each of the three, and none where the rows show
that there is nothing to find.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from chat_app.backends.sql.schema import accounts, mentions, messages, reactions
from chat_app.models import Reaction, ReplyTo

USERS_LIMIT = 20
"""People named of one emoji; the others are only counted."""


def replies(connection: Connection, message_ids: Collection[str]) -> dict[tuple[str, str], ReplyTo]:
    """What is answered, by room and id."""
    if not message_ids:
        return {}
    chosen = (
        select(messages.c.room_id, messages.c.id, messages.c.seq, accounts.c.id, accounts.c.name)
        .join_from(messages, accounts)
        .where(messages.c.id.in_(list(message_ids)))
    )  # after the room in the order of ReplyTo's fields
    return {(row[0], row[1]): ReplyTo(*row[1:]) for row in connection.execute(chosen)}


def named_in(connection: Connection, message_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Ids of the accounts that messages name, sorted; who was only called with @here is not among them."""
    if not message_ids:
        return {}
    chosen = select(mentions.c.message_id, mentions.c.account_id).where(
        mentions.c.message_id.in_(list(message_ids)), mentions.c.here.is_(False)
    )
    found: dict[str, list[str]] = {}
    for message_id, account_id in connection.execute(chosen):
        found.setdefault(message_id, []).append(account_id)
    return {message_id: tuple(sorted(ids)) for message_id, ids in found.items()}


def reactions_on(connection: Connection, message_ids: Collection[str]) -> dict[str, tuple[Reaction, ...]]:
    """The reactions on messages, the oldest emoji first, each with the first of its people."""
    if not message_ids:
        return {}
    same = [reactions.c.message_id, reactions.c.emoji]
    each = (
        select(
            *same,
            reactions.c.account_id,
            func.count().over(partition_by=same).label("count"),
            func.min(reactions.c.created_ms).over(partition_by=same).label("first"),
            func.row_number()
            .over(partition_by=same, order_by=[reactions.c.created_ms, reactions.c.account_id])
            .label("place"),
        )
        .where(reactions.c.message_id.in_(list(message_ids)))
        .subquery()
    )
    chosen = (
        select(each.c.message_id, each.c.emoji, each.c.count, accounts.c.id, accounts.c.name)
        .join_from(each, accounts, accounts.c.id == each.c.account_id)
        .where(each.c.place <= USERS_LIMIT)
        .order_by(each.c.first, each.c.emoji, each.c.place)
    )
    found: dict[str, dict[str, tuple[int, list[tuple[str, str]]]]] = {}
    for message_id, emoji, count, account_id, name in connection.execute(chosen):
        found.setdefault(message_id, {}).setdefault(emoji, (count, []))[1].append((account_id, name))
    return {
        message_id: tuple(
            Reaction(emoji, count, tuple(users)) for emoji, (count, users) in of_message.items()
        )
        for message_id, of_message in found.items()
    }
