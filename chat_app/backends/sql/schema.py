"""The tables as they are at `HEAD_REVISION`: what the statements of this folder are built from.

Nothing creates tables from here: the steps in `migrations/` do, and a test compares the two. What only the
release before needs (docs/adr/0014) is not here.
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
    false,
    text,
)

HEAD_REVISION = "0006"

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
    Column("replaced_hash", String, index=True),  # the token before, for a minute, on every node
    Column("replaced_ms", BigInteger),
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
    Column("kind", String, nullable=False, server_default="public"),
    Column("topic", Text, nullable=False, server_default=""),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("posting", String, nullable=False, server_default="everyone"),
    Column("direct_key", String),  # of a direct room: who it is for, so that there is one
    Index("uq_rooms_direct_key", "direct_key", unique=True),
)

room_members = Table(
    "room_members",
    metadata,
    Column("room_id", ForeignKey("rooms.id"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True, index=True),
    Column("manager", Boolean, nullable=False),
    Column("added_ms", BigInteger, nullable=False),
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
    Column("notice", String),
    Column("reply_to", String),
    Column("here", Boolean, nullable=False, server_default=false()),
    Column("pinned_ms", BigInteger),
    UniqueConstraint("room_id", "seq"),
    UniqueConstraint("account_id", "room_id", "nonce"),
    # Partial in PostgreSQL too, by the migrations: naming its options would load its dialect at each start.
    Index(
        "ix_messages_changed",  # each message that is not as it was posted; see docs/adr/0015
        "room_id",
        "rev",
        sqlite_where=text("rev <> seq"),
    ),
    Index(
        "ix_messages_pinned",
        "room_id",
        "pinned_ms",
        sqlite_where=text("pinned_ms IS NOT NULL"),
    ),
)

mentions = Table(
    "mentions",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("room_id", ForeignKey("rooms.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("here", Boolean, nullable=False, server_default=false()),  # not named: called with @here
    Index("ix_mentions_account_id_room_id_seq", "account_id", "room_id", "seq"),
)

reactions = Table(
    "reactions",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("emoji", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_reactions_first", "message_id", "emoji", "created_ms", "account_id"),
)

message_versions = Table(
    "message_versions",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("rev", BigInteger, primary_key=True),  # of the message while it had this text
    Column("text", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

read_marks = Table(
    "read_marks",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("room_id", ForeignKey("rooms.id"), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

search_state = Table(
    "search_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("upto", BigInteger, nullable=False),  # the rowid up to which messages are in the index
)

room_settings = Table(
    "room_settings",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("room_id", ForeignKey("rooms.id"), primary_key=True),
    Column("notify", String, nullable=False),  # all, mentions or nothing
)
