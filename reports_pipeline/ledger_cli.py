"""`reports ledger …`: fills the ledger, with a sample or from files, and keeps it in order."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import datetime
import itertools
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import available_timezones

import click

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.periods import Month
from reports_pipeline.command_line import (
    MONTH,
    LedgerGroup,
    require_tenants_or_all,
    tenant_option,
    tenants_option,
)
from reports_pipeline.delivery.deliveries import Recipient
from reports_pipeline.delivery.errors import BadAddressError
from reports_pipeline.delivery.messages import recipient_address
from reports_pipeline.documents.formats import format_amount
from reports_pipeline.environments import Environment
from reports_pipeline.tokyo import last_month, now
from resources.account_mappings import BEGINNING, AccountMappings
from resources.ledger_imports.beancount_import import (
    DEFAULT_CASH_ACCOUNTS,
    convert_beancount,
    read_beancount,
)
from resources.ledger_imports.csv_import import read_csv_ledger
from resources.ledger_imports.hledger_import import read_hledger_csv
from resources.ledger_imports.ledger_files import LedgerFileError, text_fault
from resources.ledger_imports.tenant_ledgers import (
    ImportedContact,
    TenantLedger,
    TenantSettings,
    import_ledger,
    stored_settings,
)
from resources.ledger_loading import LoadedLedger, TenantExistsError, load_ledger
from resources.ledger_repairs import (
    NotAClosingEntryError,
    mark_closing,
    refresh_snapshots,
    unmark_closing,
)
from resources.s3_files import SCHEME, S3FileError, copy_from_s3, s3_files_client
from resources.sample_ledger import SampleScale, sample_ledger
from resources.tenant_calendars import TenantCalendars, TenantMonth

_TENANT_ID = re.compile(r"[a-z0-9]{1,32}")
_NAMED_ADDRESS = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<email>[^<>]*)>")
_NO_COPY = "none"

_Command = TypeVar("_Command", bound=Callable[..., None])


class _LedgerPath(click.Path):
    """A file or folder of this machine, or in S3, of which the command then reads a copy: of a file
    with all that lies beside it, unless it is `alone`."""

    def __init__(self, *, alone: bool = False, **options: Any) -> None:
        super().__init__(exists=True, path_type=Path, **options)
        self._alone = alone

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and value.startswith(SCHEME):
            folder = Path(tempfile.mkdtemp(prefix="ledger-"))
            atexit.register(shutil.rmtree, folder)
            try:
                value = copy_from_s3(s3_files_client(), value, folder, alone=self._alone)
            except S3FileError as error:
                self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)


_BOOKS = _LedgerPath(dir_okay=False)
_FILE = _LedgerPath(dir_okay=False, alone=True)
_FOLDER = _LedgerPath(file_okay=False)


@click.group(cls=LedgerGroup)
def ledger() -> None:
    """Fill the ledger, with a sample or from files, and keep it in order."""


@ledger.command()
@click.option(
    "--companies", type=click.IntRange(1, 9999), required=True, help="How many: t0001, t0002 …"
)
@click.option("--months", type=click.IntRange(1, 120), default=14, show_default=True)
@click.option(
    "--lines-per-month",
    type=click.IntRange(1),
    help="Journal lines of all companies together, about  [default: 400 a company]",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--last-month",
    "last",
    type=MONTH,
    default=last_month,
    help="YYYY-MM  [default: the month before this, in Tokyo]",
)
@click.option("--replace", is_flag=True, help="Replace companies that exist.")
@click.pass_obj
def sample(
    environment: Environment,
    companies: int,
    months: int,
    lines_per_month: int | None,
    seed: int,
    last: Month,
    replace: bool,
) -> None:
    """Make companies with plausible books; the same seed makes the same ones."""
    scale = SampleScale(
        tenants=companies,
        first_month=last.plus(1 - months),
        months=months,
        lines_per_month=lines_per_month or 400 * companies,
    )
    started = time.monotonic()
    with _reported_errors():
        loaded = load_ledger(environment.ledger_url, sample_ledger(scale, seed), replace=replace)
    seconds = time.monotonic() - started
    _name_dropped_mappings(loaded)
    click.echo(f"{_counts(loaded)} in {seconds:.1f} s ({loaded.lines / seconds:,.0f} lines/s)")


@ledger.group(name="import")
def import_group() -> None:
    """Import one tenant's ledger from files, here or in S3 (s3://bucket/key); faulty files change
    nothing."""


class _ClosingDay(click.ParamType[int]):
    """1 to 28, or 31."""

    name = "day"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if str(value) not in {*map(str, range(1, 29)), "31"}:
            self.fail(f"{value!r} is not 1 to 28, or 31 for the month's end", param, ctx)
        return int(value)


class _FiscalYear(click.ParamType[tuple[Month, int | None]]):
    """The month that a fiscal year begins with, and perhaps its closing day."""

    name = "YYYY-MM[:day]"

    def convert(
        self,
        value: str | tuple[Month, int | None],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[Month, int | None]:
        if isinstance(value, tuple):
            return value
        month, colon, closing_day = value.partition(":")
        return (
            MONTH.convert(month, param, ctx),
            _ClosingDay().convert(closing_day, param, ctx) if colon else None,
        )


@dataclass(frozen=True)
class _TenantOptions:
    """What the options that every import has were given."""

    tenant: str
    name: str | None
    currency: str | None
    language: str | None
    time_zone: str | None
    fiscal_year_start_month: int | None
    fiscal_years_from: tuple[tuple[Month, int | None], ...]
    closing_day: int | None
    consumption_tax_basis: str | None
    display_unit: str | None
    plan: str | None
    copy_language: str | None
    contacts: tuple[str, ...]
    close_through: Month | None
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
                type=_FiscalYear(),
                multiple=True,
                help="A month with which a fiscal year began out of turn, and the closing day "
                "from then on if it is another; may be repeated.",
            ),
            click.option(
                "--closing-day",
                type=_ClosingDay(),
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
                "--copy-language",
                type=click.Choice(["ja", "en", _NO_COPY]),
                help="Of the copy that the premium plan adds.",
            ),
            click.option(
                "--contact",
                "contacts",
                multiple=True,
                metavar="'NAME <ADDRESS>'",
                help="Who gets the mails; may be repeated.",
            ),
            click.option(
                "--close-through", type=MONTH, metavar="YYYY-MM", help="The last closed month."
            ),
            click.option("--replace", is_flag=True, help="Replace the tenant's ledger."),
        ]
    ):
        command = option(command)
    return command


@import_group.command(name="csv")
@click.argument("folder", type=_FOLDER)
@_tenant_options
@click.pass_obj
def import_csv(environment: Environment, /, folder: Path, **options: Any) -> None:
    """Import journal.csv, accounts.csv, claims.csv and contacts.csv from FOLDER."""
    tenant = _TenantOptions(**options)
    settings = _settings(environment, tenant)
    with _reported_errors():
        books = read_csv_ledger(folder, currency=settings.currency, language=settings.language)
    _import(environment, settings, books, tenant)


@import_group.command(name="beancount")
@click.argument("file", type=_BOOKS)
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
    environment: Environment,
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
    settings = _settings(environment, tenant, currency=currency, name=read.title)
    with _reported_errors():
        books = convert_beancount(
            read, currency=settings.currency, cash_accounts=cash_accounts, chart=chart
        )
    _import(environment, settings, books, tenant)


@import_group.command(name="hledger")
@click.argument("file", type=_FILE)
@click.option("--chart", type=_FILE, required=True, help="CSV that maps hledger's accounts.")
@click.option("--symbol", help="How hledger writes the currency, such as ¥.")
@_tenant_options
@click.pass_obj
def import_hledger(
    environment: Environment, /, file: Path, chart: Path, symbol: str | None, **options: Any
) -> None:
    """Import a FILE written by `hledger print --output-format csv`."""
    tenant = _TenantOptions(**options)
    settings = _settings(environment, tenant)
    with _reported_errors():
        books = read_hledger_csv(file, chart=chart, currency=settings.currency, symbol=symbol)
    _import(environment, settings, books, tenant)


def _settings(
    environment: Environment,
    options: _TenantOptions,
    *,
    currency: str | None = None,
    name: str | None = None,
) -> TenantSettings:
    """What the options say of the tenant; what they do not say is kept, or what the file says."""
    tenant_id = options.tenant
    if not _TENANT_ID.fullmatch(tenant_id):
        raise click.BadParameter("1 to 32 of a-z and 0-9", param_hint="--tenant")
    settings = stored_settings(environment.ledger_url, tenant_id)
    if settings is None:
        settings = TenantSettings(tenant_id, name or tenant_id, currency=currency or "JPY")
    known = {setting.name for setting in dataclasses.fields(TenantSettings)}
    given = {
        name: value
        for name, value in dataclasses.asdict(options).items()
        if name in known and value is not None
    }
    settings = dataclasses.replace(settings, **given)
    if settings.copy_language == _NO_COPY:
        settings = dataclasses.replace(settings, copy_language=None)
    if not settings.name or text_fault(settings.name):
        raise click.BadParameter("a name without control characters", param_hint="--name")
    if not re.fullmatch("[A-Z]{3}", settings.currency):
        raise click.BadParameter("three capital letters", param_hint="--currency")
    if settings.time_zone not in available_timezones():
        raise click.BadParameter("not a time zone", param_hint="--time-zone")
    if settings.copy_language == settings.language:
        raise click.BadParameter("the documents are in it already", param_hint="--copy-language")
    return settings


def _import(
    environment: Environment,
    settings: TenantSettings,
    books: TenantLedger,
    options: _TenantOptions,
) -> None:
    if contacts := tuple(map(_contact, options.contacts)):
        books = dataclasses.replace(books, contacts=contacts)
    with _reported_errors():
        loaded = import_ledger(
            environment.ledger_url,
            settings,
            books,
            fiscal_years_from=dict(options.fiscal_years_from),
            closed_through=options.close_through,
            replace=options.replace,
        )
    for commodity, count in sorted(books.left_out.items()):
        click.echo(f"left out: {count:,} postings in {commodity}")
    _name_dropped_mappings(loaded)
    # As operators have mapped them, too, in the reports that are made next.
    chart = AccountMappings(environment.ledger_url).accounts(settings.tenant_id, last_month())
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
@tenants_option
@click.option("--all", "all_tenants", is_flag=True, help="Every tenant that needs it.")
@click.pass_obj
def refresh(environment: Environment, tenants: tuple[str, ...], all_tenants: bool) -> None:
    """Bring the monthly balances up to date with the journal (SNAPSHOT_MISMATCH)."""
    require_tenants_or_all(tenants, all_tenants)
    environment.tenants().require(tenants)
    refreshed = refresh_snapshots(environment.ledger_url, None if all_tenants else tenants)
    if not refreshed:
        click.echo("all balances are up to date")
    for tenant_id, months in sorted(refreshed.items()):
        click.echo(f"{tenant_id}: {', '.join(map(str, months))}")


@ledger.command(name="mark-closing")
@tenant_option
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.option("--entry", "entry_id", type=int, required=True, help="The entry's id on that day.")
@click.option("--undo", is_flag=True, help="Take the mark away, so that statements count it.")
@click.pass_obj
def mark_closing_entry(
    environment: Environment,
    tenant_id: str,
    day: datetime.datetime,
    entry_id: int,
    undo: bool,
) -> None:
    """Mark an entry as 損益振替, which statements leave out (UNFLAGGED_CLOSING_ENTRY), or undo it
    (CLOSING_ENTRY_ON_BALANCE_SHEET). Refreshes all balances of the tenant that are out of date."""
    environment.tenants().require([tenant_id])
    mark = unmark_closing if undo else mark_closing
    try:
        marked = mark(environment.ledger_url, tenant_id, day.date(), entry_id)
    except NotAClosingEntryError as error:
        raise click.ClickException(str(error)) from None
    marked_now = "no longer marked" if undo else "marked"
    amount = format_amount(marked.debit, minor_unit_exponent(marked.currency))
    click.echo(
        f"{tenant_id}: entry {entry_id} of {day.date()} is {marked_now} as closing: "
        f"{marked.lines} lines, {amount} {marked.currency}, {marked.memo or 'no memo'}"
    )
    click.echo(f"balances refreshed: {', '.join(map(str, marked.refreshed))}")


@ledger.command()
@tenant_option
@click.pass_obj
def calendar(environment: Environment, tenant_id: str) -> None:
    """Print a tenant's fiscal years around today, and the months of this one."""
    environment.tenants().require([tenant_id])
    calendars = TenantCalendars(environment.ledger_url)
    today = now().date()
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


def _contact(text: str) -> ImportedContact:
    match = _NAMED_ADDRESS.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is not 'NAME <ADDRESS>'", param_hint="--contact")
    contact = ImportedContact(match["name"], match["email"])
    try:
        recipient_address(Recipient(contact.name, contact.email))
    except BadAddressError as error:
        raise click.BadParameter(str(error), param_hint="--contact") from None
    return contact


def _name_dropped_mappings(loaded: LoadedLedger) -> None:
    for dropped in loaded.dropped_mappings:
        first = dropped.first_month
        since = "for all months" if first == BEGINNING else f"from {first} on"
        reason = "the account is gone"
        if dropped.charted_as is not None:
            reason = f"the chart says {dropped.charted_as}, which holds for all months"
        click.echo(
            f"{dropped.tenant_id}: {dropped.account_code} was mapped to {dropped.account_class} "
            f"{since}; dropped, since {reason}"
        )


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
