"""What alembic runs: the steps over the connection, and in the transaction, that `revisions` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
