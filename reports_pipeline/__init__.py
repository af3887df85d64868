"""The monthly reports: pure packages (accounting, documents, delivery) and their assembly into Dagster."""
