"""Extracts made of journals in memory, as the ledger would make them."""

from __future__ import annotations

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

Row = dict[str, object]


@dataclass(frozen=True)
class Bookkeeping:
    """A company with all it ever posted."""

    company: Company
    accounts: Sequence[Account]
    entries: Sequence[JournalEntry]
    claims: Sequence[Claim] = ()


def company(tenant_id: str = "sakura", fiscal_year_start_month: int = 4) -> Company:
    return Company(
        tenant_id=tenant_id,
        name="株式会社さくら商店",
        language="ja",
        currency="JPY",
        time_zone="Asia/Tokyo",
        fiscal_year_start_month=fiscal_year_start_month,
        consumption_tax_basis="exclusive",
        plan="standard",
        closed=True,
    )


def posted(entries: Sequence[JournalEntry], month: Month) -> list[JournalEntry]:
    """The entries that count, up to and including the month."""
    return [
        entry
        for entry in entries
        if entry.status is EntryStatus.POSTED and Month.of(entry.posted_on) <= month
    ]


def extract_of(month: Month, books: Sequence[Bookkeeping]) -> LedgerExtract:
    tables: dict[str, list[Row]] = {name: [] for name in EXTRACT_TABLES}
    for book in books:
        tenant: Row = {"tenant_id": book.company.tenant_id}
        tables["companies"].append(
            {name: getattr(book.company, name) for name in EXTRACT_TABLES["companies"]}
        )
        tables["accounts"] += [
            tenant
            | {
                "account_code": account.account_code,
                "name": account.name,
                "account_class": str(account.account_class),
            }
            for account in book.accounts
        ]
        entries = posted(book.entries, month)
        tables["movements"] += [tenant | row for row in _movements(entries)]
        recent = [entry for entry in entries if Month.of(entry.posted_on) >= month.plus(-12)]
        tables["cash_flows"] += [tenant | row for row in _cash_flows(recent, book.accounts)]
        tables["claims"] += [
            tenant | {name: getattr(claim, name) for name in list(EXTRACT_TABLES["claims"])[1:]}
            for claim in book.claims
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


def _movements(entries: Sequence[JournalEntry]) -> list[Row]:
    sums: dict[tuple[str, int], dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(list(EXTRACT_TABLES["movements"])[3:], 0)
    )
    for entry in entries:
        for line in entry.lines:
            row = sums[line.account_code, Month.of(entry.posted_on).ordinal]
            prefix = "closing_" if entry.kind is EntryKind.CLOSING else ""
            row[f"{prefix}debit"] += line.debit
            row[f"{prefix}credit"] += line.credit
            if entry.kind is EntryKind.OPENING:
                row["opening_debit"] += line.debit
                row["opening_credit"] += line.credit
    return [
        {"account_code": code, "month": month} | amounts for (code, month), amounts in sums.items()
    ]


def _cash_flows(entries: Sequence[JournalEntry], accounts: Sequence[Account]) -> list[Row]:
    cash = {
        account.account_code
        for account in accounts
        if account.account_class is AccountClass.CASH_AND_DEPOSITS
    }
    sums: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for entry in entries:
        touches_cash = any(line.account_code in cash for line in entry.lines)
        if entry.kind is not EntryKind.NORMAL or not touches_cash:
            continue
        for line in entry.lines:
            if line.account_code not in cash:
                flows = sums[line.account_code, Month.of(entry.posted_on).ordinal]
                flows[0] += line.credit
                flows[1] += line.debit
    return [
        {"account_code": code, "month": month, "inflow": inflow, "outflow": outflow}
        for (code, month), (inflow, outflow) in sums.items()
    ]
