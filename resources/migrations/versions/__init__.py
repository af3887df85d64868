"""Schema versions, in order, run by Alembic."""
