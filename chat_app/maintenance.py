"""What the command line does to a database as a whole: backups, restoring, copying. `commands` calls it.

It keeps servers away: SQLite's by the lock of their data folder, PostgreSQL's by the database itself.
Every failure is a `SettingsError` or a `ChatError` with one sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chat_app.backends.sql.database import DatabaseError, is_postgresql, restore_database
from chat_app.backends.sql.files import path_of
from chat_app.data_folder import LOCK_FILE, DataLock, DataLocked
from chat_app.settings import Settings, SettingsError

if TYPE_CHECKING:
    from chat_app.backends.sql.copying import Copied
    from chat_app.backends.sql.places import Place


def backup(settings: Settings, file: Path) -> bool:
    """A backup of a PostgreSQL database, whoever serves it. False for SQLite: its server makes its own."""
    if not is_postgresql(settings.database_url):
        return False
    from chat_app.backends.sql.backups import back_up

    back_up(settings.database_url, file)
    return True


def restore(settings: Settings, file: Path) -> None:
    """Puts a backup in the database's place; every room gets a new epoch. No server may run."""
    backups = settings.data / "backups"
    try:
        if is_postgresql(settings.database_url):
            from chat_app.backends.sql.backups import restore as restore_postgresql

            restore_postgresql(settings.database_url, file, backups)
        else:
            with DataLock(settings.data):
                restore_database(settings.database_url, file, backups)
    except DatabaseError as error:
        raise SettingsError(str(error)) from error


def copy(settings: Settings, source: str, target: str, *, replace: bool) -> Copied:
    """Everything of the database `source` into `target`, both URLs. No server of either may run."""
    from chat_app.backends.sql.copying import copy_installation

    old, new = _place(source), _place(target)
    if str(old) == str(new):
        raise SettingsError("--from and --to name the same database.")
    with ExitStack() as stack:
        for folder in sorted({*_folders(settings, source), *_folders(settings, target)}):
            stack.enter_context(_locked(folder))
        try:
            return copy_installation(old, new, replace=replace)
        except DatabaseError as error:
            raise SettingsError(str(error)) from error


def _place(url: str) -> Place:
    if is_postgresql(url):
        from chat_app.backends.sql.postgresql_place import PostgresqlPlace

        return PostgresqlPlace(url)
    from chat_app.backends.sql.places import SqlitePlace

    return SqlitePlace(path_of(url).resolve())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(DataLock(folder))
        except DataLocked as error:
            raise SettingsError(
                f"{error} Stop it first: what it stores meanwhile would be missing in the copy."
            ) from None
        yield


def _folders(settings: Settings, url: str) -> set[Path]:
    """The data folders whose server may have this file open."""
    if is_postgresql(url):
        return set()
    path = path_of(url).resolve()
    folders = {path.parent} if (path.parent / LOCK_FILE).exists() else set()
    ours = not is_postgresql(settings.database_url) and path_of(settings.database_url).resolve() == path
    return folders | ({settings.data.resolve()} if ours and settings.data.is_dir() else set())
