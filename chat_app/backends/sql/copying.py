"""Copying an installation from one database into another, SQLite or PostgreSQL: `maintenance` calls it.

One snapshot of the source, one transaction in the target, compared before it is committed. It may be run
again: an earlier copy of the same source is brought up to date, anything else in the target is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, select

from chat_app.backends.sql.failures import DatabaseError
from chat_app.backends.sql.places import Place, outside_the_loop
from chat_app.backends.sql.rows import Digest, Row, digests, fill, stream
from chat_app.backends.sql.schema import accounts, join_links, messages, rooms


class Copied(msgspec.Struct):
    """What the target holds now, by table, and whether anything was changed for it."""

    tables: dict[str, Digest]
    changed: bool


class _Lasting(msgspec.Struct):
    """Rows that never go away: of two databases with one past, the later one has all of the earlier one's."""

    name: str
    key: Column[str]
    fixed: tuple[Column[Any], ...] = ()
    """What never changes."""
    rising: tuple[Column[int], ...] = ()
    """What only grows."""


_LASTING = (
    _Lasting("an account", accounts.c.id),
    _Lasting("an invitation link", join_links.c.code),
    _Lasting("a room", rooms.c.id, (rooms.c.epoch,), (rooms.c.seq,)),
    _Lasting("a message", messages.c.id, (messages.c.room_id, messages.c.seq), (messages.c.rev,)),
)


def copy_installation(source: Place, target: Place, *, replace: bool) -> Copied:
    """Everything of `source` into `target`; `replace`: whatever that holds. The thread must have no loop.

    Raises `DatabaseError`, with nothing changed: one is served, the source is not there or of another
    version, the target holds what the source does not know, or something did not arrive as it was.
    """
    return outside_the_loop(lambda: _copy(source, target, replace))


def _copy(source: Place, target: Place, replace: bool) -> Copied:
    with source.reading(served=False) as old, target.replacing() as new:
        held = new.held()
        if held is not None:
            known = digests(old)
            if known == digests(held):
                return Copied(known, changed=False)
            if not replace and (unknown := _unknown(old, held)):
                raise DatabaseError(
                    f"{target} holds {unknown} that {source} does not know; nothing was changed "
                    "(--replace overwrites what it holds)."
                )
        return Copied(fill(old, new.emptied()), changed=True)


def _unknown(source: Connection, target: Connection) -> str | None:
    """What of the target is no earlier state of the source."""
    for lasting in _LASTING:
        if not _is_earlier(_sorted(target, lasting), _sorted(source, lasting), fixed=1 + len(lasting.fixed)):
            return lasting.name
    return None


def _is_earlier(earlier: Iterator[Row], later: Iterator[Row], *, fixed: int) -> bool:
    """Whether each row is there later too: the first `fixed` values the same, the others no lower."""
    for row in earlier:
        found = next((other for other in later if other[0] >= row[0]), None)
        if found is None or found[:fixed] != row[:fixed]:
            return False
        if any(before > after for before, after in zip(row[fixed:], found[fixed:], strict=True)):
            return False
    return True


def _sorted(connection: Connection, lasting: _Lasting) -> Iterator[Row]:
    """Keys are compared byte by byte in both databases, which is how Python compares them."""
    chosen = select(lasting.key, *lasting.fixed, *lasting.rising).order_by(lasting.key)
    for rows in stream(connection, chosen):
        yield from rows
