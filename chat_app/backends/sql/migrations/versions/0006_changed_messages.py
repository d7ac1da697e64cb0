"""An index of the messages that changed since they were posted, in place of one of all of them.

Revision 0006. In PostgreSQL the one of all stays for a release, as nodes of the version before need it to
find what changed (docs/adr/0014); in SQLite nobody else has the file open.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A post is in the index of `seq`, where it is found until it changes."""
    changed = sa.text("rev <> seq")
    op.create_index(
        "ix_messages_changed",
        "messages",
        ["room_id", "rev"],
        sqlite_where=changed,
        postgresql_where=changed,
    )
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_messages_room_id_rev", "messages")
