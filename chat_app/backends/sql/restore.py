"""Putting a backup in the place of the database, while no server runs: the command line calls it.

The backup is checked and prepared beside the database, which is exchanged at the end in one step. What was
there is kept in the folder of backups. Every room gets a new epoch, for what clients know of its log may not
be in the backup.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import delete, select, update

from chat_app.backends.sql.failures import DatabaseError
from chat_app.backends.sql.files import (
    SIDE_FILES,
    copy_database,
    exchange,
    make_folder,
    new_file_beside,
    path_of,
    sync_file,
    writing_engine,
)
from chat_app.backends.sql.revisions import copy_aside, migrate, new_backup, stored_revision
from chat_app.backends.sql.rooms import new_epoch
from chat_app.backends.sql.schema import metadata, rooms, tokens
from chat_app.backends.sql.search_index import start_anew


def restore_database(url: str, backup_path: Path, backups: Path) -> None:
    """Replace the database of `url` by the backup; the caller holds the lock of the data folder.

    Raises `DatabaseError`, with the database untouched, when the backup is missing, damaged, of another
    program or of a newer version.
    """
    path = path_of(url)
    backup = backup_path.absolute()
    if not backup.is_file():
        raise DatabaseError(f"There is no backup {backup_path}.")
    if path.exists() and backup.samefile(path):
        raise DatabaseError("The backup is the database itself.")
    try:
        make_folder(path.parent)
        with new_file_beside(path) as temporary:
            take_over(backup, temporary)
            _keep_old(path, backups)
            exchange(temporary, path)
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"The backup {backup_path} cannot be used: {error}.") from error
    except OSError as error:
        raise DatabaseError(f"The backup cannot be restored: {error.filename}: {error.strerror}.") from error


def take_over(backup: Path, temporary: Path) -> None:
    """Copy the backup into an empty file, check the copy, and make a database of now of it.

    Raises `DatabaseError`, and sqlite3's own.
    """
    copy_database(backup, temporary)
    with closing(sqlite3.connect(temporary)) as connection:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise DatabaseError(f"The backup {backup} is damaged: {found}.")
    try:
        if stored_revision(temporary) is None:
            raise DatabaseError("It holds nothing.")
        migrate(temporary, backups=None, journal="DELETE")
        _check_tables(temporary)
    except DatabaseError as error:
        raise DatabaseError(str(error).replace(str(temporary), str(backup))) from error
    engine = writing_engine(temporary, journal="DELETE")
    try:
        with engine.begin() as connection:
            for room_id in connection.execute(select(rooms.c.id)).scalars().all():
                connection.execute(update(rooms).where(rooms.c.id == room_id).values(epoch=new_epoch()))
            connection.execute(delete(tokens))
            start_anew(connection)
    finally:
        engine.dispose()
    sync_file(temporary)


def _check_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    if not set(metadata.tables) <= found:
        raise DatabaseError(f"{path} is a database of another program.")


def _keep_old(path: Path, backups: Path) -> None:
    if not path.exists():
        return
    try:
        copy_aside(path, backups, "before-restore")
        with closing(
            sqlite3.connect(path)
        ) as connection:  # brings what is in the -wal file home, and removes it
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (
        sqlite3.DatabaseError
    ):  # damaged: the reason for restoring, perhaps; its bytes are kept as they are
        target = new_backup(backups, "before-restore-damaged")
        for suffix in ("", *SIDE_FILES):
            source = path.with_name(path.name + suffix)
            if source.exists():
                shutil.copyfile(source, target.with_name(target.name + suffix))
        target.chmod(0o600)
