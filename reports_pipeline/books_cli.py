"""`reports books …`: closing the books of months (月次締め)."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence

import click

from reports_pipeline.accounting.periods import Month
from reports_pipeline.command_line import (
    LedgerGroup,
    first_named,
    in_tokyo,
    month_option,
    reason_option,
    require_tenants_or_all,
    tenants_option,
)
from reports_pipeline.environments import Environment
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import now
from resources.month_closings import (
    BeforeBooks,
    ClosedBefore,
    Closing,
    EarlierOpen,
    MonthClosings,
    NotOver,
    Obstacle,
)


@click.group(name="books", cls=LedgerGroup)
def books_commands() -> None:
    """Close the books of a month (月次締め), open them again, and see who did.

    This says nothing of deliveries: whose reports are sent is in `reports month status`.
    """


@books_commands.command()
@month_option
@tenants_option
@click.option("--all", "all_tenants", is_flag=True, help="Every active tenant.")
@click.option("--force", is_flag=True, help="Also out of order, or before the books.")
@click.pass_obj
def close(
    environment: Environment,
    month: Month,
    tenants: tuple[str, ...],
    all_tenants: bool,
    force: bool,
) -> None:
    """Close the books of a month (月次締め): its figures are final, and reports of it are no longer
    provisional. Nothing is sent. The exit code is 1 if it stays open for one of the tenants."""
    require_tenants_or_all(tenants, all_tenants)
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
        click.echo(f"{text}\n  {len(tenant_ids)}: {first_named(tenant_ids)}")
    click.echo(
        f"{month}: {len(chosen) - len(obstacles)} closed now, {before} closed before, "
        f"{len(obstacles) - before} left open"
    )
    sys.exit(1 if len(obstacles) > before else 0)


@books_commands.command()
@month_option
@tenants_option
@reason_option
@click.pass_obj
def reopen(environment: Environment, month: Month, tenants: tuple[str, ...], reason: str) -> None:
    """Open the closed books of a month again, so that its figures may change; what was sent of it
    stays sent. The exit code is 1 if it was not closed for one of the tenants."""
    if not tenants:
        raise click.UsageError("Name tenants with --tenant.")
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
                f"{tenant_id}: still closed: {first_named(later[tenant_id])}; what changes in "
                f"{month} changes their balances, so run them again after it"
            )
    sys.exit(1 if not_closed else 0)


@books_commands.command()
@month_option
@tenants_option
@click.pass_obj
def show(environment: Environment, month: Month, tenants: tuple[str, ...]) -> None:
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
        click.echo(f"open: {first_named(still_open)}")
    for tenant_id, of_tenant in history.items():
        if not all(closing.stands for closing in of_tenant):
            _show_history(tenant_id, of_tenant)


def _obstacle(obstacle: Obstacle) -> str:
    match obstacle:
        case ClosedBefore(closing):
            return f"closed already, {in_tokyo(closing.closed_at)} by {closing.closed_by}"
        case NotOver(ends_on):
            return f"not over; its last day is {ends_on - datetime.timedelta(days=1)}"
        case BeforeBooks(first):
            return f"before the books, which begin with {first} (--force closes it all the same)"
        case EarlierOpen(months):
            return (
                f"earlier months are open: {first_named(months)} (--force closes it all the same)"
            )


def _show_history(tenant_id: str, history: Sequence[Closing]) -> None:
    if not history:
        click.echo(f"{tenant_id}: never closed")
    for closing in history:
        click.echo(f"{tenant_id}: closed {in_tokyo(closing.closed_at)} by {closing.closed_by}")
        if closing.reopened_at is not None:
            click.echo(
                f"{tenant_id}: reopened {in_tokyo(closing.reopened_at)} by {closing.reopened_by}: "
                f"{closing.reason}"
            )
