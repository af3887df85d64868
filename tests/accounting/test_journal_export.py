"""Journals as other programs read them."""

from __future__ import annotations

import datetime

import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry, JournalLine
from reports_pipeline.accounting.journal_export import (
    beancount_account,
    beancount_ledger,
    hledger_journal,
)

DAY = datetime.date(2025, 4, 1)


def test_accounts_are_declared_with_their_types() -> None:
    types = {
        "C": AccountClass.CASH_AND_DEPOSITS,
        "A": AccountClass.ACCUMULATED_DEPRECIATION,
        "L": AccountClass.INCOME_TAXES_PAYABLE,
        "E": AccountClass.TREASURY_STOCK,
        "R": AccountClass.SALES_DEDUCTIONS,
        "X": AccountClass.INCOME_TAXES,
    }
    accounts = [Account(f"no. {letter}", "", kind) for letter, kind in types.items()]
    assert hledger_journal(accounts, [], "JPY").splitlines() == [
        "commodity 1000. JPY",
        *(f"account no. {letter}  ; type: {letter}" for letter in types),
    ]


def test_entries_have_amounts_in_the_main_unit() -> None:
    lines = (JournalLine("1120", 123_450), JournalLine("4110", -123_450))
    entry = JournalEntry(DAY, 7, "売上; 値引後", lines)
    assert hledger_journal([], [entry], "USD") == (
        "commodity 1000.00 USD\n"
        "\n"
        "2025-04-01 * (7) 売上； 値引後\n"
        "    1120  1234.50 USD\n"
        "    4110  -1234.50 USD\n"
    )


def test_opening_and_closing_entries_are_tagged_and_cancelled_ones_left_out() -> None:
    lines = (JournalLine("1120", 1), JournalLine("3110", -1))
    entries = [
        JournalEntry(DAY, 1, "opening", lines, EntryKind.OPENING),
        JournalEntry(DAY, 2, "closing", lines, EntryKind.CLOSING),
        JournalEntry(DAY, 3, "cancelled", lines, status=EntryStatus.CANCELLED),
    ]
    text = hledger_journal([], entries, "JPY")
    assert "2025-04-01 * (1) opening  ; opening:\n" in text
    assert "2025-04-01 * (2) closing  ; closing:\n" in text
    assert "cancelled" not in text


@pytest.mark.parametrize("code", ["", " 1", "1  2", "(1)", "[1]", "1;2", "*1", "1\t2"])
def test_codes_that_mean_something_else_to_hledger_are_refused(code: str) -> None:
    with pytest.raises(ValueError, match="hledger cannot read the account code"):
        hledger_journal([Account(code, "x", AccountClass.NET_SALES)], [], "JPY")


def test_a_memo_cannot_become_a_posting() -> None:
    lines = (JournalLine("1120", 1), JournalLine("4110", -1))
    entry = JournalEntry(DAY, 1, "sale\n    1120  99 JPY", lines)
    assert "\n2025-04-01 * (1) sale 1120 99 JPY\n" in hledger_journal([], [entry], "JPY")


CHART = [
    Account("1120", "普通預金", AccountClass.CASH_AND_DEPOSITS),
    Account("4110", "売上高", AccountClass.NET_SALES),
]


def test_beancount_reads_accounts_below_its_roots_and_amounts_in_the_main_unit() -> None:
    lines = (JournalLine("1120", 123_450), JournalLine("4110", -123_450))
    entry = JournalEntry(DAY, 7, '売上 "A"\n\\', lines)
    assert beancount_ledger(CHART, [entry], "KWD") == (
        "1900-01-01 open Assets:A1120 KWD\n"
        "1900-01-01 open Income:A4110 KWD\n"
        "\n"
        '2025-04-01 * "売上 \\"A\\" \\\\" ^7\n'
        "  Assets:A1120  123.450 KWD\n"
        "  Income:A4110  -123.450 KWD\n"
    )


def test_beancount_is_told_of_opening_and_closing_entries_and_not_of_cancelled_ones() -> None:
    lines = (JournalLine("1120", 1), JournalLine("4110", -1))
    entries = [
        JournalEntry(DAY, 1, "first", lines, EntryKind.OPENING),
        JournalEntry(DAY, 2, "last", lines, EntryKind.CLOSING),
        JournalEntry(DAY, 3, "cancelled", lines, status=EntryStatus.CANCELLED),
    ]
    text = beancount_ledger(CHART, entries, "JPY")
    assert '2025-04-01 * "first" #opening ^1\n' in text
    assert '2025-04-01 * "last" #closing ^2\n' in text
    assert "cancelled" not in text


def test_names_in_beancount_are_ascii_and_distinct() -> None:
    codes = ["1110", "現金", "a:b", "a-3a-b", "A b", "Ab", ""]
    names = [beancount_account(Account(code, "", AccountClass.INVENTORIES)) for code in codes]
    assert names[:3] == ["Assets:A1110", "Assets:A-73fe--91d1-", "Assets:Aa-3a-b"]
    assert len(set(names)) == len(codes)
    assert all(name.isascii() for name in names)


def test_an_account_outside_the_chart_has_no_name_in_beancount() -> None:
    entry = JournalEntry(DAY, 7, "", (JournalLine("9999", 1), JournalLine("1120", -1)))
    with pytest.raises(ValueError, match="entry 7 of 2025-04-01 is on the account '9999'"):
        beancount_ledger(CHART, [entry], "JPY")
