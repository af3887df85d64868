"""`reports database …`: the schema of the databases."""

from __future__ import annotations

import click

from reports_pipeline.environments import Environment
from reports_pipeline.local import dagster_instance
from resources.database import ensure_database, upgrade_schema


@click.group(name="database")
def database_commands() -> None:
    """Make and upgrade what the databases hold."""


@database_commands.command()
@click.pass_obj
def upgrade(environment: Environment) -> None:
    """Bring ledger, register and Dagster's tables to what this release needs, making databases that
    are not there. Once for each release, before its services start; done again, it does nothing.
    On one machine every command does it by itself."""
    settings = environment.settings
    for url in filter(None, (settings.database_url, settings.dagster_url)):
        ensure_database(url)
    if settings.database_url is not None:
        upgrade_schema(settings.database_url)
    # Dagster makes its tables when an instance is opened, and changes them when it is told to.
    with dagster_instance(environment) as instance:
        instance.upgrade()
    click.echo("Ledger, register and Dagster's tables are up to date.")
