"""`reports month …`: the delivery of a month, from its opening to its closing, and what corrections
changed afterwards."""

from __future__ import annotations

import dataclasses
import datetime
import json
import sys
from typing import Any

import click

from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import LineChange
from reports_pipeline.command_line import (
    DecisionGroup,
    first_named,
    in_tokyo,
    month_option,
    reason_option,
    require_in_window,
    tenants_option,
)
from reports_pipeline.documents.changes import change_text
from reports_pipeline.environments import Environment
from reports_pipeline.launching import add_missing_partitions, backfill_command, month_launch
from reports_pipeline.local import dagster_instance
from reports_pipeline.month_opening import OpeningError, open_month
from reports_pipeline.month_standing import Standing, close_month, month_standings
from reports_pipeline.month_status import MonthStatus, obstacle_lines
from reports_pipeline.operator_name import operator_name
from reports_pipeline.progress import LaunchStalledError, require_daemon
from reports_pipeline.tokyo import now, this_month
from resources.report_register import Correction


@click.group(name="month", cls=DecisionGroup)
def month_commands() -> None:
    """Deliver a month: open it, see how far it is, and close it; and see what corrections changed.

    This says nothing of books: whether their figures are final is in `reports books show`.
    """


@month_commands.command(name="open")
@month_option
@click.pass_obj
def open_command(environment: Environment, month: Month) -> None:
    """Do what the schedule does on the 1st at 01:00: freeze who is expected to get reports of a
    month, and launch it for those who have neither got them nor have a run yet. Done again, it does
    nothing twice."""
    if month < this_month():  # a later one is not over, which is the better answer
        require_in_window(environment, month)
    is_new = open_as_operator(environment, month)
    months, tenants = environment.delivery_months(), environment.tenants()
    found, expected = months.find(month), months.expected(month)
    if not is_new and found is not None:
        click.echo(f"{month}: was opened {in_tokyo(found.opened_at)} by {found.opened_by}")
        if found.closed_at is not None:
            raise click.ClickException(
                f"{month} was closed {in_tokyo(found.closed_at)} by {found.closed_by}; "
                f"`reports month reopen --month {month} --reason …` opens it again"
            )
    canaries = months.canaries(month)
    click.echo(
        f"{month}: {len(expected):,} tenants are expected"
        f"{'; canaries: ' if canaries else ''}{first_named(canaries)}"
    )
    with dagster_instance(environment) as instance:
        add_missing_partitions(instance, expected)
        launches = environment.launches()
        launch = month_launch(
            instance,
            launches,
            tenants,
            month,
            _undelivered(environment, month),
            tenants_per_run=environment.settings.tenants_per_run,
        )
        if not launch.batches:
            click.echo("Everybody expected has its reports or a run, or is asked for.")
            return
        launched = sorted(tenant_id for batch in launch.batches for tenant_id in batch)
        if not launches.request(launch, requested_by=operator_name()):
            raise click.ClickException(
                f"{launch.launch_id} was launched before, without {first_named(launched)}; "
                f"`{backfill_command(month, launched)}` launches them"
            )
        click.echo(launch.summary)
        try:
            require_daemon(instance)
        except LaunchStalledError as error:
            raise click.ClickException(f"{launch.launch_id} is written down. {error}") from None


def _undelivered(environment: Environment, month: Month) -> list[str]:
    """The expected tenants that have not got their reports: by a backfill before the opening."""
    standings = month_standings(
        environment.month_records(),
        environment.delivery_months(),
        environment.tenants(),
        environment.launches(),
        environment.departures(),
        month,
        now(),
    )
    return [t for t, found in standings.items() if found.standing is not Standing.DELIVERED]


def open_as_operator(environment: Environment, month: Month) -> bool:
    """Open a month for whoever types the command; False if it was opened before."""
    try:
        return open_month(
            environment.delivery_months(),
            environment.tenants(),
            month,
            canaries=environment.settings.canary_tenants,
            opened_by=operator_name(),
            now=now(),
        )
    except OpeningError as error:
        raise click.ClickException(str(error)) from None


