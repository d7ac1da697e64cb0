"""Putting rows in the place of those that are there: two nodes may store the same one at once.

Both databases know `ON CONFLICT`, but SQLAlchemy keeps it in their dialects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam


def put_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    value: str,
    rising: bool = False,
) -> None:
    """Store them by the primary key; `value` is the one other column, and never falls when it is `rising`."""
    key = [column.name for column in table.primary_key]
    statement: Any
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # loads what SQLite needs nothing of

        statement = postgresql.insert(table)
    else:
        from sqlalchemy.dialects import sqlite

        statement = sqlite.insert(table)
    given = statement.values({name: bindparam(name) for name in (*key, value)})
    new = given.excluded[value]
    put = given.on_conflict_do_update(
        index_elements=key, set_={value: new}, where=table.c[value] < new if rising else None
    )
    # Always in the same order, or two nodes would wait for each other.
    connection.execute(put, sorted(rows, key=lambda row: tuple(row[name] for name in key)))
