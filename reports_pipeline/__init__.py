"""The monthly reports: accounting, documents and delivery, and how Dagster runs them."""
