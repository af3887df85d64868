"""A month as it is extracted is a month as its lines say, and what is wrong has its tenant."""

from __future__ import annotations

import datetime
from typing import Any

import pandas as pd
import psycopg
import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.ledger import EXTRACT_TABLES, LedgerExtract
from reports_pipeline.accounting.periods import Month
from resources.budgets import Budget, BudgetExceededError
from resources.ledger import PostgresLedger
from resources.ledger_loading import load_ledger
from resources.ledger_repairs import refresh_snapshots
from resources.sample_ledger import SampleScale, sample_ledger
from resources.transient_errors import TRANSIENT_ERRORS
from tests.accounting.calendars import Anchor, Calendar, years_from
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
    companies = sample_tables()["companies"].to_pandas()
    april = [
        (calendar.period(calendar.year_start(APRIL))[0], *calendar.period(APRIL))
        for calendar in map(_calendar, companies.itertuples())
    ]
    days = ["fiscal_year_start", "month_start", "month_end"]
    expected = companies.assign(
        **pd.DataFrame(april, columns=days).map(datetime.date.isoformat), closed=True
    )
    expected["copy_language"] = expected["copy_language"].fillna("")
    pd.testing.assert_frame_equal(extract.companies, _as_contracted(expected, "companies"))


def test_a_copy_s_language_is_the_company_s(url: str) -> None:
    tenant_id = TENANTS[1]
    change(
        url,
        "update ledger.companies set copy_language = case language when 'ja' then 'en' else 'ja' "
        f"end where tenant_id = '{tenant_id}'",
    )
    extract, _ = PostgresLedger(url).extract(APRIL, TENANTS[:2])
    languages = extract.companies.set_index("tenant_id")[["language", "copy_language"]]
    assert set(languages.loc[tenant_id]) == {"ja", "en"}
    assert languages.loc[TENANTS[0], "copy_language"] == ""


def test_fiscal_years_begin_with_the_companies_months(extract: LedgerExtract) -> None:
    companies = sample_tables()["companies"].to_pandas()
    years = extract.fiscal_years
    assert years["tenant_id"].tolist() == TENANTS
    assert (years["first_month"] % 12 + 1).tolist() == (
        companies["fiscal_year_start_month"].tolist()
    )


def test_the_charts_are_the_companies_own(extract: LedgerExtract) -> None:
    expected = sample_tables()["accounts"].to_pandas()
    pd.testing.assert_frame_equal(extract.accounts, _as_contracted(expected, "accounts"))


def test_movements_are_the_sums_of_posted_lines(
    extract: LedgerExtract, posted_lines: pd.DataFrame
) -> None:
    assert set(posted_lines["kind"]) == {"normal", "opening", "closing"}
    sums = _movements(posted_lines)
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
            " select 't0001', month, '4110', 0, 7, 0, 0, 0, 0, 7, 0, false"
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
        " ('t0005', '2025-04-01', '9999', 1, 0, 0, 0, 0, 0, null, null, false)",
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
        connection.execute("drop function ledger.month_movements")
        connection.execute(
            """
            create function ledger.month_movements(tenants text[], month_start date)
            returns table (tenant_id text, account_code text, debit bigint, credit bigint,
                           closing_debit bigint, closing_credit bigint,
                           opening_debit bigint, opening_credit bigint,
                           inflow bigint, outflow bigint, with_retained_earnings boolean,
                           unbalanced boolean)
            language plpgsql as $$ begin
                if current_setting('transaction_isolation') <> 'repeatable read'
                then raise 'every query sees another ledger'; end if;
                insert into public.written values ('by a report');
            end $$
            """
        )
    with pytest.raises(Exception, match="read-only transaction"):
        PostgresLedger(url).extract(APRIL, ["t0001"])


def test_a_month_that_was_opened_again_is_provisional(url: str) -> None:
    change(
        url,
        "update ledger.month_closings"
        " set reopened_at = now(), reopened_by = 'sato', reason = '漏れ'"
        " where tenant_id = 't0003' and month = '2025-04-01'",
    )
    extract, _ = PostgresLedger(url).extract(APRIL, ["t0003"])
    assert extract.companies["closed"].tolist() == [False]
    change(
        url,
        "insert into ledger.month_closings (tenant_id, month, closed_at)"
        " values ('t0003', '2025-04-01', '2025-06-01')",
    )
    extract, _ = PostgresLedger(url).extract(APRIL, ["t0003"])
    assert extract.companies["closed"].tolist() == [True]


