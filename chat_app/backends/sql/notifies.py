"""What accounts want to be notified of: rows only for what somebody chose.

`rooms` runs it.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from chat_app.backends.sql.schema import room_settings
from chat_app.backends.sql.upserts import put_rows
from chat_app.models import Notify


def notifies(connection: Connection, room_id: str | None = None) -> dict[str, dict[str, Notify]]:
    """By room id and account id; of one room only, or of all."""
    found: dict[str, dict[str, Notify]] = {}
    chosen = select(room_settings.c.room_id, room_settings.c.account_id, room_settings.c.notify)
    if room_id is not None:
        chosen = chosen.where(room_settings.c.room_id == room_id)
    for of_room, account_id, notify in connection.execute(chosen):
        found.setdefault(of_room, {})[account_id] = notify
    return found


def set_notify(connection: Connection, account_id: str, room_id: str, notify: Notify) -> None:
    """Store a choice, or put it in the place of an earlier one."""
    row = {"account_id": account_id, "room_id": room_id, "notify": notify}
    put_rows(connection, room_settings, [row], value="notify")
