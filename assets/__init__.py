"""What exists: thin Dagster assets, month by tenant."""
