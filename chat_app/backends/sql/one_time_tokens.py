"""Statements over the table `tokens`: what signs in once; `accounts` runs them. Only digests are stored."""

from __future__ import annotations

from sqlalchemy import Connection, Select, delete, insert, select, update

from chat_app.backends.sql.advisory import OWNERS, hold
from chat_app.backends.sql.schema import tokens
from chat_app.ports import TokenKind


def put(
    connection: Connection, token_hash: str, kind: TokenKind, account_id: str | None, expires_ms: int
) -> None:
    """Store one; used ones go, and the earlier ones of the same kind and account."""
    if account_id is None:
        hold(connection, OWNERS)  # nodes that start together leave one token, not one each
    connection.execute(delete(tokens).where(tokens.c.used_ms.is_not(None)))
    connection.execute(
        delete(tokens).where(tokens.c.kind == kind, tokens.c.account_id.is_not_distinct_from(account_id))
    )
    connection.execute(
        insert(tokens).values(
            token_hash=token_hash, kind=kind, account_id=account_id, expires_ms=expires_ms, used_ms=None
        )
    )


def drop(connection: Connection, account_id: str) -> None:
    """All of an account."""
    connection.execute(delete(tokens).where(tokens.c.account_id == account_id))


def peek(connection: Connection, token_hash: str, kind: TokenKind, *, now_ms: int) -> tuple[bool, str | None]:
    """(whether it is good, its account)."""
    row = connection.execute(_good(token_hash, kind, now_ms)).one_or_none()
    return (False, None) if row is None else (True, row[0])


def take(connection: Connection, token_hash: str, kind: TokenKind, *, now_ms: int) -> tuple[bool, str | None]:
    """The same, and no second time."""
    row = connection.execute(_good(token_hash, kind, now_ms).with_for_update()).one_or_none()
    if row is None:
        return False, None
    connection.execute(update(tokens).where(tokens.c.token_hash == token_hash).values(used_ms=now_ms))
    return True, row[0]


def _good(token_hash: str, kind: TokenKind, now_ms: int) -> Select[str | None]:
    return select(tokens.c.account_id).where(
        tokens.c.token_hash == token_hash,
        tokens.c.kind == kind,
        tokens.c.used_ms.is_(None),
        tokens.c.expires_ms > now_ms,
    )
