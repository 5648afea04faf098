"""Alembic's entry: runs the migrations over the connection that ``feeds.store.migrate`` opened."""

from alembic import context

from feeds.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False)
context.run_migrations()
