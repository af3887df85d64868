"""`reports month …`: closing months, opening them again, and what corrections changed."""

from __future__ import annotations

import dataclasses
import datetime
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import LineChange
from reports_pipeline.documents.changes import change_text
from reports_pipeline.environments import LocalEnvironment
from reports_pipeline.month_option import MONTH
from reports_pipeline.operator_name import operator_name
from resources.month_closings import (
    ClosedBefore,
    Closing,
    EarlierOpen,
    MonthClosings,
    NotOver,
    UnknownTenantsError,
)
from resources.report_register import Correction

_TOKYO = ZoneInfo("Asia/Tokyo")
_MOST_NAMED = 20

_Command = TypeVar("_Command", bound=Callable[..., None])


def _month_and_tenants(command: _Command) -> _Command:
    """Adds the options that every command has."""
    command = click.option("--tenant", "tenants", multiple=True, help="A tenant; may be repeated.")(
        command
    )
    return click.option("--month", type=MONTH, required=True, help="The month, YYYY-MM.")(command)


@click.group(name="month")
def month_commands() -> None:
    """Close months, open them again, and see what corrections changed."""


@month_commands.command()
@_month_and_tenants
@click.option("--all", "all_tenants", is_flag=True, help="Every active tenant.")
@click.option("--force", is_flag=True, help="Also where earlier months are open.")
@click.pass_obj
def close(
    environment: LocalEnvironment,
    month: Month,
    tenants: tuple[str, ...],
    all_tenants: bool,
    force: bool,
) -> None:
    """Close a month. The exit code is 1 if it stays open for one of the tenants."""
    if bool(tenants) == all_tenants:
        raise click.UsageError("Name tenants with --tenant, or --all.")
    chosen = environment.tenants().active_ids() if all_tenants else list(dict.fromkeys(tenants))
    try:
        obstacles = MonthClosings(environment.ledger_url).close(
            month,
            chosen,
            closed_by=operator_name(),
            now=datetime.datetime.now(datetime.UTC),
            despite_earlier=force,
        )
    except UnknownTenantsError as error:
        raise click.ClickException(str(error)) from None
    before = [t for t, obstacle in obstacles.items() if isinstance(obstacle, ClosedBefore)]
    for tenant_id, obstacle in obstacles.items():
        # Closing all tenants again, those that were closed one by one are as they should be.
        if not all_tenants or tenant_id not in before:
            click.echo(f"{tenant_id}: {_obstacle(obstacle)}")
    click.echo(
        f"{month}: {len(chosen) - len(obstacles)} closed now, {len(before)} closed before, "
        f"{len(obstacles) - len(before)} left open"
    )
    sys.exit(1 if len(obstacles) > len(before) else 0)


@month_commands.command()
@_month_and_tenants
@click.option("--reason", required=True, help="Why; it is kept.")
@click.pass_obj
def reopen(
    environment: LocalEnvironment, month: Month, tenants: tuple[str, ...], reason: str
) -> None:
    """Open a closed month again, so that its figures may change. The exit code is 1 if it was not
    closed for one of the tenants."""
    if not tenants:
        raise click.UsageError("Name tenants with --tenant.")
    if not reason.strip():
        raise click.BadParameter("a reason", param_hint="--reason")
    chosen = list(dict.fromkeys(tenants))
    closings = MonthClosings(environment.ledger_url)
    try:
        not_closed = closings.reopen(month, chosen, reopened_by=operator_name(), reason=reason)
    except UnknownTenantsError as error:
        raise click.ClickException(str(error)) from None
    later = closings.closed_later(month, chosen)
    for tenant_id in chosen:
        if tenant_id in not_closed:
            click.echo(f"{tenant_id}: {month} is not closed", err=True)
            continue
        click.echo(f"{tenant_id}: {month} is open")
        if tenant_id in later:
            click.echo(
                f"{tenant_id}: still closed: {_months(later[tenant_id])}; what changes in {month} "
                "changes their balances, so run them again after it"
            )
    sys.exit(1 if not_closed else 0)


@month_commands.command()
@_month_and_tenants
@click.pass_obj
def show(environment: LocalEnvironment, month: Month, tenants: tuple[str, ...]) -> None:
    """Who closed a month, who opened it again, when and why; without a tenant, how many are closed,
    and which were opened again."""
    closings = MonthClosings(environment.ledger_url)
    if tenants:
        _require_known(environment, tenants)
        history = closings.history(month, tenants)
        for tenant_id in dict.fromkeys(tenants):
            _show_history(tenant_id, history.get(tenant_id, ()))
        return
    active = environment.tenants().active_ids()
    history = closings.history(month, active)
    still_open = [t for t in active if not any(c.stands for c in history.get(t, ()))]
    click.echo(f"{month}: {len(active) - len(still_open)} closed, {len(still_open)} open")
    if still_open:
        more = f" and {len(still_open) - _MOST_NAMED} more" if len(still_open) > _MOST_NAMED else ""
        click.echo(f"open: {', '.join(still_open[:_MOST_NAMED])}{more}")
    for tenant_id, of_tenant in history.items():
        if not all(closing.stands for closing in of_tenant):
            _show_history(tenant_id, of_tenant)


@month_commands.command()
@_month_and_tenants
@click.option("--json", "as_json", is_flag=True, help="JSON; amounts in minor units.")
@click.pass_obj
def corrections(
    environment: LocalEnvironment, month: Month, tenants: tuple[str, ...], as_json: bool
) -> None:
    """What the revisions changed that were made after a month had been closed."""
    _require_known(environment, tenants)
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
        revision, changes = correction.revision, correction.revision.changes or ()
        click.echo(
            f"{correction.tenant_id}: revision {revision.number} corrects revision "
            f"{revision.corrects}, {_moment(correction.created_at)}, {len(changes)} changes"
        )
        for change in changes:
            click.echo(_change_row(change, currencies[correction.tenant_id]))


def _require_known(environment: LocalEnvironment, tenants: Sequence[str]) -> None:
    unknown = sorted(set(tenants) - set(environment.tenants().all_ids()))
    if unknown:
        raise click.ClickException(f"no such tenants: {', '.join(unknown)}")


def _obstacle(obstacle: ClosedBefore | NotOver | EarlierOpen) -> str:
    match obstacle:
        case ClosedBefore(closing):
            return f"closed already, {_moment(closing.closed_at)} by {closing.closed_by}"
        case NotOver(ends_on):
            return f"not over; its last day is {ends_on - datetime.timedelta(days=1)}"
        case EarlierOpen(months):
            return f"earlier months are open: {_months(months)} (--force closes it all the same)"


def _months(months: Sequence[Month]) -> str:
    return ", ".join(map(str, months))


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
    return f"{at.astimezone(_TOKYO):%Y-%m-%d %H:%M} Tokyo"


def _document(correction: Correction, currency: str) -> dict[str, Any]:
    """The entry that docs/runbook.md describes."""
    revision = correction.revision
    return {
        "tenant_id": correction.tenant_id,
        "revision": revision.number,
        "corrects": revision.corrects,
        "created_at": correction.created_at.astimezone(datetime.UTC).isoformat(),
        "run_id": correction.run_id,
        "currency": currency,
        "decimals": minor_unit_exponent(currency),
        "changes": [dataclasses.asdict(change) for change in revision.changes or ()],
    }


def _change_row(change: LineChange, currency: str) -> str:
    """Values stand before names, whose characters are of different widths."""
    text = change_text(change, language="ja", currency=currency)
    where = f"{change.statement}.{change.column}" if change.column else change.statement
    return f"  {text.before:>20}{text.after:>20}  {where:36}{text.label}"
