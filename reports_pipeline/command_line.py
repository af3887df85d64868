"""What the commands share: months and tenants as they are typed, and what the ledger refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from psycopg.errors import ReadOnlySqlTransaction

from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import LocalEnvironment
from reports_pipeline.tokyo import this_month
from resources.tenants import UnknownTenantsError

_Command = TypeVar("_Command", bound=Callable[..., None])


class MonthType(click.ParamType[Month]):
    """A month on the command line, YYYY-MM."""

    name = "month"

    def convert(
        self, value: str | Month, param: click.Parameter | None, ctx: click.Context | None
    ) -> Month:
        if isinstance(value, Month):
            return value
        try:
            return Month.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


MONTH = MonthType()


def _require_begun(_: click.Context, __: click.Parameter, month: Month) -> Month:
    # Books that close on the 20th are in next month from the 21st on.
    if month > this_month().plus(1):
        raise click.BadParameter(f"{month} has not begun")
    return month


def _each_tenant(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    tenant_ids = [tenant_id.strip() for text in given for tenant_id in text.split(",")]
    if given and not any(tenant_ids):
        raise click.BadParameter("names no tenant")
    return tuple(dict.fromkeys(filter(None, tenant_ids)))


def month_option(command: _Command) -> _Command:
    """`--month`, which has begun for some tenant at least."""
    option = click.option(
        "--month", type=MONTH, callback=_require_begun, required=True, help="The month, YYYY-MM."
    )
    return option(command)


def tenants_option(command: _Command) -> _Command:
    """`--tenant` as `tenants`: no one, or each that was named, once."""
    option = click.option(
        "--tenant",
        "tenants",
        multiple=True,
        callback=_each_tenant,
        help="A tenant, or several with commas between them; may be repeated.",
    )
    return option(command)


def tenant_option(command: _Command) -> _Command:
    """`--tenant` as `tenant_id`."""
    option = click.option("--tenant", "tenant_id", required=True, help="The tenant's id.")
    return option(command)


class LedgerGroup(click.Group):
    """Commands to which unknown tenants and a ledger that cannot be written are no surprise."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UnknownTenantsError as error:
            raise click.ClickException(str(error)) from None
        except ReadOnlySqlTransaction:
            environment = ctx.find_object(LocalEnvironment)
            named = environment is not None and environment.settings.ledger_url is not None
            variable = "REPORTS_LEDGER_URL" if named else "REPORTS_DATABASE_URL"
            raise click.ClickException(
                f"{variable} is read-only; name the primary for this command"
            ) from None
