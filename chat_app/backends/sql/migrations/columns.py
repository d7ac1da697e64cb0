"""What columns are made of in every step."""

import sqlalchemy as sa

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""An id, a key, a name: compared byte by byte, so that their order is the same in every database."""
