"""`reports ledger …`: fills the ledger, with a sample or from files, and keeps it in order."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import click

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import Recipient
from reports_pipeline.delivery.errors import BadAddressError
from reports_pipeline.delivery.messages import recipient_address
from reports_pipeline.documents.formats import format_amount
from reports_pipeline.month_option import MONTH
from resources.account_mappings import AccountMappings
from resources.ledger_imports.beancount_import import (
    DEFAULT_CASH_ACCOUNTS,
    convert_beancount,
    read_beancount,
)
from resources.ledger_imports.csv_import import read_csv_ledger
from resources.ledger_imports.hledger_import import read_hledger_csv
from resources.ledger_imports.ledger_files import LedgerFileError, text_fault
from resources.ledger_imports.tenant_ledgers import (
    TenantLedger,
    TenantSettings,
    import_ledger,
    stored_settings,
)
from resources.ledger_loading import LoadedLedger, TenantExistsError, load_ledger
from resources.ledger_repairs import NotAClosingEntryError, mark_closing, refresh_snapshots
from resources.sample_ledger import SampleScale, sample_ledger
from resources.tenant_calendars import TenantCalendars, TenantMonth
from resources.tenants import Tenants

_TOKYO = ZoneInfo("Asia/Tokyo")
_TENANT_ID = re.compile(r"[a-z0-9]{1,32}")
_NAMED_ADDRESS = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<email>[^<>]*)>")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

_Command = TypeVar("_Command", bound=Callable[..., None])


class LedgerDatabase(Protocol):
    """What the commands need of the click context's object."""

    @property
    def ledger_url(self) -> str: ...


@click.group()
def ledger() -> None:
    """Fill the ledger, with a sample or from files, and keep it in order."""


