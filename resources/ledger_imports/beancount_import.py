"""Ledgers in Beancount's format, read by Beancount itself.

A file that Beancount finds an error in is refused. Postings count with their weight: what they
cost in the tenant's currency, so that shares stand at cost, as they do in the books of a Japanese
company. Pad directives are the entries Beancount makes of them.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from beancount import loader
from beancount.core import convert
from beancount.core.account import join, sans_root
from beancount.core.account_types import AccountTypes, get_account_type
from beancount.core.data import Transaction
from beancount.parser import parser

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.journal import EntryKind, JournalEntry, JournalLine
from reports_pipeline.accounting.money import minor_unit_exponent
from resources.ledger_imports.chart_files import ImportedAccount, distinct, read_mapping
from resources.ledger_imports.commodities import ForeignPostings, Posting
from resources.ledger_imports.ledger_files import (
    LedgerFileError,
    Problem,
    Problems,
    check_amount,
    check_day,
    read_text,
    text_fault,
)
from resources.ledger_imports.tenant_ledgers import TenantLedger

DEFAULT_CASH_ACCOUNTS = ("Assets:Cash", "Assets:Bank")


@dataclass(frozen=True)
class BeancountFile:
    """What Beancount has read without an error."""

    name: str
    title: str
    operating_currencies: tuple[str, ...]
    transactions: tuple[Transaction, ...]
    account_types: AccountTypes
    opening_account: str  # the counterpart of what is brought into the books


def read_beancount(path: Path) -> BeancountFile:
    """Load a file and those it includes.

    Only Beancount's own plugins are let in: naming a plugin runs its code.

    Raises:
        LedgerFileError: Beancount finds errors, or a file is not UTF-8.
    """
    read_text(path)
    if path.read_bytes().startswith(codecs.BOM_UTF8):
        reason = "Beancount reads no byte order mark; save the file without one"
        raise LedgerFileError([Problem(path.name, 1, reason)])
    _, _, parsed_options = parser.parse_file(str(path))
    foreign = [
        name for name, _ in parsed_options["plugin"] if not name.startswith("beancount.plugins.")
    ]
    if foreign:
        reason = f"plugins that are not Beancount's own: {', '.join(foreign)}"
        raise LedgerFileError([Problem(path.name, 0, reason)])
    entries, errors, read_options = loader.load_file(str(path.absolute()))
    if errors:
        raise LedgerFileError([_problem(error.source, error.message) for error in errors])
    for included in read_options["include"]:
        read_text(Path(included))
    types = AccountTypes(
        *(
            read_options[f"name_{root}"]
            for root in ("assets", "liabilities", "equity", "income", "expenses")
        )
    )
    return BeancountFile(
        name=path.name,
        title=read_options["title"],
        operating_currencies=tuple(read_options["operating_currency"]),
        transactions=tuple(entry for entry in entries if isinstance(entry, Transaction)),
        account_types=types,
        opening_account=join(types.equity, read_options["account_previous_balances"]),
    )


def convert_beancount(
    file: BeancountFile,
    *,
    currency: str,
    cash_accounts: Sequence[str] = DEFAULT_CASH_ACCOUNTS,
    chart: Path | None = None,
) -> TenantLedger:
    """The tenant's ledger in `currency`.

    An account keeps its name as its code and gets a class by its root, cash by a prefix among
    `cash_accounts`; rows of `chart` say otherwise. Transactions against the opening account
    (`Equity:Opening-Balances`) are opening entries, as are those tagged #opening; those tagged
    #closing are closing entries.

    Raises:
        LedgerFileError: an entry cannot stand in the tenant's books.
    """
    problems = Problems()
    mapping = read_mapping(chart, problems) if chart else {}
    postings = {id(entry): _postings(entry) for entry in file.transactions}
    foreign = ForeignPostings(
        currency, (posting for group in postings.values() for posting in group), problems
    )
    accounts: dict[str, ImportedAccount] = {}
    entries: list[JournalEntry] = []
    for entry in file.transactions:
        kept = foreign.without(postings[id(entry)])
        for posting in kept:
            if posting.account not in accounts:
                accounts[posting.account] = mapping.get(posting.account) or _default_account(
                    posting.account, file, cash_accounts
                )
        converted = _entry(entry, len(entries) + 1, kept, accounts, file, currency, problems)
        if converted is not None:
            entries.append(converted)
    problems.raise_if_any()
    return TenantLedger(
        distinct(accounts.values()), tuple(entries), left_out=dict(foreign.left_out)
    )


def _postings(entry: Transaction) -> list[Posting]:
    postings = []
    for posting in entry.postings:
        # Beancount annotates this function in part.
        weight = convert.get_weight(posting)  # type: ignore[no-untyped-call]
        problem = _problem(posting.meta or entry.meta, "")
        postings.append(
            Posting(problem.file, problem.line, posting.account, weight.number, weight.currency)
        )
    return postings


def _entry(
    entry: Transaction,
    entry_id: int,
    postings: Sequence[Posting],
    accounts: Mapping[str, ImportedAccount],
    file: BeancountFile,
    currency: str,
    problems: Problems,
) -> JournalEntry | None:
    """The entry in minor units; None if nothing of it is in the tenant's currency."""
    memo = " ".join(" ".join(filter(None, [entry.payee, entry.narration])).split())
    place = _problem(entry.meta, "")
    try:
        check_day(entry.date)
        amounts = round_to_minor_units([posting.amount for posting in postings], currency)
        for amount in amounts:
            check_amount(amount)
        if fault := text_fault(memo):
            raise ValueError(fault)
    except ValueError as error:
        problems.add(place.file, place.line, str(error))
        return None
    kind = EntryKind.NORMAL
    if "closing" in entry.tags:
        kind = EntryKind.CLOSING
    elif "opening" in entry.tags or any(p.account == file.opening_account for p in postings):
        kind = EntryKind.OPENING
    lines = tuple(
        JournalLine(accounts[posting.account].account_code, amount)
        for posting, amount in zip(postings, amounts, strict=True)
        if amount
    )
    return JournalEntry(entry.date, entry_id, memo, lines, kind) if lines else None


