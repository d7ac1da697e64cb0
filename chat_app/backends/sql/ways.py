"""The two ways into the database that the ports' implementations know, whichever database it is.

SQLite: `writer.Writer` and `readers.Readers`; PostgreSQL: those of `postgresql_writer` and
`postgresql_readers`. What they run are the same functions of a SQLAlchemy connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from chat_app.models import Change
from chat_app.ports import Done

T = TypeVar("T")


class Writing(Protocol):
    """Stores changes, those of a room one after the other. Raises `Busy` when too many wait."""

    def submit(self, change: Change, done: Done) -> None:
        """Queue a change; `done` is called on the loop."""

    async def write(self, function: Callable[[Connection], T], *, erases: bool = False) -> T:
        """The result of `function` after the commit. What it raises is raised here and undoes what it did.

        `erases`: it takes something away that must not stay in any file.
        """


class Reading(Protocol):
    """Reads, each query in one transaction: a snapshot."""

    async def read(self, query: Callable[[Connection], T]) -> T:
        """The result of `query`. Raises `Busy` when too many wait."""
