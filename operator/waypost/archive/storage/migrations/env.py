"""Runs migrations on the connection that `storage.database` passes."""

from alembic import context

from waypost.archive.storage.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
