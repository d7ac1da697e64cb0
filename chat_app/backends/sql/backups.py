"""Backups of PostgreSQL: the same SQLite files as SQLite's own, so that each can be restored into either.

`maintenance` and `postgresql` call it, in a thread without a loop.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection

from chat_app.backends.sql.failures import DatabaseError
from chat_app.backends.sql.files import make_folder, new_backup_file, new_file_beside, sync_file
from chat_app.backends.sql.places import SqlitePlace, new_database, outside_the_loop
from chat_app.backends.sql.postgresql_place import PostgresqlPlace
from chat_app.backends.sql.restore import take_over
from chat_app.backends.sql.revisions import new_backup
from chat_app.backends.sql.rows import fill
from chat_app.backends.sql.upkeep import note_backup
from chat_app.errors import ChatError


def back_up(url: str, target: Path) -> None:
    """A snapshot into a new file, whoever serves the database meanwhile.

    Raises `ChatError`: `exists` when the file is there, `failed` when it cannot be made.
    """
    place = PostgresqlPlace(url)
    try:
        outside_the_loop(lambda: _back_up(place, target))
    except DatabaseError as error:
        raise ChatError("failed", str(error)) from error


def _back_up(place: PostgresqlPlace, target: Path) -> None:
    with new_backup_file(target) as temporary, place.reading(served=True) as source:
        _save(source, temporary)
    with place.noting() as connection:
        note_backup(connection, time.time_ns() // 1_000_000)


def restore(url: str, backup: Path, backups: Path) -> None:
    """Put a backup in the place of what the database holds, which is kept in the folder `backups`.

    Every room gets a new epoch. Raises `DatabaseError`, with the database untouched, when it is served, or
    the backup is missing, damaged, of another program or of a newer version.
    """
    if not backup.is_file():
        raise DatabaseError(f"There is no backup {backup}.")
    place = PostgresqlPlace(url)
    try:
        make_folder(backups)
        with new_file_beside(backups / "restoring.db") as temporary:
            take_over(backup.absolute(), temporary)
            outside_the_loop(lambda: _replace(place, temporary, backups))
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"The backup {backup} cannot be used: {error}.") from error
    except OSError as error:
        raise DatabaseError(f"The backup cannot be restored: {error.filename}: {error.strerror}.") from error


def _replace(place: PostgresqlPlace, prepared: Path, backups: Path) -> None:
    with SqlitePlace(prepared).reading() as source, place.replacing() as target:
        if (held := target.held()) is not None:
            kept = new_backup(backups, "before-restore")
            try:
                _save(held, kept)
                sync_file(kept)
            except BaseException:
                kept.unlink()
                raise
        fill(source, target.emptied())


def _save(source: Connection, path: Path) -> None:
    with new_database(path) as new:
        fill(source, new)
