"""What the commands share: months and tenants as they are typed, and what the ledger refuses."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from dagster._core.errors import DagsterHomeNotSetError
from psycopg.errors import ReadOnlySqlTransaction

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.errors import DecisionError, LostClaimError
from reports_pipeline.environments import Environment, LocalEnvironment
from reports_pipeline.tokyo import TOKYO, last_month, this_month
from resources.aws_errors import AwsRefusedError, AwsUnavailableError
from resources.database import OutdatedSchemaError
from resources.tenants import UnknownTenantsError

_Command = TypeVar("_Command", bound=Callable[..., None])
_MOST_NAMED = 20


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


def require_tenants_or_all(tenants: Sequence[str], all_tenants: bool) -> None:
    """One of `--tenant` and `--all` was given."""
    if bool(tenants) is all_tenants:
        raise click.UsageError("Name tenants with --tenant, or --all.")


def tenant_option(command: _Command) -> _Command:
    """`--tenant` as `tenant_id`."""
    option = click.option("--tenant", "tenant_id", required=True, help="The tenant's id.")
    return option(command)


def require_words(_: click.Context, __: click.Parameter, text: str) -> str:
    """The callback of an option that says why."""
    if not (words := text.strip()):
        raise click.BadParameter("is empty; say why")
    return words


def reason_option(command: _Command) -> _Command:
    """`--reason`, which says something."""
    option = click.option(
        "--reason", required=True, callback=require_words, help="Why; it is kept."
    )
    return option(command)


class InstallationGroup(click.Group):
    """Commands to which it is no surprise that the installation lacks something."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (OutdatedSchemaError, AwsRefusedError, AwsUnavailableError) as error:
            raise click.ClickException(str(error)) from None
        except DagsterHomeNotSetError:
            raise click.ClickException(
                "DAGSTER_HOME: must be set, since REPORTS_ENVIRONMENT is aws: the folder in which "
                "dagster.yaml lies"
            ) from None


def require_one_machine(context: click.Context) -> LocalEnvironment:
    """The environment of a command that sets up the machine it runs on."""
    environment = context.find_object(LocalEnvironment)
    if environment is None:
        raise click.ClickException(
            f"`{context.command_path}` is for one machine, and REPORTS_ENVIRONMENT is aws: there, "
            "services and variables come from the task definitions"
        )
    return environment


class LedgerGroup(click.Group):
    """Commands to which unknown tenants and a ledger that cannot be written are no surprise."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UnknownTenantsError as error:
            raise click.ClickException(str(error)) from None
        except ReadOnlySqlTransaction:
            environment: Environment = ctx.obj
            named = environment.settings.ledger_url is not None
            variable = "REPORTS_LEDGER_URL" if named else "REPORTS_DATABASE_URL"
            raise click.ClickException(
                f"{variable} is read-only; name the primary for this command"
            ) from None


class DecisionGroup(LedgerGroup):
    """A decision that does not fit how things are is no surprise."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (DecisionError, LostClaimError) as error:
            raise click.ClickException(str(error)) from None


def require_in_window(environment: Environment, month: Month) -> None:
    """Refuse a month that has no partition, before a row is read for it."""
    first, last = environment.first_month(), last_month()
    if first <= month <= last:
        return
    if month > last:
        advice = "it is not over"
    elif environment.settings.first_month is not None:
        advice = "REPORTS_FIRST_MONTH fixes where it begins"
    else:
        advice = f"`reports window set --first-month {month} --reason …` brings it back"
    raise click.ClickException(f"{month} is outside the window {first} to {last}; {advice}")


def first_named(named: Sequence[object]) -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(named) - _MOST_NAMED:,} more" if len(named) > _MOST_NAMED else ""
    return ", ".join(map(str, named[:_MOST_NAMED])) + more


def in_tokyo(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(TOKYO):%Y-%m-%d %H:%M} Tokyo"
