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
# By hledger's letters for the types of accounts.
_BEANCOUNT_ROOTS = {
    "C": "Assets",
    "A": "Assets",
    "L": "Liabilities",
    "E": "Equity",
    "R": "Income",
    "X": "Expenses",
}
# The first day of the first Month.
_BEANCOUNT_OPEN_DATE = "1900-01-01"
# hledger ends an account's name at two spaces, and reads these marks before or in it as its own.
_NOT_AN_HLEDGER_ACCOUNT = re.compile(r"^[\[(;*!=]|^\s|\s$|\s\s|[\t\r\n;]|^$")


def hledger_journal(
    accounts: Iterable[Account], entries: Iterable[JournalEntry], currency: str
) -> str:
    """The journal in hledger's format, accounts named by their codes.

    Every account is declared with its type. Cancelled entries are left out: hledger knows none.
    Opening and closing entries carry a tag of that name, so that `not:tag:closing` leaves the
    latter out. A memo is one line; a `;` in it, which would begin a comment, is written as `；`.

    Raises:
        ValueError: hledger would read an account's code as something else.
    """
    return "".join(f"{line}\n" for line in _hledger_lines(accounts, entries, currency))


def beancount_ledger(
    accounts: Iterable[Account], entries: Iterable[JournalEntry], currency: str
) -> str:
    """The journal in Beancount's format, accounts named by `beancount_account`.

    Cancelled entries are left out: Beancount knows none. Opening and closing entries carry a tag
    of that name; every entry has its id as a link.

    Raises:
        ValueError: an entry is on an account that is not among `accounts`.
    """
    return "".join(f"{line}\n" for line in _beancount_lines(accounts, entries, currency))


def beancount_account(account: Account) -> str:
    """The account's name in Beancount: its code below a root, such as `Assets:A1110`.

    Beancount takes ASCII letters, digits and `-` in every version; any other character becomes its
    code point between two `-`, so that no two codes share a name.
    """
    code = re.sub("[^A-Za-z0-9]", lambda found: f"-{ord(found[0]):x}-", account.account_code)
    return f"{_BEANCOUNT_ROOTS[_type(account.account_class)]}:A{code}"


def _hledger_lines(
    accounts: Iterable[Account], entries: Iterable[JournalEntry], currency: str
) -> Iterator[str]:
    # The dot makes the mark unambiguous: without it hledger may take "1,000" for one.
    yield f"commodity 1000.{'0' * minor_unit_exponent(currency)} {currency}"
    for account in accounts:
        yield f"account {_name(account.account_code)}  ; type: {_type(account.account_class)}"
    for entry in entries:
        if entry.status is EntryStatus.CANCELLED:
            continue
        memo = _one_line(entry.memo).replace(";", "；")
        tag = "" if entry.kind is EntryKind.NORMAL else f"  ; {entry.kind}:"
        yield ""
        yield f"{entry.posted_on.isoformat()} * ({entry.entry_id}) {memo}{tag}"
        for line in entry.lines:
            amount = from_minor_units(line.amount, currency)
            yield f"    {_name(line.account_code)}  {amount:f} {currency}"


def _beancount_lines(
    accounts: Iterable[Account], entries: Iterable[JournalEntry], currency: str
) -> Iterator[str]:
    names = {account.account_code: beancount_account(account) for account in accounts}
    for name in names.values():
        yield f"{_BEANCOUNT_OPEN_DATE} open {name} {currency}"
    for entry in entries:
        if entry.status is EntryStatus.CANCELLED:
            continue
        memo = _one_line(entry.memo).replace("\\", r"\\").replace('"', r"\"")
        tag = "" if entry.kind is EntryKind.NORMAL else f" #{entry.kind}"
        yield ""
        yield f'{entry.posted_on.isoformat()} * "{memo}"{tag} ^{entry.entry_id}'
        for line in entry.lines:
            if line.account_code not in names:
                raise ValueError(
                    f"entry {entry.entry_id} of {entry.posted_on} is on the account "
                    f"{line.account_code!r}, which is not in the chart"
                )
            amount = from_minor_units(line.amount, currency)
            yield f"  {names[line.account_code]}  {amount:f} {currency}"


def _one_line(memo: str) -> str:
    """A line end would end the entry's head, and what follows would be read as a posting."""
    return " ".join(memo.split())


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
