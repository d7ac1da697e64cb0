"""SQLite's files: how they are opened, created, copied and put on the disk for good.

`database`, `revisions` and `restore` call it. Everything it creates has mode 0600.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from chat_app.backends.sql.failures import DatabaseError
from chat_app.errors import ChatError

BUSY_SECONDS = 5
"""How long a statement waits for another process that holds the database."""
SIDE_FILES = ("-wal", "-shm", "-journal")


def path_of(url: str) -> Path:
    """The file that `sqlite:///PATH` names. Raises `DatabaseError` for anything else."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError("The database's URL cannot be read.") from None
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise DatabaseError("The database's URL has to name a file: sqlite:///PATH.")
    return Path(str(parsed.database)).absolute()


def writing_engine(path: Path, *, journal: str = "WAL") -> Engine:
    """One connection; its transactions take the write lock as they begin, and a commit is on the disk."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what was deleted is overwritten
        return connection

    return _engine(connect, 1, begin="BEGIN IMMEDIATE")


def reading_engine(path: Path, *, connections: int, immutable: bool = False) -> Engine:
    """Connections that cannot write; each transaction is one snapshot. `immutable` as in `open_reading`."""

    def connect() -> sqlite3.Connection:
        connection = open_reading(path, immutable=immutable)
        connection.execute("PRAGMA query_only=ON")
        return connection

    return _engine(connect, connections, begin="BEGIN")


def _engine(connect: object, connections: int, *, begin: str) -> Engine:
    engine = create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,  # what people wrote, and hashes, stay out of errors and so of the log
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # By the driver: SQLAlchemy's execution would cost 50 µs of the 350 of a commit.
        driver: Any = connection.connection.driver_connection
        try:
            driver.execute(begin)
        except sqlite3.Error as error:
            raise DBAPIError.instance(begin, None, error, sqlite3.Error, hide_parameters=True) from error

    return engine


def open_reading(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """A connection that cannot write. `immutable`: nobody has the file open; no file is made beside it."""
    options = "mode=ro&immutable=1" if immutable else "mode=ro"
    return sqlite3.connect(
        f"{path.as_uri()}?{options}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def has_log(path: Path) -> bool:
    """Whether there is a -wal file: somebody has the database open, or was killed."""
    return path.with_name(path.name + "-wal").exists()


def create_private(path: Path) -> None:
    """An empty new file with mode 0600. Raises `FileExistsError`."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def make_folder(path: Path) -> None:
    """The folder, with mode 0700 where it is new."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def new_file_beside(path: Path) -> Iterator[Path]:
    """An empty private file with a temporary name in the same folder, removed in the end if still there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    create_private(temporary)
    try:
        yield temporary
    finally:
        for suffix in ("", *SIDE_FILES):
            temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)


@contextmanager
def new_backup_file(target: Path) -> Iterator[Path]:
    """A private file to be filled, which gets its name in the end, when all of it is on the disk.

    Raises `ChatError`: `exists` when there is a file of this name, `failed` when it cannot be written.
    """
    target = target.absolute()
    if target.exists():
        raise ChatError("exists", f"The file {target} is there already.")
    try:
        with new_file_beside(target) as temporary:
            yield temporary
            sync_file(temporary)
            os.link(temporary, target)  # unlike a renaming it never takes the place of another file
        sync_file(target)
    except FileExistsError:
        raise ChatError("exists", f"The file {target} is there already.") from None
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ChatError("failed", f"The backup {target} cannot be written: {reason}.") from error


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy into the empty file `target`, by SQLite's backup API, with all that was committed."""
    with (
        closing(open_reading(source, immutable=not has_log(source))) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")
    sync_file(target)


def exchange(temporary: Path, path: Path) -> None:
    """Put a file in the place of a database that nobody has open."""
    if has_log(path):  # what is in it must not be lost when the power fails between the two steps
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in SIDE_FILES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.replace(temporary, path)
    sync_file(path)


def sync_file(path: Path) -> None:
    """Returns when the file's content and its name are on the disk."""
    _sync(path, os.O_RDONLY)
    _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
