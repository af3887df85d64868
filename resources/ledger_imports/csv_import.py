"""Ledgers in our own CSV format: docs/ledger-import.md describes the files."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path

from reports_pipeline.accounting.charts import default_chart
from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry, JournalLine
from reports_pipeline.accounting.money import from_minor_units
from reports_pipeline.accounting.reports import Claim
from reports_pipeline.delivery.deliveries import Recipient
from reports_pipeline.delivery.errors import BadAddressError
from reports_pipeline.delivery.messages import recipient_address
from resources.ledger_imports.chart_files import ImportedAccount, distinct, read_chart
from resources.ledger_imports.ledger_files import (
    CsvRow,
    Problems,
    parse_amount,
    parse_day,
    read_csv,
)
from resources.ledger_imports.tenant_ledgers import ImportedContact, TenantLedger
from resources.tenants import ContactPurpose

_CLAIM_STATES = ("submitted", "approved", "paid", "rejected")
_LARGEST_LINE_NO = 2**15 - 1
_LARGEST_ENTRY_ID = 2**63 - 1


def read_csv_ledger(folder: Path, *, currency: str, language: str) -> TenantLedger:
    """The ledger in `folder`: journal.csv, and accounts.csv, claims.csv and contacts.csv if they
    are there. Without accounts.csv it is kept on the default chart, named in `language`.

    Raises:
        LedgerFileError: something is wrong with a file; nothing of the ledger is usable then.
    """
    problems = Problems()
    if (folder / "accounts.csv").exists():
        chart = read_chart(folder / "accounts.csv", problems)
    else:
        chart = {
            account.account_code: ImportedAccount.of(account) for account in default_chart(language)
        }
    entries = _read_journal(folder / "journal.csv", chart, currency, problems)
    claims = contacts = None
    if (folder / "claims.csv").exists():
        claims = _read_claims(folder / "claims.csv", currency, problems)
    if (folder / "contacts.csv").exists():
        contacts = _read_contacts(folder / "contacts.csv", problems)
    problems.raise_if_any()
    return TenantLedger(distinct(chart.values()), entries, claims, contacts or ())


@dataclass
class _Entry:
    """An entry whose lines are being read."""

    first_row: CsvRow
    posted_on: datetime.date
    entry_id: int
    kind: EntryKind
    status: EntryStatus
    lines: dict[int, JournalLine] = field(default_factory=dict)
    faulty: bool = False

    def finished(self) -> JournalEntry:
        lines = tuple(line for _, line in sorted(self.lines.items()))
        memo = self.first_row["memo"]
        return JournalEntry(self.posted_on, self.entry_id, memo, lines, self.kind, self.status)


def _read_journal(
    path: Path, chart: dict[str, ImportedAccount], currency: str, problems: Problems
) -> tuple[JournalEntry, ...]:
    rows = read_csv(
        path,
        problems,
        required=["posted_on", "entry_id", "line_no", "account_code", "debit", "credit"],
        optional=["memo", "kind", "status", "currency"],
    )
    entries: dict[tuple[datetime.date, int], _Entry] = {}
    for row in rows:
        try:
            posted_on = parse_day(row["posted_on"])
            entry_id = _whole_number(row, "entry_id", _LARGEST_ENTRY_ID)
            kind = EntryKind(row["kind"] or EntryKind.NORMAL)
            status = EntryStatus(row["status"] or EntryStatus.POSTED)
        except ValueError as error:
            problems.add(row.file, row.line, str(error))
            continue
        entry = entries.setdefault(
            (posted_on, entry_id), _Entry(row, posted_on, entry_id, kind, status)
        )
        faults = _add_line(entry, row, chart, currency)
        if (entry.kind, entry.status) != (kind, status):
            faults.append(f"entry {entry_id} has another kind or status above")
        for fault in faults:
            entry.faulty = True
            problems.add(row.file, row.line, fault)
    for entry in entries.values():
        # Of an entry with a faulty line nobody knows whether it balances.
        difference = 0 if entry.faulty else entry.finished().imbalance
        if difference:
            row, amount = entry.first_row, from_minor_units(difference, currency)
            reason = f"entry {entry.entry_id} does not balance: debits - credits = {amount:f}"
            problems.add(row.file, row.line, reason)
    return tuple(entry.finished() for entry in entries.values())


def _add_line(
    entry: _Entry, row: CsvRow, chart: dict[str, ImportedAccount], currency: str
) -> list[str]:
    """Put the row's line into its entry; returns what is wrong with it."""
    faults = []
    if row["currency"] not in ("", currency):
        faults.append(f"the currency is {row['currency']}, but the tenant's is {currency}")
    if row["account_code"] not in chart:
        faults.append(f"unknown account {row['account_code']!r}")
    try:
        line_no = _whole_number(row, "line_no", _LARGEST_LINE_NO)
        if line_no in entry.lines:
            faults.append(f"second line {line_no} of entry {entry.entry_id}")
        amount = _signed_amount(row, currency)
    except ValueError as error:
        return [*faults, str(error)]
    entry.lines[line_no] = JournalLine(row["account_code"], amount)
    return faults


