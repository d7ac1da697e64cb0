"""The language an account reads the pages in; nothing that was there changes."""

import sqlalchemy as sa
from alembic import op

from chat_app.backends.sql.migrations.columns import KEY

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty for everybody: the browser's language, as before."""
    op.add_column("accounts", sa.Column("language", KEY))
