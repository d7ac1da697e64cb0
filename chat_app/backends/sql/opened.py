"""What every open database has, whichever it is: the ports, and whom it tells of commits and of its end.

`database` (SQLite) and `postgresql` derive theirs from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from chat_app.backends.sql.accounts import SqlAccounts
from chat_app.backends.sql.history import SqlHistory
from chat_app.backends.sql.rooms import SqlRooms
from chat_app.backends.sql.search import SqlSearch
from chat_app.backends.sql.ways import Reading, Writing
from chat_app.ports import Accounts, History, Rooms, Search


class SqlDatabase(ABC):
    """`ports.Database`. Made on the running event loop, whose callbacks it uses."""

    history: History
    search: Search
    rooms: Rooms
    accounts: Accounts

    def __init__(self) -> None:
        self.on_fatal: Callable[[str], None] = lambda line: None
        """Called with one line on the loop when the process must not go on: the disk fails (once until a
        commit succeeds again), or another process took the database over.
        """
        self.commit_seconds: Callable[[float, int], None] | None = None
        """Called on the loop after each transaction: how long it took, how many changes it stored."""

    def _open_ports(self, writer: Writing, readers: Reading, *, shared: bool = False) -> None:
        self.search = search = SqlSearch(writer, readers, shared=shared)
        self.history = SqlHistory(writer, readers, search)
        self.rooms = SqlRooms(writer, readers)
        self.accounts = SqlAccounts(writer, readers)

    @abstractmethod
    async def ready(self) -> bool:
        """Whether it answers a query."""

    @abstractmethod
    async def backup(self, path: Path) -> None:
        """A consistent copy into a new file with mode 0600, while everything goes on.

        Raises `ChatError`: `exists` when the file is there, `failed` when it cannot be written.
        """

    @abstractmethod
    async def last_backup_ms(self) -> int | None:
        """When the last backup was made, by whichever process; None when there never was one."""

    @abstractmethod
    async def settle(self) -> None:
        """Wait until everything that is queued now is committed and its outcome told."""

    @abstractmethod
    async def close(self) -> None:
        """Commit what is queued, then close."""

    def _committed(self, seconds: float, changes: int) -> None:
        if self.commit_seconds is not None:
            self.commit_seconds(seconds, changes)