def _signed_amount(row: CsvRow, currency: str) -> int:
    """Debit - credit of a line that has one of them."""
    debit, credit = (
        parse_amount(row[side], currency) if row[side] else 0 for side in ("debit", "credit")
    )
    if debit < 0 or credit < 0:
        raise ValueError("an amount is negative: it belongs on the other side")
    if debit and credit:
        raise ValueError("both a debit and a credit")
    if not debit and not credit:
        raise ValueError("neither a debit nor a credit")
    return debit - credit


def _read_claims(path: Path, currency: str, problems: Problems) -> tuple[Claim, ...]:
    rows = read_csv(
        path,
        problems,
        required=["claim_id", "incurred_on", "employee", "category", "amount", "status"],
        optional=["payee", "description", "consumption_tax"],
    )
    claims: dict[str, Claim] = {}
    for row in rows:
        try:
            claim = Claim(
                claim_id=_required(row, "claim_id"),
                incurred_on=parse_day(row["incurred_on"]).isoformat(),
                employee=_required(row, "employee"),
                category=_required(row, "category"),
                payee=row["payee"],
                description=row["description"],
                amount=_unsigned_amount(row, "amount", currency),
                consumption_tax=_unsigned_amount(row, "consumption_tax", currency),
                status=row["status"],
            )
        except ValueError as error:
            problems.add(row.file, row.line, str(error))
            continue
        if claim.status not in _CLAIM_STATES:
            problems.add(row.file, row.line, f"unknown status {claim.status!r}")
        if claim.consumption_tax > claim.amount:
            problems.add(row.file, row.line, "more consumption tax than amount")
        if claim.claim_id in claims:
            problems.add(row.file, row.line, f"second claim {claim.claim_id}")
        claims[claim.claim_id] = claim
    return tuple(claims.values())


def _read_contacts(path: Path, problems: Problems) -> tuple[ImportedContact, ...]:
    contacts = []
    for row in read_csv(path, problems, required=["name", "email"], optional=["purpose"]):
        try:
            recipient_address(Recipient(row["name"], row["email"]))
            purpose = _purpose(row)
        except (BadAddressError, ValueError) as error:
            problems.add(row.file, row.line, str(error))
            continue
        contacts.append(ImportedContact(row["name"], row["email"], purpose))
    return tuple(contacts)


def _purpose(row: CsvRow) -> ContactPurpose:
    text = row["purpose"] or ContactPurpose.REPORTS
    if text not in set(ContactPurpose):
        raise ValueError(f"unknown purpose {text!r}: it is {' or '.join(ContactPurpose)}")
    return ContactPurpose(text)


def _required(row: CsvRow, column: str) -> str:
    if not row[column]:
        raise ValueError(f"{column} is empty")
    return row[column]


def _unsigned_amount(row: CsvRow, column: str, currency: str) -> int:
    amount = parse_amount(row[column] or "0", currency)
    if amount < 0:
        raise ValueError(f"{column} is negative")
    return amount


def _whole_number(row: CsvRow, column: str, largest: int) -> int:
    text = row[column]
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
        raise ValueError(f"{column} is not a number from 1 to {largest}: {text!r}")
    return int(text)
