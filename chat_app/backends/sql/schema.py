"""The tables as they are at `HEAD_REVISION`: what the statements of this folder are built from.

Nothing creates tables from here: the steps in `migrations/` do, and a test compares the two.
Times are milliseconds since 1970 in UTC. The author's name of a message comes by a join with `accounts`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

HEAD_REVISION = "0002"

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("name_key", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("language", String),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("token_hash", String, nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("confirmed_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("address", String, nullable=False),
    Column("agent", String, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("account_id", ForeignKey("accounts.id")),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
)

join_links = Table(
    "join_links",
    metadata,
    Column("code", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("uses_left", Integer),
    Column("expires_ms", BigInteger),
    Column("revoked", Boolean, nullable=False),
    Column("created_by", ForeignKey("accounts.id"), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

rooms = Table(
    "rooms",
    metadata,
    Column("id", String, primary_key=True),
    Column("slug", String, nullable=False),
    Column("slug_key", String, nullable=False, unique=True),
    Column("title", String, nullable=False),
    Column("epoch", String, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", ForeignKey("accounts.id")),
)

messages = Table(
    "messages",
    metadata,
    Column("id", String, primary_key=True),
    Column("room_id", ForeignKey("rooms.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("rev", BigInteger, nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text),
    Column("nonce", String),
    Column("sent_ms", BigInteger, nullable=False),
    Column("edited_ms", BigInteger),
    Column("deleted_ms", BigInteger),
    UniqueConstraint("room_id", "seq"),
    UniqueConstraint("account_id", "room_id", "nonce"),
    Index("ix_messages_room_id_rev", "room_id", "rev"),
)

mentions = Table(
    "mentions",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("room_id", ForeignKey("rooms.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("ix_mentions_account_id_room_id_seq", "account_id", "room_id", "seq"),
)

read_marks = Table(
    "read_marks",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("room_id", ForeignKey("rooms.id"), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)
