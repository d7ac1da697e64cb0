"""Statements over the table `sessions`; `accounts` runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from chat_app.backends.sql.direct import Statement, runner_of
from chat_app.backends.sql.people import ACCOUNT_COLUMNS, TOGETHER
from chat_app.backends.sql.schema import accounts, sessions
from chat_app.models import Account, Session

_COLUMNS = (
    sessions.c.id,
    sessions.c.account_id,
    sessions.c.created_ms,
    sessions.c.confirmed_ms,
    sessions.c.last_seen_ms,
    sessions.c.expires_ms,
    sessions.c.address,
    sessions.c.agent,
)  # in the order of Session's fields
_BY_TOKEN = Statement(
    select(*_COLUMNS, *ACCOUNT_COLUMNS)
    .join_from(sessions, accounts)
    .where(sessions.c.token_hash == bindparam("token_hash"))
)
_TOUCH = (
    update(sessions)
    .where(sessions.c.id == bindparam("session"), sessions.c.last_seen_ms < bindparam("seen"))
    .values(last_seen_ms=bindparam("seen"))
)


def open_session(connection: Connection, session: Session, token_hash: str) -> None:
    """Store it; sessions of the account that are past their end go."""
    over = (sessions.c.account_id == session.account_id) & (sessions.c.expires_ms <= session.created_ms)
    connection.execute(delete(sessions).where(over))
    values: dict[str, Any] = {field: getattr(session, field) for field in session.__struct_fields__}
    connection.execute(insert(sessions).values(**values, token_hash=token_hash))


def by_token(connection: Connection, token_hash: str) -> tuple[Session, Account] | None:
    """The session and its account."""
    row = _BY_TOKEN.run(runner_of(connection), {"token_hash": token_hash}).fetchone()
    if row is None:
        return None
    account = Account(*row[len(_COLUMNS) :])
    return Session(*row[: len(_COLUMNS)]), structs.replace(account, disabled=bool(account.disabled))


def living(connection: Connection, session_ids: list[str]) -> dict[str, Account]:
    """The accounts of those sessions that are stored."""
    found: dict[str, Account] = {}
    for start in range(0, len(session_ids), TOGETHER):
        chosen = sessions.c.id.in_(session_ids[start : start + TOGETHER])
        rows = connection.execute(
            select(sessions.c.id, *ACCOUNT_COLUMNS).join_from(sessions, accounts).where(chosen)
        )
        for session_id, *account in rows:
            found[session_id] = Account(*account)
    return found


def of_account(connection: Connection, account_id: str) -> list[Session]:
    """The sessions of an account, newest first."""
    newest_first = sessions.c.created_ms.desc(), sessions.c.id
    chosen = select(*_COLUMNS).where(sessions.c.account_id == account_id).order_by(*newest_first)
    return [Session(*row) for row in connection.execute(chosen)]


def end(connection: Connection, account_id: str, *, only: str | None, but: str | None) -> list[str]:
    """Delete the session `only`, or all `but` one, or all; the ids of the deleted ones."""
    chosen = sessions.c.account_id == account_id
    if only is not None:
        chosen &= sessions.c.id == only
    if but is not None:
        chosen &= sessions.c.id != but
    ended = list(connection.execute(select(sessions.c.id).where(chosen)).scalars())
    connection.execute(delete(sessions).where(chosen))
    return ended


def renew(connection: Connection, session_id: str, old_hash: str, new_hash: str, now_ms: int) -> bool:
    """Another token, if it still has the old one, which is kept as the replaced one."""
    chosen = (sessions.c.id == session_id) & (sessions.c.token_hash == old_hash)
    values = {"token_hash": new_hash, "replaced_hash": old_hash, "replaced_ms": now_ms}
    return connection.execute(update(sessions).where(chosen).values(values)).rowcount == 1


def by_replaced(connection: Connection, token_hash: str) -> tuple[Session, Account, int] | None:
    """The session that had this token before, its account, and when it was replaced."""
    row = connection.execute(
        select(*_COLUMNS, *ACCOUNT_COLUMNS, sessions.c.replaced_ms)
        .join_from(sessions, accounts)
        .where(sessions.c.replaced_hash == token_hash)
    ).first()
    if row is None:
        return None
    *values, replaced_ms = row
    return Session(*values[: len(_COLUMNS)]), Account(*values[len(_COLUMNS) :]), replaced_ms


def forget_replaced(connection: Connection, token_hashes: list[str]) -> None:
    """These open nothing any more."""
    for start in range(0, len(token_hashes), TOGETHER):
        chosen = sessions.c.replaced_hash.in_(token_hashes[start : start + TOGETHER])
        connection.execute(update(sessions).where(chosen).values(replaced_hash=None, replaced_ms=None))


def touch(connection: Connection, seen: Mapping[str, int]) -> None:
    """Store when each was last seen; the moment never moves back."""
    # In the order of ids, or two nodes that store the same ones would wait for each other.
    connection.execute(_TOUCH, [{"session": key, "seen": moment} for key, moment in sorted(seen.items())])


def confirm(connection: Connection, session_id: str, now_ms: int) -> None:
    """The password was given again at `now_ms`."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(confirmed_ms=now_ms))
