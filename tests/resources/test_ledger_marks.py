"""The marks by which the ledger itself says where to look: late postings, foreign currency, and
entries that close without saying so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode
from resources.ledger import PostgresLedger
from resources.ledger_repairs import refresh_snapshots
from tests.sample_ledgers import APRIL, sample_database

_WAITING = """
    select count(*) from pg_locks
    where not granted and locktype = 'transactionid'
    """


@pytest.fixture
def url(postgres_server: str) -> str:
    return sample_database(postgres_server)


def post(
    connection: psycopg.Connection, day: str, *lines: tuple[str, int], currency: str = "JPY"
) -> None:
    """An entry of t0001; amounts are debit less credit."""
    connection.execute(
        "insert into ledger.journal_entries values ('t0001', %s, 900001, '', %s)", [day, currency]
    )
    for number, (account_code, amount) in enumerate(lines, start=1):
        connection.execute(
            "insert into ledger.journal_lines values ('t0001', %s, 900001, %s, %s, %s, %s)",
            [day, number, account_code, max(amount, 0), max(-amount, 0)],
        )


def found(url: str) -> list[tuple[FailureCode, str | int | float | None]]:
    _, failures = PostgresLedger(url).extract(APRIL, ["t0001"])
    return [(failure.code, failure.details.get("entry_id")) for failure in failures]


def test_what_is_posted_while_a_month_is_refreshed_is_refreshed_again(url: str) -> None:
    """Otherwise the month would lack the posting for ever, and nobody would know."""
    with psycopg.connect(url, autocommit=True) as poster, psycopg.connect(url) as refresher:
        # An earlier mark stands already, as after any posting.
        post(poster, "2025-02-10", ("1120", 100), ("4110", -100))
        refresher.execute("call ledger.refresh_snapshots(array['t0001'], '2025-02-01')")
        with ThreadPoolExecutor(max_workers=1) as pool:
            posting = pool.submit(
                poster.execute,
                "insert into ledger.journal_entries values"
                " ('t0001', '2025-02-11', 900002, '', 'JPY');"
                "insert into ledger.journal_lines values"
                " ('t0001', '2025-02-11', 900002, 1, '1120', 7, 0),"
                " ('t0001', '2025-02-11', 900002, 2, '4110', 0, 7)",
            )
            while refresher.execute(_WAITING).fetchone() == (0,):
                assert not posting.done(), "the posting did not wait"
            refresher.commit()
            posting.result(timeout=30)
    assert [code for code, _ in found(url)] == [FailureCode.SNAPSHOT_MISMATCH]
    refresh_snapshots(url)
    assert found(url) == []


def test_a_foreign_currency_in_an_earlier_month_is_found(url: str) -> None:
    with psycopg.connect(url) as connection:
        post(connection, "2025-02-10", ("1120", 777), ("4110", -777), currency="USD")
    refresh_snapshots(url)
    assert found(url) == [(FailureCode.CURRENCY_MISMATCH, 900001)]


def test_an_entry_that_was_mended_to_the_companys_currency_is_forgotten(url: str) -> None:
    with psycopg.connect(url) as connection:
        post(connection, "2025-02-10", ("1120", 777), ("4110", -777), currency="USD")
        connection.execute(
            "update ledger.journal_entries set currency = 'JPY' where currency = 'USD'"
            " and tenant_id = 't0001'"
        )
    refresh_snapshots(url)
    assert found(url) == []


def test_books_do_not_change_their_currency(url: str) -> None:
    with (
        psycopg.connect(url) as connection,
        pytest.raises(psycopg.errors.IntegrityError, match="the books of tenant t0001 are kept in"),
    ):
        connection.execute("update ledger.companies set currency = 'USD' where tenant_id = 't0001'")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            [("4110", 30_000), ("3230", -30_000)],
            [(FailureCode.UNFLAGGED_CLOSING_ENTRY, 900001)],
            id="sales to 繰越利益剰余金",
        ),
        pytest.param(
            [("4110", 30_000), ("3220", -30_000)],
            [(FailureCode.UNFLAGGED_CLOSING_ENTRY, 900001)],
            id="sales to 損益, kept among other retained earnings",
        ),
        pytest.param(
            [("3230", 1_000_000), ("6380", 440), ("1120", -1_000_440)],
            [],
            id="a dividend and the bank's fee",
        ),
        pytest.param([("3230", 50_000), ("3210", -50_000)], [], id="an appropriation"),
    ],
)
def test_only_an_entry_that_closes_is_taken_for_a_closing_entry(
    url: str, lines: list[tuple[str, int]], expected: list[tuple[FailureCode, int]]
) -> None:
    with psycopg.connect(url) as connection:
        post(connection, "2025-03-31", *lines)
    refresh_snapshots(url)
    assert found(url) == expected


def test_another_opinion_of_an_account_finds_what_closed_unnoticed(url: str) -> None:
    with psycopg.connect(url) as connection:
        post(connection, "2025-03-31", ("4110", 30_000), ("3110", -30_000))
    refresh_snapshots(url)
    assert found(url) == []
    with psycopg.connect(url) as connection:
        connection.execute(
            "update ledger.accounts set account_class = 'other_retained_earnings'"
            " where tenant_id = 't0001' and account_code = '3110'"
        )
    assert [code for code, _ in found(url)] == [FailureCode.SNAPSHOT_MISMATCH]
    refresh_snapshots(url)
    assert (FailureCode.UNFLAGGED_CLOSING_ENTRY, 900001) in found(url)
