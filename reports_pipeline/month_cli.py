"""`reports month …`: closing the books of months, and what corrections changed afterwards."""

from __future__ import annotations

import dataclasses
import datetime
import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import LineChange
from reports_pipeline.command_line import LedgerGroup, month_option, tenants_option
from reports_pipeline.documents.changes import change_text
from reports_pipeline.environments import LocalEnvironment
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import TOKYO, now
from resources.month_closings import (
    BeforeBooks,
    ClosedBefore,
    Closing,
    EarlierOpen,
    MonthClosings,
    NotOver,
    Obstacle,
)
from resources.report_register import Correction

_MOST_NAMED = 20


@click.group(name="month", cls=LedgerGroup)
def month_commands() -> None:
    """Close the books of a month (月次締め), open them again, and see what corrections changed.

    This says nothing of deliveries: whose reports are sent is in `reports status`.
    """


@month_commands.command()
@month_option
@tenants_option
@click.option("--all", "all_tenants", is_flag=True, help="Every active tenant.")
@click.option("--force", is_flag=True, help="Also out of order, or before the books.")
@click.pass_obj
def close(
    environment: LocalEnvironment,
    month: Month,
    tenants: tuple[str, ...],
    all_tenants: bool,
    force: bool,
) -> None:
    """Close the books of a month (月次締め): its figures are final, and reports of it are no longer
    provisional. Nothing is sent. The exit code is 1 if it stays open for one of the tenants."""
    if bool(tenants) == all_tenants:
        raise click.UsageError("Name tenants with --tenant, or --all.")
    chosen = environment.tenants().active_ids() if all_tenants else list(tenants)
    obstacles = MonthClosings(environment.ledger_url).close(
        month, chosen, closed_by=operator_name(), now=now(), force=force
    )
    before = sum(isinstance(obstacle, ClosedBefore) for obstacle in obstacles.values())
    tenants_by_obstacle: dict[str, list[str]] = {}
    for tenant_id, obstacle in obstacles.items():
        # Closing all tenants again, those that were closed one by one are as they should be.
        if not (all_tenants and isinstance(obstacle, ClosedBefore)):
            tenants_by_obstacle.setdefault(_obstacle(obstacle), []).append(tenant_id)
    for text, tenant_ids in tenants_by_obstacle.items():
        click.echo(f"{text}\n  {len(tenant_ids)}: {_first(tenant_ids)}")
    click.echo(
        f"{month}: {len(chosen) - len(obstacles)} closed now, {before} closed before, "
        f"{len(obstacles) - before} left open"
    )
    sys.exit(1 if len(obstacles) > before else 0)


@month_commands.command()
@month_option
@tenants_option
@click.option("--reason", required=True, help="Why; it is kept.")
@click.pass_obj
def reopen(
    environment: LocalEnvironment, month: Month, tenants: tuple[str, ...], reason: str
) -> None:
    """Open the closed books of a month again, so that its figures may change; what was sent of it
    stays sent. The exit code is 1 if it was not closed for one of the tenants."""
    if not tenants:
        raise click.UsageError("Name tenants with --tenant.")
    if not reason.strip():
        raise click.BadParameter("a reason", param_hint="--reason")
    closings = MonthClosings(environment.ledger_url)
    not_closed = closings.reopen(month, tenants, reopened_by=operator_name(), reason=reason)
    later = closings.closed_later(month, tenants)
    for tenant_id in tenants:
        if tenant_id in not_closed:
            click.echo(f"{tenant_id}: {month} is not closed", err=True)
            continue
        click.echo(f"{tenant_id}: {month} is open")
        if tenant_id in later:
            click.echo(
                f"{tenant_id}: still closed: {_first(later[tenant_id])}; what changes in {month} "
                "changes their balances, so run them again after it"
            )
    sys.exit(1 if not_closed else 0)


@month_commands.command()
@month_option
@tenants_option
@click.pass_obj
def show(environment: LocalEnvironment, month: Month, tenants: tuple[str, ...]) -> None:
    """Who closed the books of a month, who opened them again, when and why; without a tenant, how
    many are closed, and which were opened again."""
    closings = MonthClosings(environment.ledger_url)
    if tenants:
        environment.tenants().require(tenants)
        history = closings.history(month, tenants)
        for tenant_id in tenants:
            _show_history(tenant_id, history.get(tenant_id, ()))
        return
    active = environment.tenants().active_ids()
    history = closings.history(month, active)
    still_open = [t for t in active if not any(c.stands for c in history.get(t, ()))]
    click.echo(f"{month}: {len(active) - len(still_open)} closed, {len(still_open)} open")
    if still_open:
        click.echo(f"open: {_first(still_open)}")
    for tenant_id, of_tenant in history.items():
        if not all(closing.stands for closing in of_tenant):
            _show_history(tenant_id, of_tenant)


@month_commands.command()
@month_option
@tenants_option
@click.option("--json", "as_json", is_flag=True, help="JSON; amounts in minor units.")
@click.pass_obj
def corrections(
    environment: LocalEnvironment, month: Month, tenants: tuple[str, ...], as_json: bool
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
            f"{revision.corrects}, {_moment(correction.created_at)}, {extent}"
        )
        for change in changes or ():
            click.echo(_change_row(change, currencies[correction.tenant_id]))


def _first(named: Sequence[object]) -> str:
    more = f" and {len(named) - _MOST_NAMED:,} more" if len(named) > _MOST_NAMED else ""
    return ", ".join(map(str, named[:_MOST_NAMED])) + more


def _obstacle(obstacle: Obstacle) -> str:
    match obstacle:
        case ClosedBefore(closing):
            return f"closed already, {_moment(closing.closed_at)} by {closing.closed_by}"
        case NotOver(ends_on):
            return f"not over; its last day is {ends_on - datetime.timedelta(days=1)}"
        case BeforeBooks(first):
            return f"before the books, which begin with {first} (--force closes it all the same)"
        case EarlierOpen(months):
            return f"earlier months are open: {_first(months)} (--force closes it all the same)"


def _show_history(tenant_id: str, history: Sequence[Closing]) -> None:
    if not history:
        click.echo(f"{tenant_id}: never closed")
    for closing in history:
        click.echo(f"{tenant_id}: closed {_moment(closing.closed_at)} by {closing.closed_by}")
        if closing.reopened_at is not None:
            click.echo(
                f"{tenant_id}: reopened {_moment(closing.reopened_at)} by {closing.reopened_by}: "
                f"{closing.reason}"
            )


def _moment(at: datetime.datetime) -> str:
    return f"{at.astimezone(TOKYO):%Y-%m-%d %H:%M} Tokyo"


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
