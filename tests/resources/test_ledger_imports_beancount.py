"""Beancount files: their balances are those that Beancount and hledger compute independently."""

from __future__ import annotations

import csv
import datetime
import textwrap
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from beancount import loader
from beancount.core import convert, realization
from beancount.core.data import Transaction

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.journal_export import hledger_journal
from resources.ledger_imports.beancount_import import (
    convert_beancount,
    read_beancount,
    round_to_minor_units,
)
from resources.ledger_imports.hledger_import import read_hledger_csv
from resources.ledger_imports.ledger_files import LedgerFileError
from resources.ledger_imports.tenant_ledgers import TenantSettings, import_ledger
from tests.beancount_example import beancount_example
from tests.resources.hledger import (
    hledger_balances,
    hledger_csv,
    hledger_minor_units,
    hledger_rows,
)
from tests.resources.stored_ledgers import stored_accounts, stored_balances, stored_entries

MONTH_ENDS = [datetime.date(2024, 2, 1), datetime.date(2025, 1, 1), datetime.date(2025, 11, 1)]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beancount_example(tmp_path_factory.mktemp("beancount"))


@pytest.fixture
def imported(example: Path, database_url: str) -> str:
    """The URL of a database in which the example is the tenant `household`."""
    ledger = convert_beancount(
        read_beancount(example), currency="USD", cash_accounts=["Assets:US:BofA"]
    )
    import_ledger(database_url, TenantSettings("household", "Household", currency="USD"), ledger)
    return database_url


@pytest.fixture
def exported(imported: str, tmp_path: Path) -> Path:
    """What the database holds of it, as an hledger journal."""
    path = tmp_path / "household.journal"
    accounts, entries = (
        stored_accounts(imported, "household"),
        stored_entries(imported, "household"),
    )
    path.write_text(hledger_journal(accounts, entries, "USD"), encoding="utf-8")
    return path


@pytest.mark.parametrize("before", MONTH_ENDS, ids=str)
def test_balances_are_those_of_beancount(
    example: Path, imported: str, before: datetime.date
) -> None:
    entries, _, _ = loader.load_file(str(example))
    earlier = [e for e in entries if isinstance(e, Transaction) and e.date < before]
    theirs: dict[str, Decimal] = {}
    realized = realization.realize(earlier)  # type: ignore[no-untyped-call]  # Beancount's
    for account in realization.iter_children(realized):  # type: ignore[no-untyped-call]
        position = account.balance.reduce(convert.get_cost).get_currency_units("USD")
        theirs[account.account] = position.number
    # Shares have fractions of cents as their cost; everything else is equal to the cent.
    rounded = Counter(p.account for e in earlier for p in e.postings if p.cost is not None)
    ours = stored_balances(imported, "household", before)
    assert set(ours) <= set(theirs)
    for account, amount in theirs.items():
        difference = abs(ours.get(account, 0) - amount * 100)
        assert difference <= rounded[account] * Decimal("0.5"), account
    assert sum(ours.values()) == 0


@pytest.mark.parametrize("before", MONTH_ENDS, ids=str)
def test_balances_are_those_of_hledger(
    imported: str, exported: Path, before: datetime.date
) -> None:
    theirs = hledger_balances(exported, "USD", "--end", before.isoformat())
    assert stored_balances(imported, "household", before) == theirs


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime.date(2024, 1, 1), datetime.date(2025, 1, 1)),
        (datetime.date(2025, 5, 1), datetime.date(2025, 6, 1)),
    ],
    ids=["a year", "a month"],
)
def test_net_income_is_that_of_beancount_and_hledger(
    example: Path, imported: str, exported: Path, start: datetime.date, end: datetime.date
) -> None:
    until_end, until_start = (stored_balances(imported, "household", day) for day in (end, start))
    classes = {a.account_code: a.account_class for a in stored_accounts(imported, "household")}
    ours = -sum(
        amount - until_start.get(code, 0)
        for code, amount in until_end.items()
        if classes[code].section.in_income_statement
    )
    entries, _, _ = loader.load_file(str(example))
    theirs = [
        posting.units
        for entry in entries
        if isinstance(entry, Transaction) and start <= entry.date < end
        for posting in entry.postings
        if posting.account.startswith(("Income:", "Expenses:")) and posting.units is not None
    ]
    dollars = sum(units.number or 0 for units in theirs if units.currency == "USD")
    assert ours == -dollars * 100
    statement = hledger_rows(
        exported, "incomestatement", "--begin", start.isoformat(), "--end", end.isoformat()
    )
    assert ours == hledger_minor_units(dict(statement)["Net:"], "USD")