@month_commands.command()
@month_option
@click.option("--json", "as_json", is_flag=True, help="JSON, with every tenant.")
@click.pass_obj
def status(environment: Environment, month: Month, as_json: bool) -> None:
    """How far the delivery of a month is: where its tenants stand, why some failed, and who waits
    for what. Of a month that was never opened, where the active tenants stand."""
    found = MonthStatus.read(environment, month, now())
    if as_json:
        click.echo(json.dumps(found.document(), ensure_ascii=False, indent=1))
        return
    for line in found.lines():
        click.echo(line)


@month_commands.command()
@month_option
@click.pass_obj
def close(environment: Environment, month: Month) -> None:
    """Close the delivery of a month: every tenant that was expected has its reports, was waived, or
    has left, and no mail of it to anybody is on its way or of unknown fate. Otherwise it stays
    open, what is in the way is shown, and the exit code is 1."""
    attempt = close_month(
        environment.delivery_months(),
        environment.tenants(),
        environment.launches(),
        month,
        closed_by=operator_name(),
    )
    if attempt.others_waiting:
        click.echo(
            f"not expected, and their mails wait: {len(attempt.others_waiting):,}: "
            f"{first_named(attempt.others_waiting)}; they go out when it is time, "
            "whether the month is closed or not"
        )
    if not attempt.obstacles:
        click.echo(f"{month}: closed")
        return
    for line in obstacle_lines(month, attempt.obstacles):
        click.echo(line)
    click.echo(f"{month} stays open for {len(attempt.obstacles):,} tenants")
    sys.exit(1)


@month_commands.command()
@month_option
@reason_option
@click.pass_obj
def reopen(environment: Environment, month: Month, reason: str) -> None:
    """Open the closed delivery of a month again; who is expected stays as it was."""
    environment.delivery_months().reopen(month, reopened_by=operator_name(), reason=reason)
    click.echo(f"{month}: open again")


@month_commands.command()
@month_option
@tenants_option
@click.option("--json", "as_json", is_flag=True, help="JSON; amounts in minor units.")
@click.pass_obj
def corrections(
    environment: Environment, month: Month, tenants: tuple[str, ...], as_json: bool
) -> None:
    """What the revisions changed that were made after a month had been closed, or mailed."""
    environment.tenants().require(tenants)
    found = environment.report_register().corrections(month, tenants or None)
    currencies = environment.tenants().currencies({c.tenant_id for c in found})
    if as_json:
        document = {
            "month": str(month),
            "corrections": [_document(c, currencies[c.tenant_id]) for c in found],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        return
    if not found:
        click.echo(f"{month}: no corrections")
    for correction in found:
        revision, changes = correction.revision, correction.revision.changes
        extent = (
            "not compared yet; run the month again"
            if changes is None
            else f"{len(changes)} changes"
        )
        click.echo(
            f"{correction.tenant_id}: revision {revision.number} corrects revision "
            f"{revision.corrects}, {in_tokyo(correction.created_at)}, {extent}"
        )
        for change in changes or ():
            click.echo(_change_row(change, currencies[correction.tenant_id]))


def _document(correction: Correction, currency: str) -> dict[str, Any]:
    """The entry that docs/runbook.md describes."""
    revision, changes = correction.revision, correction.revision.changes
    return {
        "tenant_id": correction.tenant_id,
        "revision": revision.number,
        "corrects": revision.corrects,
        "created_at": correction.created_at.astimezone(datetime.UTC).isoformat(),
        "run_id": correction.run_id,
        "currency": currency,
        "decimals": minor_unit_exponent(currency),
        "changes": None if changes is None else [dataclasses.asdict(c) for c in changes],
    }


def _change_row(change: LineChange, currency: str) -> str:
    """Values stand before names, whose characters are of different widths."""
    text = change_text(change, language="ja", currency=currency)
    where = f"{change.statement}.{change.column}" if change.column else change.statement
    return f"  {text.before:>20}{text.after:>20}  {where:36}{text.label}"
