"""Earlier texts of messages, kept only where the owner wants it (`CHAT_EDIT_HISTORY`).

`amendments` adds and forgets them with the change itself, `history` reads them.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from chat_app.backends.sql.schema import message_versions
from chat_app.models import Message, Version


def keep_version(connection: Connection, message: Message) -> None:
    """Keep the text that an edit is about to replace."""
    connection.execute(
        insert(message_versions).values(
            message_id=message.id,
            rev=message.rev,
            text=message.text,
            at_ms=message.sent_ms if message.edited_ms is None else message.edited_ms,
        )
    )


def versions(connection: Connection, message_id: str) -> list[Version]:
    """The earlier texts of a message, oldest first."""
    chosen = select(message_versions.c.text, message_versions.c.at_ms).where(
        message_versions.c.message_id == message_id
    )
    return [Version(*row) for row in connection.execute(chosen.order_by(message_versions.c.rev))]


def forget_versions(connection: Connection, message_id: str | None = None) -> None:
    """Nothing of the earlier texts is left; None: of no message."""
    everything = delete(message_versions)
    connection.execute(
        everything if message_id is None else everything.where(message_versions.c.message_id == message_id)
    )