def test_what_hledger_prints_comes_back_the_same(
    imported: str, exported: Path, tmp_path: Path
) -> None:
    printed = tmp_path / "printed.csv"
    printed.write_text(hledger_csv(exported, "print"), encoding="utf-8")
    chart = tmp_path / "chart.csv"
    with chart.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["account", "account_code", "name", "account_class"])
        for account in stored_accounts(imported, "household"):
            code = account.account_code
            rows.writerow([code, code, account.name, account.account_class.value])
    ledger = read_hledger_csv(printed, chart=chart, currency="USD")
    import_ledger(imported, TenantSettings("again", "Again", currency="USD"), ledger)
    first, second = (stored_entries(imported, tenant) for tenant in ("household", "again"))
    assert [(e.posted_on, e.memo, e.kind, e.lines) for e in second] == [
        (e.posted_on, e.memo.replace(";", "；"), e.kind, e.lines) for e in first
    ]
    for before in MONTH_ENDS:
        assert stored_balances(imported, "again", before) == stored_balances(
            imported, "household", before
        )


def test_units_that_are_no_money_are_left_out_and_counted(example: Path) -> None:
    ledger = convert_beancount(read_beancount(example), currency="USD")
    assert set(ledger.left_out) == {"IRAUSD", "VACHR"}
    codes = {account.account_code for account in ledger.accounts}
    assert not any("PreTax401k" in code or "Vacation" in code for code in codes)


def test_accounts_are_classed_by_their_roots_and_by_the_chart(tmp_path: Path) -> None:
    chart = tmp_path / "chart.csv"
    chart.write_text(
        "account,account_code,name,account_class\n"
        "Equity:Capital,3110,Capital stock,capital_stock\n",
        encoding="utf-8",
    )
    file = beancount(
        tmp_path,
        """
        2024-01-01 * "Founding"
          Assets:Bank:Giro      1000 USD
          Equity:Capital        -600 USD
          Liabilities:Loan      -400 USD
        2024-01-02 * "First sale"
          Assets:Bankrupt          7 USD
          Expenses:Fees            3 USD
          Income:Sales           -10 USD
        """,
    )
    ledger = convert_beancount(read_beancount(file), currency="USD", chart=chart)
    assert [(a.account_code, a.name, a.account_class) for a in ledger.accounts] == [
        ("3110", "Capital stock", AccountClass.CAPITAL_STOCK),
        ("Assets:Bank:Giro", "Bank:Giro", AccountClass.CASH_AND_DEPOSITS),
        ("Assets:Bankrupt", "Bankrupt", AccountClass.OTHER_CURRENT_ASSETS),
        ("Expenses:Fees", "Fees", AccountClass.SELLING_GENERAL_ADMINISTRATIVE),
        ("Income:Sales", "Sales", AccountClass.NET_SALES),
        ("Liabilities:Loan", "Loan", AccountClass.OTHER_CURRENT_LIABILITIES),
    ]


