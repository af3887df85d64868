"""A ledger nobody here wrote, from import to mail: Beancount's own example as a USD tenant."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from beancount import loader
from beancount.core.data import Transaction

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.journal_export import hledger_journal
from reports_pipeline.accounting.reports import StatementKind
from tests.beancount_example import beancount_example
from tests.end_to_end.stored import amount, attachments, read_mail, stored_reports
from tests.end_to_end.system import MONTH, System, new_system
from tests.resources.hledger import hledger_balances, hledger_minor_units, hledger_rows
from tests.resources.stored_ledgers import stored_accounts, stored_entries

TENANT = "household"
_BROUGHT_FORWARD = AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beancount_example(tmp_path_factory.mktemp("beancount"))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, example: Path) -> Iterator[System]:
    """A system in which dagster's own command has made the tenant's month."""
    with new_system(tmp_path_factory.mktemp("beancount-tenant")) as system:
        system.reports(
            "ledger", "import", "beancount", str(example), "--tenant", TENANT,
            "--name", "Example Household", "--language", "en", "--cash-account",
            "Assets:US:BofA", "--fiscal-year-start-month", "1",
            "--consumption-tax-basis", "none",
            "--contact", "Jo Doe <jo@example.com>", "--close-through", MONTH,
        )  # fmt: skip
        system.reports(
            "exec", "--", sys.executable, "-m", "dagster", "asset", "materialize",
            "-m", "reports_pipeline.definitions", "--select", "*",
            "--partition", f"{MONTH}|{TENANT}",
        )  # fmt: skip
        yield system


def test_its_month_runs_to_mail(system: System) -> None:
    [path] = system.mails()
    mail = read_mail(path)
    assert mail["To"] == "Jo Doe <jo@example.com>"
    assert "October 2025" in mail["Subject"]
    assert len(attachments(mail)) == 7


def test_net_profit_is_beancounts(system: System, example: Path) -> None:
    entries, _, _ = loader.load_file(str(example))
    income = sum(
        posting.units.number or 0
        for entry in entries
        if isinstance(entry, Transaction) and str(entry.date).startswith(MONTH)
        for posting in entry.postings
        if posting.units is not None
        and posting.units.currency == "USD"
        and posting.account.startswith(("Income:", "Expenses:"))
    )
    reports = stored_reports(system.home, MONTH)[TENANT]
    assert amount(reports, StatementKind.INCOME_STATEMENT, "net_profit") == -income * 100


def test_every_balance_and_net_profit_are_hledgers(system: System, tmp_path: Path) -> None:
    with system.database() as url:
        accounts, entries = stored_accounts(url, TENANT), stored_entries(url, TENANT)
    journal = tmp_path / "household.journal"
    journal.write_text(hledger_journal(accounts, entries, "USD"), encoding="utf-8")
    reports = stored_reports(system.home, MONTH)[TENANT]

    period = ["--begin", "2025-10-01", "--end", "2025-11-01"]
    income = dict(hledger_rows(journal, "incomestatement", *period))
    ours = amount(reports, StatementKind.INCOME_STATEMENT, "net_profit")
    assert ours == hledger_minor_units(income["Net:"], "USD")

    theirs = hledger_balances(journal, "USD", "--end", "2025-11-01")
    shown = {
        line.key.removeprefix("account:"): line.current
        for line in reports.statement(StatementKind.BALANCE_SHEET).lines
        if line.key.startswith("account:")
    }
    for account in accounts:
        section = account.account_class.section
        # all accounts of this class are one line of the balance sheet, with past profits
        if section.in_income_statement or account.account_class is _BROUGHT_FORWARD:
            continue
        balance = theirs.get(account.account_code, 0) * section.side.value
        assert shown.pop(account.account_code, 0) == balance, account.account_code
    assert shown == {}
