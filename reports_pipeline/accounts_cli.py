"""`reports accounts …`: what the accounts of a tenant are, and who said so."""

from __future__ import annotations

import difflib
import itertools
import shlex
from collections.abc import Iterator

import click

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import suggested_class
from reports_pipeline.accounting.periods import Month
from reports_pipeline.command_line import MONTH, LedgerGroup, tenant_option
from reports_pipeline.documents.catalogs import LANGUAGES, catalog
from reports_pipeline.environments import Environment
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import last_month
from resources.account_mappings import (
    BEGINNING,
    AccountMappings,
    HoldsForAllMonthsError,
    MappedAccount,
    UnknownAccountError,
)


class _ClassType(click.ParamType[AccountClass]):
    """A class of accounts on the command line."""

    name = "class"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> AccountClass:
        try:
            return AccountClass(value)
        except ValueError:
            names = {_name(c, language): c for c in AccountClass for language in LANGUAGES}
            names |= {c.value: c for c in AccountClass}
            close = difflib.get_close_matches(value, names, n=1)
            hint = f"; did you mean {names[close[0]]}?" if close else ""
            classes = "\n".join(f"  {c.value:36}{_name(c, 'ja')}" for c in AccountClass)
            self.fail(f"there is no class {value!r}{hint} The classes are:\n{classes}", param, ctx)


@click.group(cls=LedgerGroup)
def accounts() -> None:
    """Say what the accounts of a tenant are, and see who said so."""


@accounts.command(name="map")
@tenant_option
@click.option("--account", "account_code", required=True, help="The account's code.")
@click.option(
    "--class",
    "account_class",
    type=_ClassType(),
    required=True,
    help="What it is; `reports accounts classes` lists the classes.",
)
@click.option(
    "--from",
    "first_month",
    type=MONTH,
    default=BEGINNING,
    help="The first month whose report takes it so, YYYY-MM  [default: every month]",
)
@click.pass_obj
def map_account(
    environment: Environment,
    tenant_id: str,
    account_code: str,
    account_class: AccountClass,
    first_month: Month,
) -> None:
    """Say what an account is; the reports of earlier months than --from keep what they had.

    A report takes the class of its own month in all its columns.
    """
    try:
        written = AccountMappings(environment.ledger_url).write(
            tenant_id,
            account_code,
            account_class,
            first_month=first_month,
            mapped_by=operator_name(),
        )
    except UnknownAccountError as error:
        raise click.ClickException(str(error)) from None
    except HoldsForAllMonthsError as error:
        raise click.ClickException(f"{error}; leave out --from") from None
    account = written.account
    since = "all months" if first_month == BEGINNING else f"the reports from {first_month} on"
    was = account.account_class or "unmapped"
    click.echo(
        f"{tenant_id}: {account.account_code} {account.name} is {account_class} "
        f"({_name(account_class, 'ja')}) for {since}; it was {was}"
    )
    for month, replaced in written.replaced:
        click.echo(f"replaced: {replaced}, {_since(month)}")
    if written.refreshed:
        click.echo(f"balances refreshed: {', '.join(map(str, written.refreshed))}")


@accounts.command(name="list")
@tenant_option
@click.option("--unmapped", is_flag=True, help="Only those of which nobody has said what they are.")
@click.option("--month", type=MONTH, help="As its reports take them  [default: last month]")
@click.pass_obj
def list_accounts(
    environment: Environment, tenant_id: str, unmapped: bool, month: Month | None
) -> None:
    """List a tenant's accounts: class, since when and by whom, code, name.

    Below an account of which nobody has said what it is stands the command that does.
    """
    month = month or last_month()
    chart = AccountMappings(environment.ledger_url).accounts(tenant_id, month)
    click.echo(f"{tenant_id}, as the reports of {month} take them")
    shown = [account for account in chart if not (unmapped and account.account_class)]
    if not shown:
        click.echo("every account has a class" if chart else "no accounts")
    for account in shown:
        for text in _rows(tenant_id, account):
            click.echo(text)


@accounts.command(name="classes")
def list_classes() -> None:
    """List the classes that an account can be of, by section."""
    for section, classes in itertools.groupby(AccountClass, key=lambda c: c.section):
        names = " / ".join(catalog(language).text(section) for language in LANGUAGES)
        click.echo(f"{section}  {names}")
        for account_class in classes:
            names = " / ".join(_name(account_class, language) for language in LANGUAGES)
            click.echo(f"  {account_class.value:36}{names}")


def _rows(tenant_id: str, account: MappedAccount) -> Iterator[str]:
    """Names stand last: their characters are of different widths."""
    source = "chart"
    if account.first_month is not None:
        source = f"{_since(account.first_month)}, {account.mapped_by}"
    if account.account_class is None:
        source = "nobody has said"
    of_class = account.account_class or "unmapped"
    yield f"{of_class:36}{source:28}{account.account_code:12}  {account.name}"
    if account.account_class is None:
        suggested = suggested_class(account.name) or "CLASS"
        code = shlex.quote(account.account_code)
        yield f"  reports accounts map --tenant {tenant_id} --account {code} --class {suggested}"


def _since(month: Month) -> str:
    return "all months" if month == BEGINNING else f"from {month}"


def _name(account_class: AccountClass, language: str) -> str:
    return catalog(language).text(f"account_class.{account_class}")