CALENDARS = {
    "month ends": years_from("2020-04"),
    "the 20th": years_from("2020-04", closing_day=20),
    "February": years_from("2020-02", closing_day=28),
    "a short year": years_from("2020-10", "2025-03"),
    "from the month's end to the 20th": Calendar(
        (Anchor(Month(2020, 4)), Anchor(Month(2025, 3), closing_day=20))
    ),
    "from the 20th to the month's end": Calendar(
        (Anchor(Month(2020, 9), closing_day=20), Anchor(Month(2025, 4)))
    ),
    "three in two years": Calendar(
        (
            Anchor(Month(2020, 4), closing_day=25),
            Anchor(Month(2024, 4), closing_day=5),
            Anchor(Month(2025, 2), closing_day=10),
        )
    ),
}


@pytest.mark.parametrize("calendar", CALENDARS.values(), ids=CALENDARS)
def test_the_database_reckons_every_day_and_month_of_a_calendar(
    database_url: str, calendar: Calendar
) -> None:
    first, *changes = calendar.anchors
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into ledger.companies (tenant_id, name, fiscal_year_start_month, closing_day)"
            " values ('t', '梅商店', %s, %s)",
            [first.first_month.month, first.closing_day],
        )
        add_changes(connection, "t", changes)
        months = connection.execute(
            """
            select month, starts_on, ends_on, ledger.fiscal_year_of('t', month)
            from generate_series(date '2023-01-01', '2027-12-01', interval '1 month') as at,
                 date(at) as month, ledger.period('t', month)
            """
        ).fetchall()
        days = connection.execute(
            """
            select day, ledger.month_of('t', day)
            from generate_series(date '2023-01-01', '2027-12-31', interval '1 day') as at,
                 date(at) as day
            """
        ).fetchall()
    assert len(months) == 60
    for month, starts_on, ends_on, fiscal_year in months:
        expected = calendar.period(Month.of(month))
        assert ((starts_on, ends_on), fiscal_year) == (
            expected,
            calendar.year_start(Month.of(month)).start,
        )
    # Each month begins where the one before ends: no day is in two, and none is in none.
    assert [month[1] for month in months[1:]] == [month[2] for month in months[:-1]]
    assert len(days) == 5 * 365 + 1
    assert {day for day, month in days if calendar.month_of(day) != Month.of(month)} == set()


@pytest.mark.parametrize("name", ["the 20th", *list(CALENDARS)[4:]])
def test_a_calendar_decides_what_is_in_a_month(
    name: str, url: str, extract: LedgerExtract, posted_lines: pd.DataFrame
) -> None:
    calendar = CALENDARS[name]
    first, *changes = calendar.anchors
    with psycopg.connect(url) as connection:
        connection.execute(
            "update ledger.companies set fiscal_year_start_month = %s, closing_day = %s"
            " where tenant_id = 't0002'",
            [first.first_month.month, first.closing_day],
        )
        add_changes(connection, "t0002", changes)
    failures = others_are_as_before(url, extract, without="t0002")
    assert [failure.code for failure in failures] == [FailureCode.SNAPSHOT_MISMATCH]
    assert refresh_snapshots(url).keys() == {"t0002"}
    assert others_are_as_before(url, extract, without="t0002") == []

    lines = posted_lines[posted_lines["tenant_id"] == "t0002"]
    lines = lines.assign(month=[calendar.month_of(day).ordinal for day in lines["posted_on"]])
    changed, _ = PostgresLedger(url).extract(APRIL, ["t0002"])
    sums = _movements(lines[lines["month"] <= APRIL.ordinal])
    pd.testing.assert_frame_equal(changed.movements, _as_contracted(sums, "movements"))
    claims = sample_tables()["expense_claims"].to_pandas().query("tenant_id == 't0002'")
    of_april = [calendar.month_of(day) == APRIL for day in claims["incurred_on"]]
    assert sorted(changed.claims["claim_id"]) == sorted(claims[of_april]["claim_id"])
    assert changed.fiscal_years["first_month"].tolist()[1:] == [
        change.first_month.ordinal for change in changes
    ]
    [company] = changed.companies.to_dict("records")
    assert (company["month_start"], company["month_end"]) == tuple(
        map(datetime.date.isoformat, calendar.period(APRIL))
    )


