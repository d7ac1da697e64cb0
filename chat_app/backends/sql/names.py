"""Finding people by the beginning of a name: for completion, and for who to write to.

`accounts` runs it.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, FromClause, exists, func, or_, select

from chat_app.backends.sql.schema import accounts, messages, room_members, rooms

LATELY = 200
"""Changes of a room; who spoke within them is offered first."""
_BEFORE_WORDS = " -_.'"


def named(connection: Connection, prefix: str, *, room_id: str | None, limit: int) -> list[tuple[str, str]]:
    """Ids and names of enabled accounts, those first who spoke lately in the room, then by name."""
    chosen = select(accounts.c.id, accounts.c.name).where(accounts.c.disabled.is_(False), _begins(prefix))
    if room_id is not None:
        lately = _speakers(room_id)
        chosen = (
            chosen.select_from(accounts.outerjoin(lately, lately.c.account_id == accounts.c.id))
            .where(_sees(room_id))
            .order_by(lately.c.seq.desc().nulls_last())
        )
    found = connection.execute(chosen.order_by(accounts.c.name_key).limit(limit))
    return [(account_id, name) for account_id, name in found]


def _begins(prefix: str) -> ColumnElement[bool]:
    key = accounts.c.name_key
    words = (key.contains(before + prefix, autoescape=True) for before in _BEFORE_WORDS)
    return or_(key.startswith(prefix, autoescape=True), *words)


def _speakers(room_id: str) -> FromClause:
    head = select(rooms.c.seq).where(rooms.c.id == room_id).scalar_subquery()
    return (
        select(messages.c.account_id, func.max(messages.c.seq).label("seq"))
        .where(messages.c.room_id == room_id, messages.c.seq > head - LATELY, messages.c.notice.is_(None))
        .group_by(messages.c.account_id)
        .subquery()
    )


def _sees(room_id: str) -> ColumnElement[bool]:
    open_to_all = exists().where(rooms.c.id == room_id, rooms.c.kind == "public")
    belongs = exists().where(room_members.c.room_id == room_id, room_members.c.account_id == accounts.c.id)
    return or_(open_to_all, belongs)
