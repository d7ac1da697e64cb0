"""Statements over the table `join_links`: invitations with a role; `accounts` runs them."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Connection, Select, insert, or_, select, update

from chat_app.backends.sql.schema import accounts, join_links
from chat_app.models import JoinLink, Role

_SELECT: Select[*tuple[Any, ...]] = select(
    join_links.c.code,
    join_links.c.role,
    join_links.c.uses_left,
    join_links.c.expires_ms,
    join_links.c.revoked,
    accounts.c.name,
    join_links.c.created_ms,
).join_from(join_links, accounts)  # in the order of JoinLink's fields


def create(connection: Connection, link: JoinLink) -> None:
    """Store it; `created_by` is an account's id."""
    values: dict[str, Any] = {field: getattr(link, field) for field in link.__struct_fields__}
    connection.execute(insert(join_links).values(**values))


def by_code(connection: Connection, code: str) -> JoinLink | None:
    """One link; `created_by` is a name."""
    row = connection.execute(_SELECT.where(join_links.c.code == code)).one_or_none()
    return None if row is None else JoinLink(*row)


def everything(connection: Connection) -> list[JoinLink]:
    """All of them, newest first; `created_by` is a name."""
    newest_first = _SELECT.order_by(join_links.c.created_ms.desc(), join_links.c.code)
    return [JoinLink(*row) for row in connection.execute(newest_first)]


def use(connection: Connection, code: str, *, now_ms: int) -> Role | None:
    """Take one use away and return the role; None when the link is used up, expired, revoked or unknown."""
    good = (
        (join_links.c.code == code)
        & join_links.c.revoked.is_(False)
        & or_(join_links.c.uses_left.is_(None), join_links.c.uses_left > 0)
        & or_(join_links.c.expires_ms.is_(None), join_links.c.expires_ms > now_ms)
    )
    # NULL - 1 is NULL: a link for any number of uses stays one
    used = connection.execute(update(join_links).where(good).values(uses_left=join_links.c.uses_left - 1))
    if used.rowcount == 0:
        return None
    return cast(
        Role, connection.execute(select(join_links.c.role).where(join_links.c.code == code)).scalar_one()
    )


def revoke(connection: Connection, code: str) -> bool:
    """False when there is none."""
    return (
        connection.execute(update(join_links).where(join_links.c.code == code).values(revoked=True)).rowcount
        > 0
    )