@ledger.command()
@click.option("--tenants", type=click.IntRange(1, 9999), required=True, help="Companies: t0001 …")
@click.option("--months", type=click.IntRange(1, 120), default=14, show_default=True)
@click.option(
    "--lines-per-month",
    type=click.IntRange(1),
    help="Journal lines of all tenants together, about  [default: 400 a tenant]",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--last-month", help="YYYY-MM  [default: the month before this, in Tokyo]")
@click.option("--replace", is_flag=True, help="Replace tenants that exist.")
@click.pass_obj
def sample(
    database: LedgerDatabase,
    tenants: int,
    months: int,
    lines_per_month: int | None,
    seed: int,
    last_month: str | None,
    replace: bool,
) -> None:
    """Make companies with plausible books; the same seed makes the same ones."""
    last = _month(last_month) or _this_month().plus(-1)
    scale = SampleScale(
        tenants=tenants,
        first_month=last.plus(1 - months),
        months=months,
        lines_per_month=lines_per_month or 400 * tenants,
    )
    started = time.monotonic()
    with _reported_errors():
        loaded = load_ledger(database.ledger_url, sample_ledger(scale, seed), replace=replace)
    seconds = time.monotonic() - started
    click.echo(f"{_counts(loaded)} in {seconds:.1f} s ({loaded.lines / seconds:,.0f} lines/s)")


@ledger.group(name="import")
def import_group() -> None:
    """Import one tenant's ledger from files; faulty files change nothing."""


@dataclass(frozen=True)
class _TenantOptions:
    """What the options that every import has were given."""

    tenant: str
    name: str | None
    currency: str | None
    language: str | None
    time_zone: str | None
    fiscal_year_start_month: int | None
    fiscal_years_from: tuple[Month, ...]
    closing_day: int | None
    consumption_tax_basis: str | None
    display_unit: str | None
    plan: str | None
    contacts: tuple[str, ...]
    close_through: str | None
    replace: bool


def _tenant_options(command: _Command) -> _Command:
    """Adds the options that every import has."""
    for option in reversed(
        [
            click.option("--tenant", required=True, help="The tenant's id: a-z and 0-9."),
            click.option("--name", help="The company's name."),
            click.option("--currency", help="ISO 4217, such as JPY."),
            click.option("--language", type=click.Choice(["ja", "en"])),
            click.option("--time-zone", help="Such as Asia/Tokyo."),
            click.option("--fiscal-year-start-month", type=click.IntRange(1, 12)),
            click.option(
                "--fiscal-year-from",
                "fiscal_years_from",
                type=MONTH,
                multiple=True,
                metavar="YYYY-MM",
                help="A month with which a fiscal year began out of turn; may be repeated.",
            ),
            click.option(
                "--closing-day",
                type=click.IntRange(1, 31),
                help="The day on which months end: 20, 25 …; 31 is the month's end.",
            ),
            click.option(
                "--consumption-tax-basis", type=click.Choice(["exclusive", "inclusive", "none"])
            ),
            click.option(
                "--display-unit", type=click.Choice(["one", "thousand"]), help="thousand: 千円."
            ),
            click.option("--plan", type=click.Choice(["light", "standard", "premium"])),
            click.option(
                "--contact",
                "contacts",
                multiple=True,
                metavar="'NAME <ADDRESS>'",
                help="Who gets the mails; may be repeated.",
            ),
            click.option("--close-through", metavar="YYYY-MM", help="The last closed month."),
            click.option("--replace", is_flag=True, help="Replace the tenant's ledger."),
        ]
    ):
        command = option(command)
    return command


@import_group.command(name="csv")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_tenant_options
@click.pass_obj
def import_csv(database: LedgerDatabase, /, folder: Path, **options: Any) -> None:
    """Import journal.csv, accounts.csv, claims.csv and contacts.csv from FOLDER."""
    tenant = _TenantOptions(**options)
    settings = _settings(database, tenant)
    with _reported_errors():
        books = read_csv_ledger(folder, currency=settings.currency, language=settings.language)
    _import(database, settings, books, tenant)


@import_group.command(name="beancount")
@click.argument("file", type=_FILE)
@click.option("--chart", type=_FILE, help="CSV with names and classes of accounts.")
@click.option(
    "--cash-account",
    "cash_accounts",
    multiple=True,
    default=DEFAULT_CASH_ACCOUNTS,
    show_default=True,
    help="An account, with those below it, that holds cash; may be repeated.",
)
@_tenant_options
@click.pass_obj
def import_beancount(
    database: LedgerDatabase,
    /,
    file: Path,
    chart: Path | None,
    cash_accounts: tuple[str, ...],
    **options: Any,
) -> None:
    """Import a Beancount FILE, in its operating currency unless another is named."""
    with _reported_errors():
        read = read_beancount(file)
    currency = read.operating_currencies[0] if len(read.operating_currencies) == 1 else None
    tenant = _TenantOptions(**options)
    settings = _settings(database, tenant, currency=currency, name=read.title)
    with _reported_errors():
        books = convert_beancount(
            read, currency=settings.currency, cash_accounts=cash_accounts, chart=chart
        )
    _import(database, settings, books, tenant)


@import_group.command(name="hledger")
@click.argument("file", type=_FILE)
@click.option("--chart", type=_FILE, required=True, help="CSV that maps hledger's accounts.")
@click.option("--symbol", help="How hledger writes the currency, such as ¥.")
@_tenant_options
@click.pass_obj
def import_hledger(
    database: LedgerDatabase, /, file: Path, chart: Path, symbol: str | None, **options: Any
) -> None:
    """Import a FILE written by `hledger print --output-format csv`."""
    tenant = _TenantOptions(**options)
    settings = _settings(database, tenant)
    with _reported_errors():
        books = read_hledger_csv(file, chart=chart, currency=settings.currency, symbol=symbol)
    _import(database, settings, books, tenant)


def _settings(
    database: LedgerDatabase,
    options: _TenantOptions,
    *,
    currency: str | None = None,
    name: str | None = None,
) -> TenantSettings:
    """What the options say of the tenant; what they do not say is kept, or what the file says."""
    tenant_id = options.tenant
    if not _TENANT_ID.fullmatch(tenant_id):
        raise click.BadParameter("1 to 32 of a-z and 0-9", param_hint="--tenant")
    settings = stored_settings(database.ledger_url, tenant_id)
    if settings is None:
        settings = TenantSettings(tenant_id, name or tenant_id, currency=currency or "JPY")
    known = {setting.name for setting in dataclasses.fields(TenantSettings)}
    given = {
        name: value
        for name, value in dataclasses.asdict(options).items()
        if name in known and value is not None
    }
    settings = dataclasses.replace(settings, **given)
    if not settings.name or text_fault(settings.name):
        raise click.BadParameter("a name without control characters", param_hint="--name")
    if not re.fullmatch("[A-Z]{3}", settings.currency):
        raise click.BadParameter("three capital letters", param_hint="--currency")
    if settings.time_zone not in available_timezones():
        raise click.BadParameter("not a time zone", param_hint="--time-zone")
    if settings.closing_day in (29, 30):
        reason = "1 to 28, or 31 for the month's end: not every month has that day"
        raise click.BadParameter(reason, param_hint="--closing-day")
    return settings


def _import(
    database: LedgerDatabase,
    settings: TenantSettings,
    books: TenantLedger,
    options: _TenantOptions,
) -> None:
    if contacts := tuple(map(_contact, options.contacts)):
        books = dataclasses.replace(books, contacts=contacts)
    fiscal_years_from = list(options.fiscal_years_from)
    if options.closing_day is not None and not fiscal_years_from:
        # The years that began out of turn close on that day, too.
        calendars = TenantCalendars(database.ledger_url)
        fiscal_years_from = calendars.fiscal_year_changes(settings.tenant_id)
    with _reported_errors():
        loaded = import_ledger(
            database.ledger_url,
            settings,
            books,
            fiscal_years_from=fiscal_years_from,
            closed_through=_month(options.close_through),
            replace=options.replace,
        )
    for commodity, count in sorted(books.left_out.items()):
        click.echo(f"left out: {count:,} postings in {commodity}")
    # As operators have mapped them, too.
    chart = AccountMappings(database.ledger_url).accounts(settings.tenant_id, _this_month())
    classes = [account.account_class for account in chart]
    if AccountClass.CASH_AND_DEPOSITS not in classes:
        click.echo("no account is cash_and_deposits: the cash-flow summary will be empty")
    if unmapped := classes.count(None):
        click.echo(
            f"accounts without a class: {unmapped}; one that is used stops the reports. See: "
            f"reports accounts list --tenant {settings.tenant_id} --unmapped"
        )
    click.echo(f"{settings.tenant_id}: {_counts(loaded)}")


@ledger.command()
@click.option("--tenant", "tenants", multiple=True, help="A tenant; may be repeated.")
@click.option("--all", "all_tenants", is_flag=True, help="Every tenant that needs it.")
@click.pass_obj
def refresh(database: LedgerDatabase, tenants: tuple[str, ...], all_tenants: bool) -> None:
    """Bring the monthly balances up to date with the journal (SNAPSHOT_MISMATCH)."""
    if bool(tenants) is all_tenants:
        raise click.UsageError("Name tenants with --tenant, or --all.")
    _require_tenants(database, tenants)
    refreshed = refresh_snapshots(database.ledger_url, None if all_tenants else tenants)
    if not refreshed:
        click.echo("all balances are up to date")
    for tenant_id, months in sorted(refreshed.items()):
        click.echo(f"{tenant_id}: {', '.join(map(str, months))}")


@ledger.command(name="mark-closing")
@click.option("--tenant", "tenant_id", required=True, help="The tenant's id.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.option("--entry", "entry_id", type=int, required=True, help="The entry's id on that day.")
@click.pass_obj
def mark_closing_entry(
    database: LedgerDatabase, tenant_id: str, day: datetime.datetime, entry_id: int
) -> None:
    """Mark an entry as 損益振替, which statements leave out (UNFLAGGED_CLOSING_ENTRY)."""
    _require_tenants(database, [tenant_id])
    try:
        marked = mark_closing(database.ledger_url, tenant_id, day.date(), entry_id)
    except NotAClosingEntryError as error:
        raise click.ClickException(str(error)) from None
    amount = format_amount(marked.debit, minor_unit_exponent(marked.currency))
    click.echo(
        f"{tenant_id}: entry {entry_id} of {day.date()} is marked as closing: "
        f"{marked.lines} lines, {amount} {marked.currency}, {marked.memo or 'no memo'}"
    )
    click.echo(f"balances refreshed: {', '.join(map(str, marked.refreshed))}")


@ledger.command()
@click.option("--tenant", "tenant_id", required=True, help="The tenant's id.")
@click.pass_obj
def calendar(database: LedgerDatabase, tenant_id: str) -> None:
    """Print a tenant's fiscal years around today, and the months of this one."""
    _require_tenants(database, [tenant_id])
    calendars = TenantCalendars(database.ledger_url)
    today = datetime.datetime.now(_TOKYO).date()
    this_month = calendars.month_of(tenant_id, today)
    # The fiscal year before this one began within 23 months, the next one ends within 24.
    months = calendars.months(tenant_id, this_month.plus(-24), this_month.plus(24))
    years = [list(of) for _, of in itertools.groupby(months, key=lambda month: month.fiscal_year)]
    [this_year] = [n for n, year in enumerate(years) if this_month in {m.month for m in year}]
    changes = set(calendars.fiscal_year_changes(tenant_id))
    click.echo(f"{tenant_id}, today {today}")
    for year in years[max(this_year - 1, 0) : this_year + 2]:
        out_of_turn = ", begins out of turn" if year[0].month in changes else ""
        click.echo(f"fiscal year {_days(year)}: {len(year)} months{out_of_turn}")
    for month in years[this_year]:
        today_is_in = "  today" if month.month == this_month else ""
        click.echo(f"month {month.month}: {_days([month])}{today_is_in}")


def _days(months: list[TenantMonth]) -> str:
    """The first and the last day of months that follow each other."""
    return f"{months[0].starts_on} to {months[-1].ends_on - datetime.timedelta(days=1)}"


def _require_tenants(database: LedgerDatabase, tenant_ids: Collection[str]) -> None:
    unknown = sorted(set(tenant_ids) - Tenants(database.ledger_url).names(tenant_ids).keys())
    if unknown:
        raise click.ClickException(f"no such tenant: {', '.join(unknown)}")


def _this_month() -> Month:
    return Month.of(datetime.datetime.now(_TOKYO).date())


def _contact(text: str) -> Recipient:
    match = _NAMED_ADDRESS.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is not 'NAME <ADDRESS>'", param_hint="--contact")
    contact = Recipient(**match.groupdict())
    try:
        recipient_address(contact)
    except BadAddressError as error:
        raise click.BadParameter(str(error), param_hint="--contact") from None
    return contact


def _month(text: str | None) -> Month | None:
    try:
        return None if text is None else Month.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _counts(loaded: LoadedLedger) -> str:
    counts = f"{loaded.entries:,} entries, {loaded.lines:,} lines, {loaded.claims:,} claims"
    if loaded.tenants > 1:
        counts = f"{loaded.tenants:,} tenants, {counts}"
    if loaded.first_month is not None:
        counts += f", {loaded.first_month} to {loaded.last_month}"
    return counts


@contextlib.contextmanager
def _reported_errors() -> Iterator[None]:
    """Faulty files and tenants that exist are the user's business, not a traceback."""
    try:
        yield
    except LedgerFileError as error:
        raise click.ClickException(f"nothing was imported:\n{error}") from None
    except TenantExistsError as error:
        raise click.ClickException(f"{error}; --replace replaces their ledgers") from None
