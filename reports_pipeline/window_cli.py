"""`reports window …`: which months Dagster's pages show."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import click

from reports_pipeline.accounting.periods import Month
from reports_pipeline.command_line import MONTH, first_named, in_tokyo, reason_option
from reports_pipeline.environments import Environment, rolling_first_month
from reports_pipeline.launching import months_under_way
from reports_pipeline.local import DEFINITIONS, dagster_instance
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import last_month, now

_MOST_PARTITIONS = 100_000  # of an asset, as Dagster advises
_RELOAD = """
mutation ($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename } }
  }
}
"""
_SECONDS_TO_RELOAD = 120


@click.group(name="window")
def window_commands() -> None:
    """Which months have partitions, so that Dagster's pages show them and runs can be launched.

    A month that leaves loses nothing: its documents, mails and events stay, and when it comes back
    so do its partitions with their states.
    """


@window_commands.command()
@click.pass_obj
def show(environment: Environment) -> None:
    """The months of the window, and who changed it when and why."""
    first, last = environment.first_month(), last_month()
    click.echo(f"{first} to {last}: {_size(environment, first, last)}")
    fixed = environment.settings.first_month is not None
    if fixed:
        click.echo("fixed by REPORTS_FIRST_MONTH; what is set below does not count")
    changes = environment.hot_window().changes()
    if not changes and not fixed:
        click.echo("rolls on with the months; nobody has set it")
    for change in changes:
        begins = f"from {change.first_month}" if change.first_month else "rolls on"
        click.echo(f"{in_tokyo(change.set_at)} {change.set_by}: {begins}: {change.reason}")
    if outside := [month for month in environment.delivery_months().open_months() if month < first]:
        click.echo(f"open for delivery and outside: {first_named(outside)}", err=True)


@window_commands.command(name="set")
@click.option("--first-month", type=MONTH, help="The first month of the window, YYYY-MM.")
@click.option("--rolling", is_flag=True, help="Let it roll on with the months again.")
@reason_option
@click.option(
    "--web-ui", metavar="URL", help="A running web UI that shall load the definitions again."
)
@click.pass_obj
def set_command(
    environment: Environment,
    first_month: Month | None,
    rolling: bool,
    reason: str,
    web_ui: str | None,
) -> None:
    """Let the window begin with another month. Runs and commands know at once; the web UI and the
    daemon's code server do when they load the definitions again."""
    if (first_month is None) == (not rolling):
        raise click.UsageError("Name one of --first-month and --rolling.")
    if environment.settings.first_month is not None:
        raise click.ClickException(
            f"REPORTS_FIRST_MONTH fixes the window to {environment.settings.first_month}; "
            "remove it from every process first"
        )
    first, last = first_month or rolling_first_month(), last_month()
    if first > last:
        raise click.ClickException(f"{first} is not over; the window may begin with {last}")
    if outside := [month for month in environment.delivery_months().open_months() if month < first]:
        raise click.ClickException(
            f"{first_named(outside)}: open for delivery, and would be outside; "
            f"`reports month close --month {outside[0]}` first"
        )
    if leaving := _under_way(environment, environment.first_month(), first):
        raise click.ClickException(
            f"{first_named(leaving)}: a launch, backfill or run is under way, and would lose its "
            "partitions; wait until it has ended, or cancel it in the web UI (Runs)"
        )
    environment.hot_window().set(first_month, reason=reason, set_by=operator_name())
    click.echo(f"{first} to {last}: {_size(environment, first, last)}")
    if web_ui is None:
        click.echo(
            "Load the definitions again: in the web UI, Deployment, Reload; a code server that was "
            "started with `dagster api grpc` is restarted instead."
        )
        return
    _reload(web_ui)
    click.echo(f"{web_ui} has loaded the definitions again.")


def _under_way(environment: Environment, first: Month, later: Month) -> list[Month]:
    """The months that leave a window that began with `first`, if it begins `later`, and of which
    anything is on its way; in order."""
    if later <= first:
        return []
    with dagster_instance(environment) as instance:
        months = months_under_way(instance, environment.launches(), now())
    return sorted(month for month in months if first <= month < later)


def _size(environment: Environment, first: Month, last: Month) -> str:
    months = last.ordinal - first.ordinal + 1
    partitions = months * len(environment.tenants().all_ids())
    size = f"{months} months, {partitions:,} partitions"
    if partitions > _MOST_PARTITIONS:
        size += f"; more than {_MOST_PARTITIONS:,} make Dagster's pages slow"
    return size


def _reload(web_ui: str) -> None:
    """Tell a web UI to load the definitions again.

    Raises:
        click.ClickException: it does not; the message says why, and that the window is set.
    """
    try:
        request = urllib.request.Request(  # noqa: S310 - an operator's own address
            f"{web_ui.rstrip('/')}/graphql",
            json.dumps({"query": _RELOAD, "variables": {"location": DEFINITIONS}}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_SECONDS_TO_RELOAD) as response:  # noqa: S310
            answer = json.load(response)
        found = answer["data"]["reloadRepositoryLocation"]
        if found["locationOrLoadError"]["__typename"] == "RepositoryLocation":
            return
        why = found["locationOrLoadError"]["__typename"]
    except KeyError:
        why = f"it answers {answer}"[:300]
    except (urllib.error.URLError, OSError, ValueError, TypeError) as error:
        why = str(error)
    raise click.ClickException(f"the window is set, but {web_ui} has not reloaded: {why}")
