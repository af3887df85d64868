"""A tenant's journal as it stands in the database, entry by entry."""

from __future__ import annotations

import datetime

import psycopg
import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry, JournalLine
from resources.journal import Journals
from resources.ledger_imports.tenant_ledgers import TenantLedger, TenantSettings, import_ledger

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
        ledger = TenantLedger(CHART, ENTRIES[::-1])
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
        connection.execute(
            f"update ledger.journal_lines set {change}"
            " where tenant_id = 'aoba' and posted_on = '2025-04-01' and line_no = 2"
        )
    [found] = [e for e in Journals(url).entries("aoba", before=FOREVER) if e.entry_id == 2]
    assert found.lines == (JournalLine("4110", -7),)


def test_the_chart_is_what_statements_know_of_it(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("insert into ledger.accounts values ('aoba', '9999', '謎', 'mystery')")
    assert Journals(url).accounts("aoba") == list(CHART)
