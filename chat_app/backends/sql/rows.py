"""All rows of a database, from one to another, whichever they are; and a digest of them, the same in both.

`copying` and `backups` call it, with both connections in a transaction. It never holds more than a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, delete, select, text

from chat_app.backends.sql.direct import driver_of
from chat_app.backends.sql.failures import DatabaseError
from chat_app.backends.sql.schema import messages, metadata, search_state
from chat_app.backends.sql.search_index import start_anew
from chat_app.backends.sql.search_index_postgresql import POSITION

BATCH = 2_000
TABLES = tuple(table for table in metadata.sorted_tables if table is not search_state)
"""In the order in which they need each other. How far the index reaches says nothing elsewhere."""
_DIGEST_BYTES = 16

Row = tuple[Any, ...]


class Digest(msgspec.Struct):
    """How many rows there are, and the sum of their hashes, in which their order says nothing."""

    rows: int = 0
    total: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Count them in."""
        hashes = (blake2b(_encode(row), digest_size=_DIGEST_BYTES).digest() for row in rows)
        self.total = (self.total + sum(map(_number, hashes))) % 256**_DIGEST_BYTES
        self.rows += len(rows)


_encode = msgspec.msgpack.Encoder().encode


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big")


def digests(connection: Connection) -> dict[str, Digest]:
    """Of each table."""
    return {table.name: _digest(connection, table) for table in TABLES}


def fill(source: Connection, target: Connection) -> dict[str, Digest]:
    """Everything of `source` instead of what is in `target`, which is compared afterwards.

    Raises `DatabaseError` when something did not arrive as it was: the transaction must not be committed.
    """
    _clear(target)
    found = {table.name: _copy(source, target, table) for table in TABLES}
    for table in TABLES:
        sent, arrived = found[table.name], _digest(target, table)
        if sent != arrived:
            raise DatabaseError(
                f"The table {table.name} did not arrive as it was ({sent.rows} rows sent, "
                f"{arrived.rows} found); nothing was changed."
            )
    if target.dialect.name == "postgresql":
        target.execute(text(f"ANALYZE {_names()}"))  # else the first minutes are planned for empty tables
    return found


def stream(connection: Connection, chosen: Select[*tuple[Any, ...]]) -> Iterator[list[Row]]:
    """The rows of a query in batches."""
    with connection.execution_options(yield_per=BATCH).execute(chosen) as result:
        for rows in result.partitions(BATCH):
            yield [tuple(row) for row in rows]


def _clear(target: Connection) -> None:
    start_anew(target)
    if target.dialect.name == "postgresql":
        target.execute(text("CLOSE ALL"))  # asyncpg leaves the cursors of `stream` open, also at their end
        target.execute(text(f"TRUNCATE {_names()}"))  # nosec B608 # our own names
    else:
        for table in reversed(TABLES):
            target.execute(delete(table))


def _names() -> str:
    return ", ".join(table.name for table in TABLES)


def _digest(connection: Connection, table: Table) -> Digest:
    digest = Digest()
    for rows in stream(connection, select(*table.columns)):
        digest.add(rows)
    return digest


def _copy(source: Connection, target: Connection, table: Table) -> Digest:
    put = _put_postgresql if target.dialect.name == "postgresql" else _put_sqlite
    digest = Digest()
    for rows in stream(source, _ordered(source, table)):
        digest.add(rows)
        put(target, table, rows)
    return digest


def _ordered(source: Connection, table: Table) -> Select[*tuple[Any, ...]]:
    """Messages as they came: SQLite searches in the order of its rows."""
    chosen = select(*table.columns)
    if table is not messages:
        return chosen
    return chosen.order_by(text(POSITION if source.dialect.name == "postgresql" else "messages.rowid"))


def _put_sqlite(target: Connection, table: Table, rows: list[Row]) -> None:
    names = ", ".join(column.name for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # nosec B608 # our own names
    driver_of(target).executemany(statement, rows)


def _put_postgresql(target: Connection, table: Table, rows: list[Row]) -> None:
    names = [column.name for column in table.columns]
    adapted: Any = target.connection.dbapi_connection
    adapted.run_async(lambda driver: driver.copy_records_to_table(table.name, records=rows, columns=names))
