"""A month as it is extracted is a month as its lines say, and what is wrong has its tenant."""

from __future__ import annotations

import pandas as pd
import psycopg
import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.ledger import EXTRACT_TABLES, LedgerExtract
from reports_pipeline.accounting.periods import Month
from resources.ledger import PostgresLedger
from tests.sample_ledgers import APRIL, TENANTS, sample_database, sample_tables


@pytest.fixture(scope="module")
def sound_url(postgres_server: str) -> str:
    """A ledger that no test changes."""
    return sample_database(postgres_server)


@pytest.fixture(scope="module")
def extract(sound_url: str) -> LedgerExtract:
    extract, failures = PostgresLedger(sound_url).extract(APRIL, TENANTS)
    assert failures == []
    return extract


@pytest.fixture
def url(postgres_server: str) -> str:
    """A ledger of the test's own."""
    return sample_database(postgres_server)


@pytest.fixture(scope="module")
def posted_lines() -> pd.DataFrame:
    """The sample's posted lines, with `month` as Month.ordinal."""
    lines: pd.DataFrame = sample_tables()["journal_lines"].to_pandas()
    lines = lines[lines["status"] == "posted"]
    return lines.assign(month=[Month.of(day).ordinal for day in lines["posted_on"]])


def change(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        assert connection.execute(statement).rowcount == 1


def test_the_companies_are_as_registered(extract: LedgerExtract) -> None:
    expected = sample_tables()["companies"].to_pandas().assign(closed=True)
    pd.testing.assert_frame_equal(extract.companies, _as_contracted(expected, "companies"))


def test_the_charts_are_the_companies_own(extract: LedgerExtract) -> None:
    expected = sample_tables()["accounts"].to_pandas()
    pd.testing.assert_frame_equal(extract.accounts, _as_contracted(expected, "accounts"))


def test_movements_are_the_sums_of_posted_lines(
    extract: LedgerExtract, posted_lines: pd.DataFrame
) -> None:
    closing = posted_lines["kind"] == "closing"
    opening = posted_lines["kind"] == "opening"
    assert closing.any()
    assert opening.any()
    parts = posted_lines.assign(
        closing_debit=posted_lines["debit"].where(closing, 0),
        closing_credit=posted_lines["credit"].where(closing, 0),
        opening_debit=posted_lines["debit"].where(opening, 0),
        opening_credit=posted_lines["credit"].where(opening, 0),
        debit=posted_lines["debit"].where(~closing, 0),
        credit=posted_lines["credit"].where(~closing, 0),
    )
    sums = parts.groupby(["tenant_id", "account_code", "month"], as_index=False).sum(
        numeric_only=True
    )
    pd.testing.assert_frame_equal(extract.movements, _as_contracted(sums, "movements"))


def test_cash_flows_are_the_counterparts_of_cash(
    extract: LedgerExtract, posted_lines: pd.DataFrame
) -> None:
    accounts = sample_tables()["accounts"].to_pandas()
    lines = posted_lines[posted_lines["kind"] == "normal"].merge(
        accounts[["tenant_id", "account_code", "account_class"]]
    )
    is_cash = lines["account_class"] == AccountClass.CASH_AND_DEPOSITS.value
    entry = ["tenant_id", "posted_on", "entry_id"]
    counterparts = lines[~is_cash].merge(lines.loc[is_cash, entry].drop_duplicates())
    sums = (
        counterparts.rename(columns={"credit": "inflow", "debit": "outflow"})
        .groupby(["tenant_id", "account_code", "month"], as_index=False)
        .sum(numeric_only=True)
    )
    pd.testing.assert_frame_equal(extract.cash_flows, _as_contracted(sums, "cash_flows"))


def test_claims_are_those_of_the_month(extract: LedgerExtract) -> None:
    claims = sample_tables()["expense_claims"].to_pandas()
    of_april = claims[[Month.of(day) == APRIL for day in claims["incurred_on"]]]
    of_april = of_april.assign(incurred_on=[day.isoformat() for day in of_april["incurred_on"]])
    expected = of_april.sort_values(["tenant_id", "incurred_on", "claim_id"], ignore_index=True)
    pd.testing.assert_frame_equal(extract.claims, _as_contracted(expected, "claims"))


def test_later_months_are_not_seen(sound_url: str, posted_lines: pd.DataFrame) -> None:
    march = APRIL.plus(-1)
    extract, failures = PostgresLedger(sound_url).extract(march, TENANTS)
    assert failures == []
    assert extract.movements["month"].max() == march.ordinal
    assert extract.cash_flows["month"].max() == march.ordinal
    assert extract.claims["incurred_on"].str.startswith("2025-03").all()
    lines = posted_lines[posted_lines["month"] <= march.ordinal]
    movements = extract.movements
    debit = movements["debit"] + movements["closing_debit"]
    assert debit.groupby(movements["tenant_id"]).sum().to_dict() == (
        lines.groupby("tenant_id")["debit"].sum().to_dict()
    )


def test_a_trend_begins_a_year_before(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into ledger.balance_snapshots"
            " select 't0001', month, '4110', 0, 7, 0, 0, 0, 0, 7, 0"
            " from unnest(array[date '2024-03-01', '2024-04-01']) as month"
        )
    extract, _ = PostgresLedger(url).extract(APRIL, ["t0001"])
    assert extract.cash_flows["month"].min() == APRIL.plus(-12).ordinal


def test_the_dtypes_are_the_contracts_even_without_a_row(sound_url: str) -> None:
    extract, failures = PostgresLedger(sound_url).extract(APRIL, ["nobody"])
    assert [failure.code for failure in failures] == [FailureCode.UNKNOWN_TENANT]
    for name in EXTRACT_TABLES:
        table: pd.DataFrame = getattr(extract, name)
        assert table.empty
        pd.testing.assert_frame_equal(table, _as_contracted(table, name))


def test_a_month_that_is_not_closed_is_provisional(url: str) -> None:
    change(
        url,
        "delete from ledger.month_closings where tenant_id = 't0003' and month = '2025-04-01'",
    )
    extract, failures = PostgresLedger(url).extract(APRIL, TENANTS)
    assert failures == []
    closed = extract.companies.set_index("tenant_id")["closed"]
    assert closed.to_dict() == {tenant_id: tenant_id != "t0003" for tenant_id in TENANTS}


_ONE_DEBIT = """
    (tenant_id, posted_on, entry_id, line_no) = (
        select tenant_id, posted_on, entry_id, line_no from ledger.journal_lines
        where tenant_id = 't0003' and posted_on >= '2025-04-01' and debit > 0
        order by posted_on, entry_id, line_no limit 1)
"""


def test_an_entry_that_does_not_balance_is_found(url: str, extract: LedgerExtract) -> None:
    change(url, f"update ledger.journal_lines set debit = debit + 30 where {_ONE_DEBIT}")
    failures = others_are_as_before(url, extract, without="t0003")
    assert [failure.code for failure in failures] == [
        FailureCode.LEDGER_IMBALANCE,
        FailureCode.SNAPSHOT_MISMATCH,  # the snapshot still has the line as it was
    ]
    with psycopg.connect(url) as connection:
        entry = connection.execute(
            f"""
            select entry_id, posted_on::text, sum(debit)::bigint, sum(credit)::bigint
            from ledger.journal_lines
            where (tenant_id, posted_on, entry_id) =
                (select tenant_id, posted_on, entry_id from ledger.journal_lines where {_ONE_DEBIT})
            group by entry_id, posted_on
            """
        ).fetchone()
    assert entry is not None
    entry_id, posted_on, debit, credit = entry
    assert failures[0].details == {
        "entry_id": entry_id,
        "posted_on": posted_on,
        "debit": debit,
        "credit": credit,
        "difference": 30,
        "entries": 1,
    }


def test_every_entry_that_does_not_balance_is_counted(url: str) -> None:
    with psycopg.connect(url) as connection:
        cash = connection.execute(
            "update ledger.journal_lines set debit = debit + 1"
            " where tenant_id = 't0003' and posted_on >= '2025-04-01' and status = 'posted'"
            " and line_no = 1 and debit > 0 returning entry_id"
        ).fetchall()
    assert len(cash) > 1
    _, failures = PostgresLedger(url).extract(APRIL, ["t0003"])
    [imbalance] = [f for f in failures if f.code is FailureCode.LEDGER_IMBALANCE]
    assert imbalance.details["entries"] == len(cash)


def test_a_cancelled_entry_need_not_balance(url: str, extract: LedgerExtract) -> None:
    change(
        url,
        """
        update ledger.journal_lines set debit = debit + 30
        where (tenant_id, posted_on, entry_id, line_no) = (
            select tenant_id, posted_on, entry_id, line_no from ledger.journal_lines
            where status = 'cancelled' and posted_on >= '2025-04-01' and debit > 0 limit 1)
        """,
    )
    assert others_are_as_before(url, extract, without="t0001") == []


def test_a_foreign_currency_is_found(url: str, extract: LedgerExtract) -> None:
    change(
        url,
        """
        update ledger.journal_entries set currency = 'USD'
        where (tenant_id, posted_on, entry_id) = (
            select tenant_id, posted_on, entry_id from ledger.journal_entries
            where tenant_id = 't0004' and posted_on >= '2025-04-01' and status = 'posted'
            order by posted_on desc, entry_id desc limit 1)
        """,
    )
    [failure] = others_are_as_before(url, extract, without="t0004")
    assert failure.code is FailureCode.CURRENCY_MISMATCH
    entries = sample_tables()["journal_entries"].to_pandas()
    last = entries[entries["tenant_id"] == "t0004"].sort_values(["posted_on", "entry_id"]).iloc[-1]
    assert failure.details == {
        "entry_id": last["entry_id"],
        "posted_on": last["posted_on"].isoformat(),
        "currency": "USD",
        "company_currency": "JPY",
    }


def test_a_stale_snapshot_is_found(url: str, extract: LedgerExtract) -> None:
    change(
        url,
        "update ledger.balance_snapshots set debit = debit + 5"
        " where tenant_id = 't0005' and month = '2025-04-01' and account_code = '4110'",
    )
    [failure] = others_are_as_before(url, extract, without="t0005")
    assert failure.code is FailureCode.SNAPSHOT_MISMATCH
    movements = extract.movements
    [sales] = movements[
        (movements["tenant_id"] == "t0005")
        & (movements["account_code"] == "4110")
        & (movements["month"] == APRIL.ordinal)
    ].to_dict("records")
    net = sales["debit"] - sales["credit"]
    assert failure.details == {
        "month": "2025-04",
        "account_code": "4110",
        "lines": net,
        "snapshot": net + 5,
    }


def test_a_snapshot_without_lines_is_found(url: str, extract: LedgerExtract) -> None:
    change(
        url,
        "insert into ledger.balance_snapshots values"
        " ('t0005', '2025-04-01', '9999', 1, 0, 0, 0, 0, 0, null, null)",
    )
    [failure] = others_are_as_before(url, extract, without="t0005")
    assert failure.code is FailureCode.SNAPSHOT_MISMATCH
    assert failure.details == {
        "month": "2025-04",
        "account_code": "9999",
        "lines": None,
        "snapshot": 1,
    }


def test_a_tenant_that_is_no_company_is_found(sound_url: str, extract: LedgerExtract) -> None:
    found, failures = PostgresLedger(sound_url).extract(APRIL, ["t0001", "nobody"])
    assert failures == [TenantFailure("nobody", FailureCode.UNKNOWN_TENANT)]
    assert_same_tables(found, extract, ["t0001"])


@pytest.mark.parametrize("tenant_id", ["", "T0001", "t0001'", "t0001,t0002", "会社", "a" * 33])
def test_a_malformed_tenant_id_is_refused_before_any_query(tenant_id: str) -> None:
    nowhere = PostgresLedger("postgresql://127.0.0.1:1/nowhere")
    with pytest.raises(ValueError, match="not a tenant id"):
        nowhere.extract(APRIL, ["t0001", tenant_id])


def test_the_ledger_is_read_in_one_transaction_that_cannot_write(url: str) -> None:
    # A function that the extract calls tells of its transaction, and tries to write.
    with psycopg.connect(url) as connection:
        connection.execute("create table public.written (note text)")
        connection.execute(
            """
            create or replace function ledger.month_movements(tenants text[], month_start date)
            returns table (tenant_id text, account_code text, debit bigint, credit bigint,
                           closing_debit bigint, closing_credit bigint,
                           opening_debit bigint, opening_credit bigint,
                           inflow bigint, outflow bigint, unbalanced boolean)
            language plpgsql as $$ begin
                if current_setting('transaction_isolation') <> 'repeatable read'
                then raise 'every query sees another ledger'; end if;
                insert into public.written values ('by a report');
            end $$
            """
        )
    with pytest.raises(Exception, match="read-only transaction"):
        PostgresLedger(url).extract(APRIL, ["t0001"])


def others_are_as_before(url: str, before: LedgerExtract, *, without: str) -> list[TenantFailure]:
    """The failures of a changed ledger, all of which must be one tenant's, while the others'
    tables are as they were before the change."""
    extract, failures = PostgresLedger(url).extract(APRIL, TENANTS)
    assert {failure.tenant_id for failure in failures} <= {without}
    assert_same_tables(extract, before, [t for t in TENANTS if t != without])
    return failures


def assert_same_tables(
    extract: LedgerExtract, before: LedgerExtract, tenant_ids: list[str]
) -> None:
    for name in EXTRACT_TABLES:
        tables = [getattr(version, name) for version in (extract, before)]
        of_tenants = [
            table[table["tenant_id"].isin(tenant_ids)].reset_index(drop=True) for table in tables
        ]
        assert not of_tenants[0].empty
        pd.testing.assert_frame_equal(*of_tenants)


def _as_contracted(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The columns of the contract, in its order and with its dtypes."""
    columns = dict(EXTRACT_TABLES[name])
    return table[list(columns)].astype(columns).reset_index(drop=True)
