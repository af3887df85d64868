"""`reports events …`: how long Dagster's event log remembers the steps of a run."""

from __future__ import annotations

import click

from reports_pipeline.environments import Environment
from reports_pipeline.event_retention import EventRetention
from reports_pipeline.local import dagster_instance
from reports_pipeline.tokyo import now


@click.group(name="events")
def event_commands() -> None:
    """Remove from Dagster's event log what nobody asks for any more."""


@event_commands.command()
@click.option(
    "--older-than-months",
    "months",
    type=click.IntRange(min=1),
    help="Of runs that ended so many whole months ago  [default: REPORTS_EVENT_MONTHS]",
)
@click.option("--dry-run", is_flag=True, help="Only say how much it is.")
@click.pass_obj
def prune(environment: Environment, months: int | None, dry_run: bool) -> None:
    """Do what the schedule does every night: remove the steps and log messages of runs that ended
    long ago. What was made, failed or checked stays, and so does every state of a partition.
    Nothing is removed of a month that is open for delivery."""
    retention = EventRetention(
        months or environment.settings.event_months, environment.delivery_months()
    )
    with dagster_instance(environment) as instance:
        if dry_run:
            click.echo(f"would remove {retention.prunable(instance, now())}")
        else:
            click.echo(f"removed {retention.prune(instance, now())}")
