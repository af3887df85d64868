"""A journal as text that other accounting programs read, so that they can check our figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reports_pipeline.accounting.accounts import AccountClass, Section, Side
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry
from reports_pipeline.accounting.money import from_minor_units, minor_unit_exponent

_EQUITY_SECTIONS = {
    Section.SHAREHOLDERS_EQUITY,
    Section.VALUATION_AND_TRANSLATION,
    Section.SHARE_ACQUISITION_RIGHTS,
}
# hledger ends an account's name at two spaces, and reads these marks before or in it as its own.
_NOT_AN_HLEDGER_ACCOUNT = re.compile(r"^[\[(;*!=]|^\s|\s$|\s\s|[\t\r\n;]|^$")


def hledger_journal(
    accounts: Iterable[Account], entries: Iterable[JournalEntry], currency: str
) -> str:
    """The journal in hledger's format, accounts named by their codes.

    Every account is declared with its type. Cancelled entries are left out: hledger knows none.
    Opening and closing entries carry a tag of that name, so that `not:tag:closing` leaves the
    latter out. A `;` in a memo, which would begin a comment, is written as `；`.

    Raises:
        ValueError: hledger would read an account's code as something else.
    """
    return "".join(f"{line}\n" for line in _journal_lines(accounts, entries, currency))


def _journal_lines(
    accounts: Iterable[Account], entries: Iterable[JournalEntry], currency: str
) -> Iterator[str]:
    # The dot makes the mark unambiguous: without it hledger may take "1,000" for one.
    yield f"commodity 1000.{'0' * minor_unit_exponent(currency)} {currency}"
    for account in accounts:
        yield f"account {_name(account.account_code)}  ; type: {_type(account.account_class)}"
    for entry in entries:
        if entry.status is EntryStatus.CANCELLED:
            continue
        memo = entry.memo.replace(";", "；")
        tag = "" if entry.kind is EntryKind.NORMAL else f"  ; {entry.kind}:"
        yield ""
        yield f"{entry.posted_on.isoformat()} * ({entry.entry_id}) {memo}{tag}"
        for line in entry.lines:
            amount = from_minor_units(line.amount, currency)
            yield f"    {_name(line.account_code)}  {amount:f} {currency}"


def _name(account_code: str) -> str:
    if _NOT_AN_HLEDGER_ACCOUNT.search(account_code):
        raise ValueError(f"hledger cannot read the account code {account_code!r}")
    return account_code


def _type(account_class: AccountClass) -> str:
    section = account_class.section
    if account_class is AccountClass.CASH_AND_DEPOSITS:
        return "C"
    if section.in_income_statement:
        return "R" if section.side is Side.CREDIT else "X"
    if section in _EQUITY_SECTIONS:
        return "E"
    return "A" if section.side is Side.DEBIT else "L"
