"""The index for searching. What is there already is indexed in the background after the start.

PostgreSQL gets another one than SQLite (`search_index_postgresql`), and a table of when what was done to it.

Revision 0004. A version from before goes on beside it; what it stores is indexed later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chat_app.backends.sql.migrations.columns import KEY

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index and how far it reaches."""
    op.create_table(
        "search_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("upto", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO search_state (id, upto) VALUES (1, 0)")
    if op.get_bind().dialect.name == "postgresql":
        _index_postgresql()
        return
    # Without the text itself, which stands in `messages`, and without positions: hits are looked at again.
    op.execute(
        "CREATE VIRTUAL TABLE messages_index USING fts5(text, content='', detail='none', tokenize='trigram')"
    )


def _index_postgresql() -> None:
    op.create_table(
        "messages_index",
        sa.Column("message_id", KEY, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("pieces", sa.ARRAY(sa.SmallInteger), nullable=False),
    )
    op.create_index("ix_messages_index_position", "messages_index", ["position"])
    op.create_index("ix_messages_index_pieces", "messages_index", ["pieces"], postgresql_using="gin")
    op.create_table(
        "search_progress",
        sa.Column("room_id", KEY, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_messages_position", "messages", [sa.text("(sent_ms * 2048 + seq % 2048)")])
    op.create_table(
        "upkeep",
        sa.Column("name", KEY, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
    )
