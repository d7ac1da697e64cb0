"""When what was done to a PostgreSQL database as a whole: `backups` notes it, `postgresql` tells it.

SQLite has a file beside the database for it (`database.LAST_BACKUP`).
"""

from __future__ import annotations

from sqlalchemy import Connection, text

_BACKUP = {"name": "backup"}
_NOTE = text(
    "INSERT INTO upkeep (name, at_ms) VALUES (:name, :at_ms) "
    "ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms"
)
_TELL = text("SELECT at_ms FROM upkeep WHERE name = :name")


def note_backup(connection: Connection, now_ms: int) -> None:
    """A backup was made."""
    connection.execute(_NOTE, {**_BACKUP, "at_ms": now_ms})


def last_backup_ms(connection: Connection) -> int | None:
    """When the last one was made; None when there never was one."""
    found = connection.execute(_TELL, _BACKUP).scalar()
    return None if found is None else int(found)
