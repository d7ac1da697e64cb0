"""Bringing a database file to `HEAD_REVISION`, after a copy of what it held before.

`database` and `restore` call it before anything else has the file open; `postgresql` runs the same steps.
alembic is loaded only when there is something to do, for it takes longer to load than everything else of a
start.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from chat_app.backends.sql.failures import DatabaseError
from chat_app.backends.sql.files import copy_database, create_private, make_folder, writing_engine
from chat_app.backends.sql.rooms import create_lobby
from chat_app.backends.sql.schema import HEAD_REVISION, metadata

MIGRATIONS = Path(__file__).parent / "migrations"


def stored_revision(path: Path) -> str | None:
    """The revision of the file, None for an empty one. Raises `DatabaseError` when it is not one of ours."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            tables = {
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            }
            if not tables:
                return None
            if "alembic_version" not in tables:
                raise DatabaseError(f"{path} is a database of another program.")
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"The database {path} cannot be opened: {error}.") from error
    revision = "" if row is None else str(row[0])
    if revision == HEAD_REVISION and not set(metadata.tables) <= tables:
        raise DatabaseError(f"{path} is a database of another program.")
    return revision


def migrate(path: Path, *, backups: Path | None, journal: str = "WAL") -> None:
    """Bring the file to `HEAD_REVISION`; a file that holds something is copied into `backups` first.

    An empty file becomes a new database with the lobby. Everything happens in one transaction.
    Raises `DatabaseError` when its revision is newer or unknown.
    """
    revision = stored_revision(path)
    if revision == HEAD_REVISION:
        return
    if revision is not None:
        check_known(str(path), revision)
        if backups is not None:
            copy_aside(path, backups, f"before-{HEAD_REVISION}")
    engine = writing_engine(path, journal=journal)
    try:
        with engine.begin() as connection:
            upgrade(connection, new=revision is None)
    finally:
        engine.dispose()


def copy_aside(path: Path, backups: Path, why: str) -> Path:
    """A copy of the database as `backups/WHY-TIMESTAMP.db` with mode 0600."""
    target = new_backup(backups, why)
    copy_database(path, target)
    return target


def new_backup(backups: Path, why: str) -> Path:
    """An empty file in `backups` for such a copy, with a name that says why and when."""
    make_folder(backups)
    target = backups / f"{why}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    if target.exists():  # within the same second
        target = target.with_stem(f"{target.stem}-{secrets.token_hex(2)}")
    create_private(target)
    return target


def check_known(place: str, revision: str) -> None:
    """Raises `DatabaseError` when the revision is newer than this version, or unknown."""
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        ScriptDirectory(str(MIGRATIONS)).get_revisions(revision or "unknown")
    except CommandError:
        raise DatabaseError(
            f"The database {place} is of a newer version of this program (revision {revision or 'unknown'}); "
            f"this version knows up to {HEAD_REVISION}."
        ) from None


def upgrade(connection: Connection, *, new: bool) -> None:
    """Run the steps to `HEAD_REVISION` in the open transaction; `new`: make the lobby too."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD_REVISION)
    if new:
        create_lobby(connection, now_ms=time.time_ns() // 1_000_000)
