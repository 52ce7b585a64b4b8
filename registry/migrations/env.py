"""Alembic's entry: runs the revisions on the connection that `registry.migrations.upgrade` gives it."""

from alembic import context

from registry.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