def test_opening_and_closing_entries_are_known(tmp_path: Path) -> None:
    file = beancount(
        tmp_path,
        """
        2023-12-31 pad Assets:Cash Equity:Opening-Balances
        2024-01-01 balance Assets:Cash 100 USD
        2024-01-02 * "Stock brought in" #opening
          Assets:Stock     5 USD
          Equity:Capital  -5 USD
        2024-01-03 * "Sale"
          Assets:Cash      7 USD
          Income:Sales    -7 USD
        2024-12-31 * "Closing" #closing
          Income:Sales     7 USD
          Equity:Earnings -7 USD
        """,
    )
    ledger = convert_beancount(read_beancount(file), currency="USD")
    assert [(entry.kind, entry.lines[0].amount) for entry in ledger.entries] == [
        (EntryKind.OPENING, 10000),
        (EntryKind.OPENING, 500),
        (EntryKind.NORMAL, 700),
        (EntryKind.CLOSING, 700),
    ]


def test_fractions_of_cents_leave_entries_balanced() -> None:
    third = Decimal("0.335")
    assert sum(round_to_minor_units([third, third, third, Decimal("-1.005")], "USD")) == 0
    assert round_to_minor_units([Decimal("479.99985"), Decimal(-480)], "USD") == [48000, -48000]
    assert round_to_minor_units([Decimal("0.4"), Decimal("0.4"), Decimal("-0.8")], "JPY") in (
        [1, 0, -1],
        [0, 1, -1],
    )


def test_more_than_fractions_is_no_rounding() -> None:
    with pytest.raises(ValueError, match="off by 2 minor units"):
        round_to_minor_units([Decimal("1.00"), Decimal("-0.98")], "USD")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            """
            2024-01-02 * "Unbalanced"
              Assets:Cash   7 USD
              Income:Sales -6 USD
            """,
            "books.beancount:14: Transaction does not balance",
        ),
        (
            """
            2024-01-02 * "Other money, unpriced"
              Assets:Euros   7 EUR
              Income:Euros  -7 EUR
            """,
            "books.beancount:15: an amount in EUR: it needs a cost or price in USD",
        ),
        (
            """
            2024-01-02 * "Hours among dollars"
              Assets:Cash    7 HOURS
              Income:Hours  -7 HOURS
            2024-01-03 * "Dollars"
              Assets:Cash    7 USD
              Income:Sales  -7 USD
            """,
            "books.beancount:15: HOURS on Assets:Cash, which is kept in USD",
        ),
        (
            """
            1905-01-02 * "Typing error"
              Assets:Cash   7 USD
              Income:Sales -7 USD
            """,
            "books.beancount:14: 1905-01-02 is not between",
        ),
        (
            """
            2024-01-02 * "Unopened account"
              Assets:Nowhere   7 USD
              Income:Sales -7 USD
            """,
            "books.beancount:14: Invalid reference to unknown account",
        ),
        ('plugin "os.path"', "books.beancount:0: plugins that are not Beancount's own: os.path"),
        ("2024-01-02 * broken", "books.beancount:14: "),
    ],
)
def test_a_fault_refuses_the_file(tmp_path: Path, text: str, problem: str) -> None:
    file = beancount(tmp_path, text)
    with pytest.raises(LedgerFileError) as caught:
        convert_beancount(read_beancount(file), currency="USD")
    assert any(found.startswith(problem) for found in str(caught.value).split("\n")), caught.value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("; 高崎".encode("shift_jis"), "not UTF-8"),
        ("; 高崎".encode("utf-8-sig"), "Beancount reads no byte order mark"),
    ],
)
def test_other_encodings_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "books.beancount"
    file.write_bytes(content)
    with pytest.raises(LedgerFileError, match=f"books.beancount:1: {reason}"):
        read_beancount(file)


def beancount(folder: Path, text: str) -> Path:
    """A file whose accounts are open; `text` begins on line 14."""
    names = [
        "Assets:Bank:Giro", "Assets:Bankrupt", "Assets:Cash", "Assets:Euros", "Assets:Stock",
        "Equity:Capital", "Equity:Earnings", "Equity:Opening-Balances", "Expenses:Fees",
        "Income:Euros", "Income:Hours", "Income:Sales", "Liabilities:Loan",
    ]  # fmt: skip
    opened = "".join(f"1900-01-01 open {name}\n" for name in names)
    file = folder / "books.beancount"
    file.write_text(opened + textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return file
