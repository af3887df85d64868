"""Ledgers from hledger: the CSV that `hledger print --output-format csv` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from reports_pipeline.accounting.journal import EntryKind, JournalEntry, JournalLine
from reports_pipeline.accounting.money import from_minor_units, to_minor_units
from resources.ledger_imports.chart_files import ImportedAccount, distinct, read_mapping
from resources.ledger_imports.commodities import ForeignPostings, Posting
from resources.ledger_imports.ledger_files import (
    CsvRow,
    Problems,
    parse_amount,
    parse_day,
    read_csv,
)
from resources.ledger_imports.tenant_ledgers import TenantLedger

_REQUIRED = ("txnidx", "date", "description", "comment", "account", "amount", "commodity")
_OPTIONAL = ("date2", "status", "code", "credit", "debit", "posting-status", "posting-comment")
_KIND_TAG = re.compile(r"(?:^|[\s,])(opening|closing):")


def read_hledger_csv(
    path: Path, *, chart: Path, currency: str, symbol: str | None = None
) -> TenantLedger:
    """The tenant's ledger in `currency`, which hledger writes as `symbol` (the same, if None).

    Rows of `chart` map hledger's accounts to ours. Transactions with the tag `opening:` or
    `closing:` are entries of that kind.

    Raises:
        LedgerFileError: something is wrong with a file; nothing of the ledger is usable then.
    """
    problems = Problems()
    mapping = read_mapping(chart, problems)
    rows = read_csv(
        path,
        problems,
        required=_REQUIRED,
        optional=_OPTIONAL,
        multiline=["comment", "posting-comment"],
    )
    transactions: dict[str, list[CsvRow]] = {}
    for row in rows:
        transactions.setdefault(row["txnidx"], []).append(row)
    postings = {
        index: [_posting(row, currency, symbol or currency, problems) for row in group]
        for index, group in transactions.items()
    }
    foreign = ForeignPostings(
        currency, (posting for group in postings.values() for posting in group), problems
    )
    entries = []
    for entry_id, (index, group) in enumerate(transactions.items(), start=1):
        own = foreign.without(postings[index])
        entry = _entry(group[0], entry_id, own, mapping, currency, problems)
        if entry is not None:
            entries.append(entry)
    problems.raise_if_any()
    return TenantLedger(distinct(mapping.values()), tuple(entries), left_out=dict(foreign.left_out))


def _posting(row: CsvRow, currency: str, symbol: str, problems: Problems) -> Posting:
    account, commodity = row["account"], row["commodity"]
    amount = Decimal(0)  # what is not in the tenant's currency is counted, not summed
    if account.startswith(("(", "[")):
        reason = f"virtual posting {account}: export with `hledger print --real`"
        problems.add(row.file, row.line, reason)
    if commodity == symbol:
        commodity = currency
        try:
            amount = from_minor_units(parse_amount(row["amount"], currency), currency)
        except ValueError as error:
            problems.add(row.file, row.line, str(error))
    return Posting(row.file, row.line, account, amount, commodity)


def _entry(
    row: CsvRow,
    entry_id: int,
    postings: Sequence[Posting],
    mapping: Mapping[str, ImportedAccount],
    currency: str,
    problems: Problems,
) -> JournalEntry | None:
    """The entry whose first posting is on `row`; None if nothing of it is in the currency."""
    lines = []
    for posting in postings:
        account = mapping.get(posting.account)
        if account is None:
            reason = f"account {posting.account!r} is not in the chart"
            problems.add(posting.file, posting.line, reason)
        elif posting.amount:
            amount = to_minor_units(posting.amount, currency)
            lines.append(JournalLine(account.account_code, amount))
    try:
        posted_on = parse_day(row["date"])
    except ValueError as error:
        problems.add(row.file, row.line, str(error))
        return None
    difference = sum(posting.amount for posting in postings)
    if difference:
        reason = f"transaction {row['txnidx']} does not balance: debits - credits = {difference:f}"
        hint = "costs need `hledger print --explicit --cost`"
        problems.add(row.file, row.line, f"{reason} ({hint})")
    tag = _KIND_TAG.search(row["comment"])
    kind = EntryKind(tag[1]) if tag else EntryKind.NORMAL
    if not lines:
        return None
    return JournalEntry(posted_on, entry_id, row["description"], tuple(lines), kind)
