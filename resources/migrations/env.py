"""Runs the migrations on the connection that `resources.database.upgrade_schema` hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=True,
    # Dagster may keep its own tables, and its own `alembic_version`, in the same database.
    version_table="reports_schema_version",
)
with context.begin_transaction():
    context.run_migrations()
