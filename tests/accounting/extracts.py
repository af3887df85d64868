"""Extracts made of journals in memory, as the ledger would make them."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry
from reports_pipeline.accounting.ledger import EXTRACT_TABLES, LedgerExtract
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import Claim, Company
from tests.accounting.calendars import Anchor, Calendar

Row = dict[str, object]


@dataclass(frozen=True)
class Tenant:
    """A company, whatever the month."""

    tenant_id: str
    calendar: Calendar
    name: str = "株式会社さくら商店"
    language: str = "ja"
    currency: str = "JPY"
    time_zone: str = "Asia/Tokyo"
    consumption_tax_basis: str = "exclusive"
    display_unit: str = "one"
    plan: str = "standard"
    closed: bool = True

    def in_month(self, month: Month) -> Company:
        """The company as the documents of a month name it."""
        year_start, _ = self.calendar.period(self.calendar.year_start(month))
        month_start, month_end = self.calendar.period(month)
        return Company(
            tenant_id=self.tenant_id,
            name=self.name,
            language=self.language,
            currency=self.currency,
            time_zone=self.time_zone,
            fiscal_year_start=year_start.isoformat(),
            month_start=month_start.isoformat(),
            month_end=month_end.isoformat(),
            consumption_tax_basis=self.consumption_tax_basis,
            display_unit=self.display_unit,
            plan=self.plan,
            closed=self.closed,
        )


def company(
    tenant_id: str = "sakura", fiscal_year_start_month: int = 4, calendar: Calendar | None = None
) -> Tenant:
    """A company whose every year begins with a month, unless it has a calendar."""
    every_year = Calendar((Anchor(Month(2020, fiscal_year_start_month)),))
    return Tenant(tenant_id, calendar or every_year)


@dataclass(frozen=True)
class Bookkeeping:
    """A company with all it ever posted."""

    company: Tenant
    accounts: Sequence[Account]
    entries: Sequence[JournalEntry]
    claims: Sequence[Claim] = ()

    def posted(self, month: Month) -> list[tuple[Month, JournalEntry]]:
        """The entries that count up to and including the month, each with its own month."""
        month_of = self.company.calendar.month_of
        return [
            (month_of(entry.posted_on), entry)
            for entry in self.entries
            if entry.status is EntryStatus.POSTED and month_of(entry.posted_on) <= month
        ]


def extract_of(month: Month, books: Sequence[Bookkeeping]) -> LedgerExtract:
    tables: dict[str, list[Row]] = {name: [] for name in EXTRACT_TABLES}
    for book in books:
        tenant: Row = {"tenant_id": book.company.tenant_id}
        company = book.company.in_month(month)
        tables["companies"].append(
            {name: getattr(company, name) for name in EXTRACT_TABLES["companies"]}
        )
        tables["fiscal_years"] += [
            tenant | {"first_month": anchor.first_month.ordinal}
            for anchor in book.company.calendar.anchors
        ]
        tables["accounts"] += [
            tenant
            | {
                "account_code": account.account_code,
                "name": account.name,
                "account_class": str(account.account_class),
            }
            for account in book.accounts
        ]
        entries = book.posted(month)
        tables["movements"] += [tenant | row for row in _movements(entries)]
        recent = [(of, entry) for of, entry in entries if of >= month.plus(-12)]
        tables["cash_flows"] += [tenant | row for row in _cash_flows(recent, book.accounts)]
        tables["claims"] += [
            tenant | {name: getattr(claim, name) for name in list(EXTRACT_TABLES["claims"])[1:]}
            for claim in book.claims
            if _month_of(claim, book) == month
        ]
    return LedgerExtract(
        month=month,
        **{
            name: pd.DataFrame(rows, columns=list(EXTRACT_TABLES[name])).astype(
                dict(EXTRACT_TABLES[name])
            )
            for name, rows in tables.items()
        },
    )


def _month_of(claim: Claim, book: Bookkeeping) -> Month:
    return book.company.calendar.month_of(datetime.date.fromisoformat(claim.incurred_on))


def _movements(entries: Sequence[tuple[Month, JournalEntry]]) -> list[Row]:
    sums: dict[tuple[str, int], dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(list(EXTRACT_TABLES["movements"])[3:], 0)
    )
    for month, entry in entries:
        for line in entry.lines:
            row = sums[line.account_code, month.ordinal]
            prefix = "closing_" if entry.kind is EntryKind.CLOSING else ""
            row[f"{prefix}debit"] += line.debit
            row[f"{prefix}credit"] += line.credit
            if entry.kind is EntryKind.OPENING:
                row["opening_debit"] += line.debit
                row["opening_credit"] += line.credit
    return [
        {"account_code": code, "month": month} | amounts for (code, month), amounts in sums.items()
    ]


def _cash_flows(
    entries: Sequence[tuple[Month, JournalEntry]], accounts: Sequence[Account]
) -> list[Row]:
    cash = {
        account.account_code
        for account in accounts
        if account.account_class is AccountClass.CASH_AND_DEPOSITS
    }
    sums: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for month, entry in entries:
        touches_cash = any(line.account_code in cash for line in entry.lines)
        if entry.kind is not EntryKind.NORMAL or not touches_cash:
            continue
        for line in entry.lines:
            if line.account_code not in cash:
                flows = sums[line.account_code, month.ordinal]
                flows[0] += line.credit
                flows[1] += line.debit
    return [
        {"account_code": code, "month": month, "inflow": inflow, "outflow": outflow}
        for (code, month), (inflow, outflow) in sums.items()
    ]
