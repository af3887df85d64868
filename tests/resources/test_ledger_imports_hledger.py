"""hledger's CSV: what `hledger print` writes of real journals."""

from __future__ import annotations

import datetime
import textwrap
from pathlib import Path

import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.journal import EntryKind, JournalEntry, JournalLine
from reports_pipeline.accounting.journal_export import hledger_journal
from reports_pipeline.accounting.periods import Month
from resources.ledger_imports.chart_files import ImportedAccount
from resources.ledger_imports.hledger_import import read_hledger_csv
from resources.ledger_imports.ledger_files import LedgerFileError
from resources.ledger_imports.tenant_ledgers import TenantLedger
from resources.ledger_loading import load_ledger
from resources.sample_ledger import SampleScale, sample_ledger
from tests.resources.hledger import hledger_balances, hledger_csv
from tests.resources.stored_ledgers import stored_accounts, stored_balances, stored_entries

CHART = """\
account,account_code,name,account_class
assets:bank,1120,普通預金,cash_and_deposits
assets:cash,1120,普通預金,cash_and_deposits
assets:shares,1710,投資有価証券,investments_and_other_assets
equity:opening,3230,繰越利益剰余金,retained_earnings_brought_forward
income:sales,4110,売上高,net_sales
"""


def test_a_printed_journal_is_read(tmp_path: Path) -> None:
    ledger = read(
        tmp_path,
        """
        commodity ¥1,000.
        2025-04-01 * (12) 開始残高  ; opening:, by: hand
            assets:bank   ¥1,000,000
            equity:opening
        2025-04-02 ! 売上 | 髙﨑商店
            assets:bank   ¥1,234
            assets:cash   ¥0
            income:sales
        """,
        symbol="¥",
    )
    assert ledger.accounts[0] == ImportedAccount("1120", "普通預金", AccountClass.CASH_AND_DEPOSITS)
    assert len(ledger.accounts) == 4
    assert ledger.entries == (
        JournalEntry(
            datetime.date(2025, 4, 1),
            1,
            "開始残高",
            (JournalLine("1120", 1_000_000), JournalLine("3230", -1_000_000)),
            EntryKind.OPENING,
        ),
        JournalEntry(
            datetime.date(2025, 4, 2),
            2,
            "売上 | 髙﨑商店",
            (JournalLine("1120", 1_234), JournalLine("4110", -1_234)),
        ),
    )


def test_costs_are_read_where_hledger_prints_them(tmp_path: Path) -> None:
    journal = """
        2025-04-02 shares
            assets:shares   10 KAISHA @ 500 JPY
            assets:bank
        """
    with pytest.raises(LedgerFileError, match=r"debits - credits = -5000 .*--explicit --cost"):
        read(tmp_path, journal)
    ledger = read(tmp_path, journal, "--explicit", "--cost")
    assert ledger.entries[0].lines == (JournalLine("1710", 5_000), JournalLine("1120", -5_000))


def test_units_that_are_no_money_are_left_out_and_counted(tmp_path: Path) -> None:
    ledger = read(
        tmp_path,
        """
        2025-04-02 overtime
            assets:hours   3 h
            income:hours
        """,
    )
    assert ledger.entries == ()
    assert ledger.left_out == {"h": 2}


@pytest.mark.parametrize(
    ("postings", "problem"),
    [
        (["assets:nowhere  1 JPY", "income:sales"], "2: account 'assets:nowhere' is not"),
        (["assets:bank  1.50 JPY", "income:sales"], "2: 1.50 has more decimals than JPY"),
        (["assets:bank  1.234.567,00 EUR", "income:sales"], "2: an amount in EUR"),
        (["assets:bank  1 JPY", "income:sales", "(assets:cash)  1 JPY"], "4: virtual posting"),
        (["assets:bank  1 JPY", "income:sales", "[assets:cash]  0 JPY"], "4: virtual posting"),
    ],
)  # fmt: skip
def test_a_fault_is_named(tmp_path: Path, postings: list[str], problem: str) -> None:
    journal = "2025-04-02 x\n" + "".join(f"    {posting}\n" for posting in postings)
    with pytest.raises(LedgerFileError) as caught:
        read(tmp_path, journal)
    assert any(
        found.startswith(f"printed.csv:{problem}") for found in str(caught.value).split("\n")
    ), caught.value


def test_a_sample_tenant_has_the_balances_hledger_finds(tmp_path: Path, database_url: str) -> None:
    scale = SampleScale(tenants=3, first_month=Month(2024, 11), months=14, lines_per_month=900)
    load_ledger(database_url, sample_ledger(scale, seed=5), replace=False)
    closed = False
    for tenant_id in ("t0001", "t0002", "t0003"):
        accounts, entries = (
            stored_accounts(database_url, tenant_id),
            stored_entries(database_url, tenant_id),
        )
        closed |= any(entry.kind is EntryKind.CLOSING for entry in entries)
        journal = tmp_path / f"{tenant_id}.journal"
        journal.write_text(hledger_journal(accounts, entries, "JPY"), encoding="utf-8")
        for before in (datetime.date(2025, 4, 1), datetime.date(2026, 1, 1)):
            theirs = hledger_balances(
                journal, "JPY", "--end", before.isoformat(), "not:tag:closing"
            )
            assert stored_balances(database_url, tenant_id, before) == theirs
    assert closed


def read(folder: Path, journal: str, *options: str, symbol: str | None = None) -> TenantLedger:
    """A journal's text, printed by hledger and read as a ledger in yen."""
    files = {name: folder / name for name in ("books.journal", "printed.csv", "chart.csv")}
    files["books.journal"].write_text(textwrap.dedent(journal), encoding="utf-8")
    printed = hledger_csv(files["books.journal"], "print", *options)
    files["printed.csv"].write_text(printed, encoding="utf-8")
    files["chart.csv"].write_text(CHART, encoding="utf-8")
    return read_hledger_csv(
        files["printed.csv"], chart=files["chart.csv"], currency="JPY", symbol=symbol
    )
