"""A tenant's journal as it stands in the database, entry by entry."""

from __future__ import annotations

import datetime

import psycopg
import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry, JournalLine
from reports_pipeline.accounting.periods import Month
from resources import journal
from resources.journal import Journals
from resources.ledger_imports.chart_files import ImportedAccount
from resources.ledger_imports.tenant_ledgers import TenantLedger, TenantSettings, import_ledger
from resources.transient_errors import TRANSIENT_ERRORS

CHART = (
    Account("1110", "現金", AccountClass.CASH_AND_DEPOSITS),
    Account("4110", "売上高", AccountClass.NET_SALES),
)
FOREVER = datetime.date(9999, 12, 31)


def entry(
    day: str,
    entry_id: int,
    amount: int,
    kind: EntryKind = EntryKind.NORMAL,
    status: EntryStatus = EntryStatus.POSTED,
) -> JournalEntry:
    lines = (JournalLine("4110", -amount), JournalLine("1110", amount))
    posted_on = datetime.date.fromisoformat(day)
    return JournalEntry(posted_on, entry_id, f"売上 {entry_id}", lines, kind, status)


ENTRIES = (
    entry("2025-03-31", 9, 5, kind=EntryKind.OPENING),
    entry("2025-04-01", 2, 7),
    entry("2025-04-30", 1, 11, status=EntryStatus.CANCELLED),
    entry("2025-05-01", 1, 13, kind=EntryKind.CLOSING),
)


@pytest.fixture
def url(database_url: str) -> str:
    """A database with the entries above, stored in another order, and another tenant's."""
    for tenant_id in ("aoba", "other"):
        ledger = TenantLedger(tuple(map(ImportedAccount.of, CHART)), ENTRIES[::-1])
        import_ledger(database_url, TenantSettings(tenant_id, tenant_id), ledger)
    return database_url


def test_entries_come_by_day_with_their_lines_in_order(url: str) -> None:
    assert list(Journals(url).entries("aoba", before=FOREVER)) == list(ENTRIES)


def test_entries_from_the_day_on_are_left_out(url: str) -> None:
    before_may = Journals(url).entries("aoba", before=datetime.date(2025, 5, 1))
    assert list(before_may) == list(ENTRIES[:3])


def test_nobody_has_no_entries(url: str) -> None:
    assert list(Journals(url).entries("nobody", before=FOREVER)) == []


@pytest.mark.parametrize("change", ["kind = 'opening'", "status = 'cancelled'"])
def test_a_line_that_disagrees_with_its_entry_is_in_none(url: str, change: str) -> None:
    with psycopg.connect(url) as connection:
        # a trigger refuses it, but for what is replicated
        connection.execute("set session_replication_role = replica")
        connection.execute(
            f"update ledger.journal_lines set {change}"
            " where tenant_id = 'aoba' and posted_on = '2025-04-01' and line_no = 2"
        )
    [found] = [e for e in Journals(url).entries("aoba", before=FOREVER) if e.entry_id == 2]
    assert found.lines == (JournalLine("4110", -7),)


@pytest.mark.parametrize("account_class", ["'mystery'", "null"])
def test_the_chart_is_what_statements_know_of_it(url: str, account_class: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            f"insert into ledger.accounts values ('aoba', '9999', '謎', {account_class})"
        )
    assert Journals(url).accounts("aoba", Month(2025, 5)) == list(CHART)


def test_an_account_is_what_it_is_mapped_to_in_the_month(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("insert into ledger.accounts values ('aoba', '8888', '雑費', null)")
        connection.execute(
            """
            insert into ledger.account_mappings
                (tenant_id, account_code, first_month, account_class, mapped_by)
            values ('aoba', '8888', '2025-04-01', 'non_operating_expenses', 'yamada'),
                   ('aoba', '8888', '2025-06-01', 'selling_general_administrative', 'yamada')
            """
        )

    def mapped(month: Month) -> list[AccountClass]:
        accounts = Journals(url).accounts("aoba", month)
        return [a.account_class for a in accounts if a.account_code == "8888"]

    assert mapped(Month(2025, 3)) == []
    assert mapped(Month(2025, 4)) == [AccountClass.NON_OPERATING_EXPENSES]
    assert mapped(Month(2025, 5)) == [AccountClass.NON_OPERATING_EXPENSES]
    assert mapped(Month(2025, 6)) == [AccountClass.SELLING_GENERAL_ADMINISTRATIVE]


def test_a_journal_is_longer_than_the_entries_before_a_day_are_many(url: str) -> None:
    journals = Journals(url)
    assert journals.is_longer("aoba", 3, before=FOREVER)
    assert not journals.is_longer("aoba", 4, before=FOREVER)
    assert not journals.is_longer("aoba", 3, before=datetime.date(2025, 5, 1))
    assert not journals.is_longer("nobody", 0, before=FOREVER)


def test_who_waits_for_a_lock_gives_up_and_may_try_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_SECONDS_FOR_A_LOCK", 0.1)
    journals = Journals(url)
    with psycopg.connect(url) as connection:
        connection.execute("lock table ledger.journal_entries, ledger.accounts")
        for ask in (
            lambda: journals.accounts("aoba", Month(2025, 4)),
            lambda: journals.is_longer("aoba", 1, before=FOREVER),
            lambda: next(journals.entries("aoba", before=FOREVER)),
        ):
            with pytest.raises(TRANSIENT_ERRORS, match="lock timeout"):
                ask()
