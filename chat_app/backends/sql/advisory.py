"""PostgreSQL's advisory locks of this program: numbers that two processes agree on, and what holds them."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

LOCKS = 0x526F6F6D
"""The first half of all of them; the second one says what for."""
SERVING = 1
MIGRATING = 2
OWNERS = 3
INDEXING = 4


def hold(connection: Connection, what: int) -> None:
    """Until the commit nobody else comes beyond this. SQLite has one writer, who needs no lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LOCKS, what)))


def try_hold(connection: Connection, what: int) -> bool:
    """Whether nobody else has it; it is held until the commit then. PostgreSQL only."""
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(LOCKS, what))).scalar_one())
