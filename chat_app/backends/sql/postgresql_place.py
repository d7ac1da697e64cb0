"""A PostgreSQL database opened as a whole, to be read or to be replaced: see `places`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from chat_app.backends.sql.advisory import LOCKS, SERVING
from chat_app.backends.sql.failures import DatabaseError, describe
from chat_app.backends.sql.places import Target, check_revision, is_used
from chat_app.backends.sql.postgresql import migrate, stored_revision
from chat_app.backends.sql.postgresql_connections import explain, migrating_engine, place_of

LOCK_SECONDS = 30
"""How long somebody else's transaction may hold what has to be replaced."""


class PostgresqlPlace:
    """A database on a server. Whoever serves it holds an advisory lock."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __str__(self) -> str:
        return place_of(self.url)

    @contextmanager
    def reading(self, *, served: bool = False) -> Iterator[Connection]:
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._connected(options, served=served) as connection:
            check_revision(str(self), stored_revision(connection, str(self)))
            yield connection

    @contextmanager
    def replacing(self) -> Iterator[Target]:
        with self._connected({}, served=False) as connection:
            encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
            if encoding != "UTF8":
                raise DatabaseError(f"{self} has the encoding {encoding}; make it with ENCODING 'UTF8'.")
            yield _PostgresqlTarget(connection, str(self))

    @contextmanager
    def noting(self) -> Iterator[Connection]:
        """One transaction beside whoever serves it."""
        with self._connected({}, served=True) as connection:
            yield connection

    @contextmanager
    def _connected(self, options: dict[str, Any], *, served: bool) -> Iterator[Connection]:
        """One transaction, which takes as long as it takes; unless `served` no server runs meanwhile."""
        engine = migrating_engine(self.url).sync_engine.execution_options(**options)
        try:
            connection = engine.connect()
        except Exception as error:
            raise explain(error, self.url) from error
        try:
            with connection:
                if not served:
                    self._keep_servers_away(connection)
                with connection.begin():
                    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
                    yield connection
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The second ones by COPY, which is the driver's own
            words = describe(error) if isinstance(error, SQLAlchemyError) else str(error)
            raise DatabaseError(f"{self} cannot be used: {words.splitlines()[0]}.") from error

    def _keep_servers_away(self, connection: Connection) -> None:
        """As long as the connection is open. Before the snapshot, which then has all that one has stored."""
        with connection.begin():
            taken = connection.execute(select(func.pg_try_advisory_lock(LOCKS, SERVING))).scalar_one()
        if not taken:
            raise DatabaseError(f"{self} is being served; stop every process that serves it first.")


class _PostgresqlTarget:
    """The database itself, in one transaction."""

    def __init__(self, connection: Connection, place: str) -> None:
        self._connection = connection
        self._place = place

    def held(self) -> Connection | None:
        if stored_revision(self._connection, self._place) is None:
            return None
        connection = self.emptied()
        return connection if is_used(connection) else None

    def emptied(self) -> Connection:
        migrate(self._connection, self._place)
        return self._connection
