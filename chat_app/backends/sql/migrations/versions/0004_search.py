"""The index for searching. What is there already is indexed in the background after the start.

Revision 0004. A version from before goes on beside it; what it stores is indexed later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

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
    if op.get_bind().dialect.name == "sqlite":
        _create_index()


def _create_index() -> None:
    # Without the text itself, which stands in `messages`, and without positions: hits are looked at again.
    op.execute(
        "CREATE VIRTUAL TABLE messages_index USING fts5(text, content='', detail='none', tokenize='trigram')"
    )
