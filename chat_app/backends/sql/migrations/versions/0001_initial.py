"""Accounts, sessions, one-time tokens, join links, rooms, messages, mentions and read positions."""

import sqlalchemy as sa
from alembic import op

from chat_app.backends.sql.migrations.columns import KEY

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Everything of the first version."""
    _create_people()
    _create_rooms()


def _create_people() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("name", KEY, nullable=False),
        sa.Column("name_key", KEY, nullable=False, unique=True),
        sa.Column("role", KEY, nullable=False),
        sa.Column("password_hash", KEY, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("token_hash", KEY, nullable=False, unique=True),
        sa.Column("account_id", KEY, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("confirmed_ms", sa.BigInteger, nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sa.Column("address", KEY, nullable=False),
        sa.Column("agent", KEY, nullable=False),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_table(
        "tokens",
        sa.Column("token_hash", KEY, primary_key=True),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("account_id", KEY, sa.ForeignKey("accounts.id")),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sa.Column("used_ms", sa.BigInteger),
    )
    op.create_table(
        "join_links",
        sa.Column("code", KEY, primary_key=True),
        sa.Column("role", KEY, nullable=False),
        sa.Column("uses_left", sa.Integer),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("revoked", sa.Boolean, nullable=False),
        sa.Column("created_by", KEY, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )


def _create_rooms() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("slug", KEY, nullable=False),
        sa.Column("slug_key", KEY, nullable=False, unique=True),
        sa.Column("title", KEY, nullable=False),
        sa.Column("epoch", KEY, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("created_by", KEY, sa.ForeignKey("accounts.id")),
    )
    op.create_table(
        "messages",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("room_id", KEY, sa.ForeignKey("rooms.id"), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("rev", sa.BigInteger, nullable=False),
        sa.Column("account_id", KEY, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("html", sa.Text),
        sa.Column("nonce", KEY),
        sa.Column("sent_ms", sa.BigInteger, nullable=False),
        sa.Column("edited_ms", sa.BigInteger),
        sa.Column("deleted_ms", sa.BigInteger),
        sa.UniqueConstraint("room_id", "seq"),
        sa.UniqueConstraint("account_id", "room_id", "nonce"),
    )
    op.create_index("ix_messages_room_id_rev", "messages", ["room_id", "rev"])
    op.create_table(
        "mentions",
        sa.Column("message_id", KEY, sa.ForeignKey("messages.id"), primary_key=True),
        sa.Column("account_id", KEY, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("room_id", KEY, sa.ForeignKey("rooms.id"), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_mentions_account_id_room_id_seq", "mentions", ["account_id", "room_id", "seq"])
    op.create_table(
        "read_marks",
        sa.Column("account_id", KEY, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("room_id", KEY, sa.ForeignKey("rooms.id"), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
