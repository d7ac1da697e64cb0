"""The token that a session had before, which opens for a moment more: on every node, so it is stored.

Revision 0005. A version from before goes on beside it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chat_app.backends.sql.migrations.columns import KEY

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns, at first empty."""
    op.add_column("sessions", sa.Column("replaced_hash", KEY))
    op.add_column("sessions", sa.Column("replaced_ms", sa.BigInteger))
    op.create_index("ix_sessions_replaced_hash", "sessions", ["replaced_hash"])
