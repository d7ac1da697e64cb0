"""Rooms of other kinds: who belongs to them, what they are about, what the log tells of them; replies,
reactions, pins, calls of everybody present, earlier texts, and who wants to hear what of a room.

Revision 0003. A version from before goes on beside it: what is new has a default.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chat_app.backends.sql.migrations.columns import KEY

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what rooms have beside their log."""
    op.add_column("rooms", sa.Column("kind", KEY, nullable=False, server_default="public"))
    op.add_column("rooms", sa.Column("topic", sa.Text, nullable=False, server_default=""))
    op.add_column("rooms", sa.Column("archived", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("rooms", sa.Column("posting", KEY, nullable=False, server_default="everyone"))
    op.add_column("rooms", sa.Column("direct_key", KEY))
    op.create_index("uq_rooms_direct_key", "rooms", ["direct_key"], unique=True)
    op.create_table(
        "room_members",
        sa.Column("room_id", KEY, sa.ForeignKey("rooms.id"), primary_key=True),
        sa.Column("account_id", KEY, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("manager", sa.Boolean, nullable=False),
        sa.Column("added_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_room_members_account_id", "room_members", ["account_id"])
    op.add_column("messages", sa.Column("notice", KEY))
    _extend_messages()
    op.execute(
        "INSERT INTO room_members (room_id, account_id, manager, added_ms) "
        "SELECT id, created_by, TRUE, created_ms FROM rooms WHERE created_by IS NOT NULL"
    )


def _extend_messages() -> None:
    op.add_column("messages", sa.Column("reply_to", KEY))
    op.add_column("messages", sa.Column("here", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("messages", sa.Column("pinned_ms", sa.BigInteger))
    pinned = sa.text("pinned_ms IS NOT NULL")
    op.create_index(
        "ix_messages_pinned",
        "messages",
        ["room_id", "pinned_ms"],
        sqlite_where=pinned,
        postgresql_where=pinned,
    )
    op.add_column("mentions", sa.Column("here", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "reactions",
        sa.Column("message_id", KEY, sa.ForeignKey("messages.id"), primary_key=True),
        sa.Column("emoji", KEY, primary_key=True),
        sa.Column("account_id", KEY, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_reactions_first", "reactions", ["message_id", "emoji", "created_ms", "account_id"])
    op.create_table(
        "message_versions",
        sa.Column("message_id", KEY, sa.ForeignKey("messages.id"), primary_key=True),
        sa.Column("rev", sa.BigInteger, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "room_settings",
        sa.Column("account_id", KEY, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("room_id", KEY, sa.ForeignKey("rooms.id"), primary_key=True),
        sa.Column("notify", KEY, nullable=False),
    )