@pytest.mark.parametrize(
    ("day", "found"),
    [
        ("2025-03-20", [FailureCode.CURRENCY_MISMATCH]),  # an earlier month counts for that
        ("2025-03-21", [FailureCode.LEDGER_IMBALANCE, FailureCode.CURRENCY_MISMATCH]),
        ("2025-04-20", [FailureCode.LEDGER_IMBALANCE, FailureCode.CURRENCY_MISMATCH]),
        ("2025-04-21", []),
    ],
)
def test_a_company_that_closes_on_the_20th_has_its_faults_in_its_own_month(
    day: str, found: list[FailureCode], url: str
) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("update ledger.companies set closing_day = 20 where tenant_id = 't0002'")
        connection.execute(
            "insert into ledger.journal_entries values ('t0002', %s, 900001, '', 'USD')", [day]
        )
        connection.execute(
            "insert into ledger.journal_lines values ('t0002', %s, 900001, 1, '1120', 7, 0)", [day]
        )
    refresh_snapshots(url)
    _, failures = PostgresLedger(url).extract(APRIL, ["t0002"])
    assert [failure.details["entry_id"] for failure in failures] == [900001] * len(failures)
    assert [failure.code for failure in failures] == found


def test_months_that_no_statement_shows_are_two_rows_an_account(database_url: str) -> None:
    """One before the fiscal year of the month a year ago, one for what that year has before it."""
    scale = SampleScale(tenants=1, first_month=Month(2022, 9), months=32, lines_per_month=60)
    [tables] = sample_ledger(scale, seed=3)
    load_ledger(database_url, [tables], replace=False)
    extract, failures = PostgresLedger(database_url).extract(APRIL, ["t0001"])
    assert failures == []
    lines = tables["journal_lines"].to_pandas().query("status == 'posted'")
    first_shown = APRIL.plus(-12).ordinal
    start_month = tables["companies"]["fiscal_year_start_month"][0].as_py()
    year_start = first_shown - (APRIL.month - start_month) % 12
    assert year_start < first_shown

    def stands_in(month: int) -> int:
        if month >= first_shown:
            return month
        return first_shown - 1 if month >= year_start else year_start - 1

    lines = lines.assign(month=[stands_in(Month.of(day).ordinal) for day in lines["posted_on"]])
    assert set(lines["month"]) == {year_start - 1, *range(first_shown - 1, APRIL.ordinal + 1)}
    pd.testing.assert_frame_equal(extract.movements, _as_contracted(_movements(lines), "movements"))
    assert extract.cash_flows["month"].min() == APRIL.plus(-12).ordinal


@pytest.mark.parametrize(
    "statement",
    [
        "update ledger.companies set closing_day = 25 where tenant_id = 't0001'",
        "insert into ledger.fiscal_year_changes values ('t0001', '2025-04-01', 20)",
        "update ledger.accounts set account_class = 'cash_and_deposits'"
        " where tenant_id = 't0001' and account_code = '1210'",
        "update ledger.accounts set account_class = null"
        " where tenant_id = 't0001' and account_code = '1120'",
        "insert into ledger.account_mappings values"
        " ('t0001', '1210', '1900-01-01', 'retained_earnings_brought_forward', 'sato')",
        # Its lines were there before it.
        "delete from ledger.accounts where tenant_id = 't0001' and account_code = '1120';"
        "insert into ledger.accounts values ('t0001', '1120', '新口座', 'cash_and_deposits')",
    ],
)
def test_what_balances_are_kept_by_makes_them_doubtful(url: str, statement: str) -> None:
    change(url, statement)
    [(tenant_id, months)] = refresh_snapshots(url).items()
    assert tenant_id == "t0001"
    assert {APRIL.plus(-2), APRIL.plus(-1), APRIL} <= set(months)


