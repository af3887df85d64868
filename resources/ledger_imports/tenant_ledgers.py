"""A tenant's ledger as importers hand it over, and its way into the database."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import psycopg
import pyarrow as pa

from reports_pipeline.accounting.journal import JournalEntry
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import Claim
from resources.ledger_imports.chart_files import ImportedAccount
from resources.ledger_loading import TABLES, LedgerTables, LoadedLedger, load_ledger
from resources.tenants import ContactPurpose


@dataclass(frozen=True)
class TenantSettings:
    """A row of `ledger.companies`, whose defaults these are."""

    tenant_id: str
    name: str
    language: str = "ja"
    currency: str = "JPY"
    time_zone: str = "Asia/Tokyo"
    fiscal_year_start_month: int = 4
    closing_day: int = 31  # 31: the month's end
    consumption_tax_basis: str = "exclusive"
    display_unit: str = "one"  # or thousand
    plan: str = "standard"
    copy_language: str | None = None


@dataclass(frozen=True, slots=True)
class ImportedContact:
    """A contact as it was read; its number is its place among the others."""

    name: str
    email: str
    purpose: ContactPurpose = ContactPurpose.REPORTS


@dataclass(frozen=True)
class TenantLedger:
    """The books of one tenant, checked; amounts in minor units of its currency."""

    accounts: tuple[ImportedAccount, ...]
    entries: tuple[JournalEntry, ...]
    claims: tuple[Claim, ...] | None = None  # None: the source knows no claims
    contacts: tuple[ImportedContact, ...] = ()
    # Postings in units that are no money (shares without a price, hours), by unit.
    left_out: Mapping[str, int] = field(default_factory=Counter)


def stored_settings(url: str, tenant_id: str) -> TenantSettings | None:
    """The settings of a tenant that is in the ledger already."""
    names = [setting.name for setting in dataclasses.fields(TenantSettings)]
    with psycopg.connect(url) as connection:
        row = connection.execute(
            f"select {', '.join(names)} from ledger.companies where tenant_id = %s",  # noqa: S608
            [tenant_id],
        ).fetchone()
    return None if row is None else TenantSettings(*row)


def import_ledger(
    url: str,
    settings: TenantSettings,
    ledger: TenantLedger,
    *,
    fiscal_years_from: Mapping[Month, int | None] = MappingProxyType({}),
    closed_through: Month | None = None,
    replace: bool = False,
) -> LoadedLedger:
    """Write the ledger in one transaction and refresh its snapshots.

    With `replace` it takes the place of the tenant's ledger. Contacts, claims, closed months and
    the fiscal years that began out of turn stay as they were unless new ones are given:
    `fiscal_years_from` has the months they began with, and the closing day from then on, or None
    where it stayed the same.

    Raises:
        TenantExistsError: the tenant is in the ledger and `replace` is false.
    """
    tables = _ledger_tables(settings, ledger, fiscal_years_from, closed_through)
    return load_ledger(url, [tables], replace=replace)


def _ledger_tables(
    settings: TenantSettings,
    ledger: TenantLedger,
    fiscal_years_from: Mapping[Month, int | None],
    closed_through: Month | None,
) -> LedgerTables:
    tenant = {"tenant_id": settings.tenant_id}
    rows: dict[str, list[dict[str, object]]] = {
        "companies": [dataclasses.asdict(settings)],
        "accounts": [tenant | dataclasses.asdict(account) for account in ledger.accounts],
        "journal_entries": [
            tenant
            | {
                "posted_on": entry.posted_on,
                "entry_id": entry.entry_id,
                "memo": entry.memo,
                "currency": settings.currency,
                "kind": entry.kind,
                "status": entry.status,
            }
            for entry in ledger.entries
        ],
        "journal_lines": [
            tenant
            | {
                "posted_on": entry.posted_on,
                "entry_id": entry.entry_id,
                "line_no": line_no,
                "account_code": line.account_code,
                "debit": line.debit,
                "credit": line.credit,
                "kind": entry.kind,
                "status": entry.status,
            }
            for entry in ledger.entries
            for line_no, line in enumerate(entry.lines, start=1)
        ],
    }
    closing_days = _closing_days(settings.closing_day, fiscal_years_from)
    if closing_days:
        rows["fiscal_year_changes"] = [
            tenant | {"first_month": month.start, "closing_day": closing_day}
            for month, closing_day in closing_days.items()
        ]
    if ledger.contacts:
        rows["contacts"] = [
            tenant | {"contact_no": number} | dataclasses.asdict(contact)
            for number, contact in enumerate(ledger.contacts, start=1)
        ]
    if ledger.claims is not None:
        rows["expense_claims"] = [
            tenant
            | dataclasses.asdict(claim)
            | {"incurred_on": datetime.date.fromisoformat(claim.incurred_on)}
            for claim in ledger.claims
        ]
    if closed_through is not None:
        first = min(
            (
                _month_of(entry.posted_on, settings.closing_day, closing_days)
                for entry in ledger.entries
            ),
            default=closed_through,
        )
        rows["month_closings"] = [
            tenant | {"month": first.plus(elapsed).start}
            for elapsed in range(closed_through.ordinal - first.ordinal + 1)
        ]
    return {name: pa.Table.from_pylist(rows[name], TABLES[name]) for name in rows}


def _closing_days(
    closing_day: int, fiscal_years_from: Mapping[Month, int | None]
) -> dict[Month, int]:
    """The closing day from each of these months on, in order; None is that of the year before."""
    closing_days = {}
    for month, given in sorted(fiscal_years_from.items()):
        closing_day = given or closing_day
        closing_days[month] = closing_day
    return closing_days


def _month_of(day: datetime.date, closing_day: int, closing_days: Mapping[Month, int]) -> Month:
    """What is posted after the closing day of its calendar month is the next month's."""
    month = Month.of(day)
    for first_month, changed in closing_days.items():
        if first_month <= month:
            closing_day = changed
    return month.plus(1 if day.day > closing_day else 0)