def round_to_minor_units(amounts: Sequence[Decimal], currency: str) -> list[int]:
    """An entry's amounts as integers that still balance.

    Weights such as 15.311 shares at 31.35 have more decimals than the currency, and Beancount
    lets an entry be off by half a unit. Each is rounded to the nearest unit; what is over then is
    taken from the amounts that were rounded furthest the other way.

    Raises:
        ValueError: more is over than rounding explains.
    """
    exact = [amount.scaleb(minor_unit_exponent(currency)) for amount in amounts]
    rounded = [int(amount.to_integral_value(ROUND_HALF_EVEN)) for amount in exact]
    over = sum(rounded)
    step = 1 if over > 0 else -1
    # How far each was rounded in the direction of what is over.
    furthest = sorted(
        (index for index in range(len(exact)) if exact[index] != rounded[index]),
        key=lambda index: (rounded[index] - exact[index]) * step,
        reverse=True,
    )
    if abs(over) > len(furthest):
        raise ValueError(f"the entry is off by {over} minor units of {currency}")
    for index in furthest[: abs(over)]:
        rounded[index] -= step
    return rounded


def _default_account(
    name: str, file: BeancountFile, cash_accounts: Iterable[str]
) -> ImportedAccount:
    types = file.account_types
    # Net worth brought into the books has been earned, as far as anybody knows: capital stock is
    # a registered amount (会社法 第911条), which only a chart can state.
    account_class = {
        types.assets: AccountClass.OTHER_CURRENT_ASSETS,
        types.liabilities: AccountClass.OTHER_CURRENT_LIABILITIES,
        types.equity: AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD,
        types.income: AccountClass.NET_SALES,
        types.expenses: AccountClass.SELLING_GENERAL_ADMINISTRATIVE,
    }[get_account_type(name)]
    if any(name == prefix or name.startswith(f"{prefix}:") for prefix in cash_accounts):
        account_class = AccountClass.CASH_AND_DEPOSITS
    return ImportedAccount(name, sans_root(name) or name, account_class)


def _problem(source: Mapping[str, Any], message: str) -> Problem:
    return Problem(Path(source["filename"]).name, source["lineno"], message)