@pytest.mark.parametrize(
    "statement",
    [
        "update ledger.companies set name = '梅商店' where tenant_id = 't0001'",
        "update ledger.accounts set account_class = 'net_sales'"
        " where tenant_id = 't0001' and account_code = '7190'",
        "insert into ledger.account_mappings values"
        " ('t0001', '7190', '2025-04-01', 'net_sales', 'sato')",
        "insert into ledger.accounts values ('t0001', '9999', '新科目', 'net_sales')",
        # A bank account that nothing is posted to yet, and a year that begins on the same day.
        "insert into ledger.accounts values ('t0001', '9999', '新口座', 'cash_and_deposits')",
        "insert into ledger.fiscal_year_changes values ('t0001', '2025-04-01', 31)",
    ],
)
def test_what_balances_are_not_kept_by_leaves_them_as_they_are(url: str, statement: str) -> None:
    change(url, statement)
    assert refresh_snapshots(url) == {}


def _movements(lines: pd.DataFrame) -> pd.DataFrame:
    """The sums that statements are made of."""
    closing, opening = lines["kind"] == "closing", lines["kind"] == "opening"
    parts = lines.assign(
        closing_debit=lines["debit"].where(closing, 0),
        closing_credit=lines["credit"].where(closing, 0),
        opening_debit=lines["debit"].where(opening, 0),
        opening_credit=lines["credit"].where(opening, 0),
        debit=lines["debit"].where(~closing, 0),
        credit=lines["credit"].where(~closing, 0),
    )
    by = ["tenant_id", "account_code", "month"]
    return parts.groupby(by, as_index=False).sum(numeric_only=True)


def add_changes(connection: psycopg.Connection, tenant_id: str, anchors: list[Anchor]) -> None:
    for anchor in anchors:
        connection.execute(
            "insert into ledger.fiscal_year_changes values (%s, %s, %s)",
            [tenant_id, anchor.first_month.start, anchor.closing_day],
        )


def _calendar(company: Any) -> Calendar:
    """Of a company that never changed it."""
    return Calendar((Anchor(Month(2020, company.fiscal_year_start_month), company.closing_day),))


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


def test_a_batch_may_take_as_long_as_one_tenant(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("alter function ledger.month_end set schema public")
        connection.execute(
            """
            create function ledger.month_end(tenant text, month date) returns date
            language plpgsql stable as $$ begin
                perform pg_sleep(0.3);
                return public.month_end(tenant, month);
            end $$
            """
        )
    ledger = PostgresLedger(url, budget=Budget(seconds=1.2))
    with pytest.raises(BudgetExceededError) as caught:
        ledger.extract(APRIL, TENANTS)
    assert (caught.value.what, caught.value.limit) == ("seconds", 1.2)


def test_a_batch_may_take_as_much_memory_as_one_tenant(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            insert into ledger.expense_claims
                (tenant_id, claim_id, incurred_on, employee, category, amount, status)
            select 't0003', 'X' || number, '2025-04-01', '佐藤', '旅費交通費', 1, 'paid'
            from generate_series(1, 5000) number
            """
        )
    ledger = PostgresLedger(url, budget=Budget(megabytes=2))
    for tenant_ids in (TENANTS, ["t0003"]):
        with pytest.raises(BudgetExceededError) as caught:
            ledger.extract(APRIL, tenant_ids)
        assert (caught.value.what, caught.value.limit) == ("megabytes", 2)
    extract, _ = ledger.extract(APRIL, ["t0001", "t0002"])
    assert len(extract.companies) == 2


def test_a_lock_may_pass_and_is_no_tenants_fault(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("lock table ledger.balance_snapshots in access exclusive mode")
        with pytest.raises(TRANSIENT_ERRORS, match="is locked"):
            PostgresLedger(url, budget=Budget(seconds=1)).extract(APRIL, ["t0001"])


def test_a_statement_that_somebody_cancels_may_be_tried_again(url: str) -> None:
    # as an administrator does, or a server that shuts down
    with psycopg.connect(url) as connection:
        connection.execute("alter function ledger.month_end set schema public")
        connection.execute(
            """
            create function ledger.month_end(tenant text, month date) returns date
            language plpgsql as $$ begin
                raise exception 'canceled by somebody' using errcode = 'query_canceled';
            end $$
            """
        )
    with pytest.raises(TRANSIENT_ERRORS, match="canceled by somebody"):
        PostgresLedger(url).extract(APRIL, ["t0001"])
