from __future__ import annotations

from dataclasses import replace

import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind
from tests.accounting.extracts import company
from tests.accounting.printing import lines, statement
from tests.accounting.sakura import (
    APRIL,
    CASH,
    CLOSING_OF_LAST_YEAR,
    LAST_YEAR,
    MAY,
    RENT,
    SAKURA,
    THIS_YEAR,
    entry,
    posting,
)

COLUMNS = ["current", "prior", "year_to_date"]


def test_may_of_sakura() -> None:
    income_statement = statement(SAKURA, MAY, StatementKind.INCOME_STATEMENT)
    assert lines(income_statement, COLUMNS) == [
        "net_sales",
        "  売上高 0 1,000,000 1,000,000",
        "  売上値引及び返品 -50,000 0 -50,000",
        "total_net_sales -50,000 1,000,000 950,000",
        "cost_of_sales",
        "total_cost_of_sales 0 0 0",
        "gross_profit -50,000 1,000,000 950,000",
        "selling_general_administrative",
        "  給料手当 300,000 0 300,000",
        # Paid last year, so it is in the trend only.
        "  地代家賃 0 0 0",
        "  減価償却費 10,000 10,000 20,000",
        "total_selling_general_administrative 310,000 10,000 320,000",
        "operating_profit -360,000 990,000 630,000",
        "ordinary_profit -360,000 990,000 630,000",
        "profit_before_tax -360,000 990,000 630,000",
        "net_profit -360,000 990,000 630,000",
    ]


def test_accounts_stand_by_their_codes_whatever_their_class() -> None:
    """支払利息 before 手形売却損, 減価償却費 before 研究開発費: as in the tenant's own chart."""
    amounts = {"4190": 1, "4120": -20, "6450": 2, "6430": 3, "6440": 4, "7520": 5, "7510": 6}
    chart = (
        *SAKURA.accounts,
        Account("4195", "受取手数料", AccountClass.NET_SALES),
        Account("5105", "工場減価償却費", AccountClass.DEPRECIATION_IN_COST_OF_SALES),
    )
    of_chart = {"4195": -7, "5105": 8, "5120": 9}
    books = replace(
        posting(entry("2026-05-01", {**amounts, **of_chart, CASH: -11})), accounts=chart
    )
    income_statement = statement(books, MAY, StatementKind.INCOME_STATEMENT)
    codes = [line.key for line in income_statement.lines if line.key.startswith("account:")]
    assert codes == [f"account:{code}" for code in sorted({**amounts, **of_chart})]


def test_first_month_of_a_fiscal_year_compares_with_the_last_of_the_year_before() -> None:
    income_statement = statement(SAKURA, APRIL, StatementKind.INCOME_STATEMENT)
    (net_profit,) = lines(income_statement, COLUMNS)[-1:]
    assert net_profit == "net_profit 990,000 -200,000 990,000"


def test_trend_is_the_twelve_months_up_to_the_reported_one_oldest_first() -> None:
    income_statement = statement(SAKURA, MAY, StatementKind.INCOME_STATEMENT)
    net_profit = income_statement.lines[-1]
    june_to_november = [0, 0, 0, 0, 0, 0]
    assert net_profit.trend == (
        *june_to_november,
        500_000,
        0,
        0,
        -200_000,
        990_000,
        -360_000,
    )


@pytest.mark.parametrize("kind", StatementKind)
def test_statements_are_the_same_whether_or_not_last_year_was_closed(kind: StatementKind) -> None:
    unclosed = replace(SAKURA, entries=[*LAST_YEAR, *THIS_YEAR])
    assert len(unclosed.entries) + len(CLOSING_OF_LAST_YEAR) == len(SAKURA.entries)
    assert statement(unclosed, MAY, kind) == statement(SAKURA, MAY, kind)


@pytest.mark.parametrize(
    ("start_month", "year_to_date"),
    [(1, 430_000), (4, 630_000), (5, -360_000), (6, 930_000)],
)
def test_year_to_date_begins_with_the_fiscal_year(start_month: int, year_to_date: int) -> None:
    books = replace(SAKURA, company=company(fiscal_year_start_month=start_month))
    income_statement = statement(books, MAY, StatementKind.INCOME_STATEMENT)
    assert income_statement.lines[-1].year_to_date == year_to_date


def test_no_prior_month_where_the_books_begin_with_the_reported_month() -> None:
    books = replace(SAKURA, entries=[entry("2026-05-02", {RENT: 80_000, "1110": -80_000})])
    income_statement = statement(books, MAY, StatementKind.INCOME_STATEMENT)
    assert lines(income_statement, COLUMNS)[-1] == "net_profit -80,000 — -80,000"


def test_a_company_that_never_posted_has_a_statement_of_zeros() -> None:
    books = replace(SAKURA, entries=[])
    assert lines(statement(books, Month(2026, 5), StatementKind.INCOME_STATEMENT), COLUMNS) == [
        "net_sales",
        "total_net_sales 0 — 0",
        "cost_of_sales",
        "total_cost_of_sales 0 — 0",
        "gross_profit 0 — 0",
        "selling_general_administrative",
        "total_selling_general_administrative 0 — 0",
        "operating_profit 0 — 0",
        "ordinary_profit 0 — 0",
        "profit_before_tax 0 — 0",
        "net_profit 0 — 0",
    ]
