"""What stands beside messages: what they answer, whom they name, which reactions they have.

`messages` asks for a whole page at once: one statement for each of the three, and none where the rows show
that there is nothing to find.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, bindparam, func, select

from chat_app.backends.sql.schema import accounts, mentions, messages, reactions
from chat_app.models import Reaction, ReplyTo

USERS_LIMIT = 20
"""People named of one emoji; the others are only counted."""
_NEVER_MS = 2**62


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
    found: dict[str, dict[str, tuple[int, list[tuple[str, str]]]]] = {}
    for message_id, emoji, count, account_id, name in connection.execute(
        _REACTIONS, {"ids": list(message_ids)}
    ):
        found.setdefault(message_id, {}).setdefault(emoji, (count, []))[1].append((account_id, name))
    return {
        message_id: tuple(
            Reaction(emoji, count, tuple(users)) for emoji, (count, users) in of_message.items()
        )
        for message_id, of_message in found.items()
    }


def _last_ms(totals: FromClause) -> ColumnElement[int]:
    """When the last one of the people reacted who are named: the index leads there without counting all."""
    each = reactions.alias("each")
    place = select(each.c.created_ms).where(_of(each, totals)).order_by(each.c.created_ms)
    return func.coalesce(place.limit(1).offset(USERS_LIMIT - 1).scalar_subquery(), _NEVER_MS)


def _of(table: FromClause, totals: FromClause) -> ColumnElement[bool]:
    return (table.c.message_id == totals.c.message_id) & (table.c.emoji == totals.c.emoji)


def _select_reactions() -> Select[*tuple[Any, ...]]:
    """Of the messages `ids`; made once, for making it takes as long as running it."""
    totals = (
        select(
            reactions.c.message_id,
            reactions.c.emoji,
            func.count().label("count"),
            func.min(reactions.c.created_ms).label("first_ms"),
        )
        .where(reactions.c.message_id.in_(bindparam("ids", expanding=True)))
        .group_by(reactions.c.message_id, reactions.c.emoji)
        .subquery()
    )
    return (
        select(totals.c.message_id, totals.c.emoji, totals.c.count, accounts.c.id, accounts.c.name)
        .select_from(totals)
        .join(reactions, _of(reactions, totals) & (reactions.c.created_ms <= _last_ms(totals)))
        .join(accounts, accounts.c.id == reactions.c.account_id)
        .order_by(totals.c.first_ms, totals.c.emoji, reactions.c.created_ms, reactions.c.account_id)
    )


_REACTIONS = _select_reactions()
