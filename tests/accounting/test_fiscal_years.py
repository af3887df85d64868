"""A company's own years and months: short first years, changed year ends, 20日締め, February."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind, TenantReports
from tests.accounting.calendars import Anchor, Calendar, years_from
from tests.accounting.extracts import Bookkeeping, company, extract_of
from tests.accounting.printing import account_of, line_of, reports_of
from tests.accounting.sakura import CASH, SALES, entry, posting
from tests.accounting.shop import FIRST_SALE, SALES_OF, SHOP, sales

INCOME_STATEMENT, BALANCE_SHEET = StatementKind.INCOME_STATEMENT, StatementKind.BALANCE_SHEET
CASH_FLOW, INDIRECT_CASH_FLOW = StatementKind.CASH_FLOW, StatementKind.INDIRECT_CASH_FLOW


def reported(books: Bookkeeping, month: Month | str) -> TenantReports:
    month = Month.parse(month) if isinstance(month, str) else month
    [reports] = reports_of(extract_of(month, [books]))
    return reports


def shop(*first_months: str) -> Bookkeeping:
    """The shop, in years that begin with these months."""
    return replace(SHOP, company=company(calendar=years_from(*first_months)))


def sold_since(month: Month, year_starts: dict[str, str]) -> int:
    """Sales of the year, from the first month that stands beside each month."""
    return sales(Month.parse(year_starts[str(month)]), month)


def trend_months(month: Month) -> list[Month]:
    return [month.plus(-back) for back in reversed(range(12))]


@pytest.mark.parametrize(
    ("first_months", "month", "year_start"),
    [
        # Every year since April 2020, and before it.
        (["2020-04"], "2026-03", "2025-04"),
        (["2020-04"], "2026-04", "2026-04"),
        (["2026-04"], "2025-05", "2025-04"),
        (["2026-04"], "2025-03", "2024-04"),
        # From March to December: the year from April 2025 has nine months.
        (["2020-04", "2026-01"], "2025-12", "2025-04"),
        (["2020-04", "2026-01"], "2026-01", "2026-01"),
        (["2020-04", "2026-01"], "2026-12", "2026-01"),
        # From December to March: the year from January 2026 has three months.
        (["2020-01", "2026-04"], "2026-03", "2026-01"),
        (["2020-01", "2026-04"], "2026-04", "2026-04"),
        # A short first year of five months, from May to September.
        (["2025-05", "2025-10"], "2025-09", "2025-05"),
        (["2025-05", "2025-10"], "2025-10", "2025-10"),
        (["2025-05", "2025-10"], "2026-10", "2026-10"),
        # What is before a first year follows it twelve months by twelve.
        (["2025-05", "2025-10"], "2025-04", "2024-05"),
        # A year of one month.
        (["2025-10", "2025-11"], "2025-10", "2025-10"),
        (["2025-10", "2025-11"], "2026-10", "2025-11"),
        # A change that comes later cuts no year yet.
        (["2020-04", "2026-11"], "2026-10", "2026-04"),
        (["2020-04", "2026-11"], "2026-11", "2026-11"),
        # Changed twice, and written down the other way round.
        (["2026-01", "2025-10", "2020-04"], "2025-09", "2025-04"),
        (["2026-01", "2025-10", "2020-04"], "2025-12", "2025-10"),
        (["2026-01", "2025-10", "2020-04"], "2026-11", "2026-01"),
        # A change to the same month is none.
        (["2020-04", "2025-04"], "2026-03", "2025-04"),
    ],
)
def test_a_month_belongs_to_its_own_year(
    first_months: list[str], month: str, year_start: str
) -> None:
    reports = reported(shop(*first_months), month)
    reported_month, first = Month.parse(month), Month.parse(year_start)
    of_year, earlier = sales(first, reported_month), sales(FIRST_SALE, first.plus(-1))

    assert reports.company.fiscal_year_start == f"{first}-01"
    for kind in (INCOME_STATEMENT, CASH_FLOW):
        assert account_of(reports.statement(kind), SALES).year_to_date == of_year
    indirect = reports.statement(INDIRECT_CASH_FLOW)
    assert line_of(indirect, "net_cash_change").year_to_date == of_year
    assert line_of(indirect, "opening_cash").year_to_date == earlier
    sheet = reports.statement(BALANCE_SHEET)
    assert line_of(sheet, "net_profit_for_year").current == of_year
    assert line_of(sheet, "retained_earnings_brought_forward").current == earlier
    assert line_of(sheet, "retained_earnings_brought_forward").opening == earlier
    assert line_of(sheet, "total_assets").opening == earlier


def test_a_company_in_its_short_first_year_has_nothing_to_open_with() -> None:
    """Founded in November 2025; its first year ends in March."""
    sold = {"2025-11": 1, "2025-12": 20, "2026-03": 300, "2026-04": 4_000}
    books = posting(
        *(entry(f"{month}-30", {CASH: amount, SALES: -amount}) for month, amount in sold.items()),
        calendar=years_from("2025-11", "2026-04"),
    )
    march, april = reported(books, "2026-03"), reported(books, "2026-04")
    assert [
        reports.statement(INCOME_STATEMENT).lines[-1].year_to_date for reports in (march, april)
    ] == [321, 4_000]
    sheet = march.statement(BALANCE_SHEET)
    assert {line.opening for line in sheet.lines} == {None}
    assert line_of(sheet, "net_profit_for_year").trend == (*[0] * 7, 1, 21, 21, 21, 321)
    sheet = april.statement(BALANCE_SHEET)
    assert line_of(sheet, "retained_earnings_brought_forward").opening == 321
    assert line_of(sheet, "net_profit_for_year").trend == (*[0] * 6, 1, 21, 21, 21, 321, 4_000)


def test_each_month_of_a_trend_belongs_to_its_own_year() -> None:
    """The year end was moved from March to December: April to December 2025 are a year."""
    june = Month(2026, 6)
    starts = {
        "2025-06": "2025-04",
        **dict.fromkeys(["2025-07", "2025-08", "2025-09"], "2025-04"),
        **dict.fromkeys(["2025-10", "2025-11", "2025-12"], "2025-04"),
        **dict.fromkeys(["2026-01", "2026-02", "2026-03"], "2026-01"),
        **dict.fromkeys(["2026-04", "2026-05", "2026-06"], "2026-01"),
    }
    sheet = reported(shop("2020-04", "2026-01"), june).statement(BALANCE_SHEET)
    of_year = line_of(sheet, "net_profit_for_year")
    earlier = line_of(sheet, "retained_earnings_brought_forward")
    assert of_year.trend == tuple(sold_since(month, starts) for month in trend_months(june))
    assert earlier.trend == tuple(
        sales(FIRST_SALE, month) - sold_since(month, starts) for month in trend_months(june)
    )
    # The month before, and the same month last year.
    assert of_year.prior == sales(Month(2026, 1), Month(2026, 5))
    assert of_year.prior_year == sales(Month(2025, 4), Month(2025, 6))
    assert earlier.prior_year == sales(FIRST_SALE, Month(2025, 3))


def test_the_first_month_after_a_changed_year_end_compares_with_the_short_year() -> None:
    sheet = reported(shop("2020-04", "2026-01"), "2026-01").statement(BALANCE_SHEET)
    of_year = line_of(sheet, "net_profit_for_year")
    nine_months = sales(Month(2025, 4), Month(2025, 12))
    ten_months = sales(Month(2024, 4), Month(2025, 1))
    assert (of_year.current, of_year.prior, of_year.prior_year, of_year.opening) == (
        SALES_OF[Month(2026, 1)],
        nine_months,
        ten_months,
        0,
    )


# One sale a day, in other digits.
AROUND_THE_20TH = [
    entry("2026-03-20", {CASH: 1, SALES: -1}),
    entry("2026-03-21", {CASH: 20, SALES: -20}),
    entry("2026-04-20", {CASH: 300, SALES: -300}),
    entry("2026-04-21", {CASH: 4_000, SALES: -4_000}),
    entry("2026-05-20", {CASH: 50_000, SALES: -50_000}),
    entry("2026-05-21", {CASH: 600_000, SALES: -600_000}),
]


def test_books_that_close_on_the_20th_have_the_20th_in_the_month_and_the_21st_in_the_next() -> None:
    """20日締め: May is 21 April to 20 May, and the year from April begins on 21 March."""
    books = posting(*AROUND_THE_20TH, calendar=years_from("2026-04", closing_day=20))
    may = reported(books, "2026-05")
    company = may.company
    assert (company.fiscal_year_start, company.month_start, company.month_end) == (
        "2026-03-21",
        "2026-04-21",
        "2026-05-21",
    )
    for kind in (INCOME_STATEMENT, CASH_FLOW):
        line = account_of(may.statement(kind), SALES)
        assert (line.current, line.prior, line.year_to_date) == (54_000, 320, 54_320)
        assert line.trend[-3:] == (1, 320, 54_000)
    for kind in (CASH_FLOW, INDIRECT_CASH_FLOW):
        opening, closing = (
            line_of(may.statement(kind), key) for key in ("opening_cash", "closing_cash")
        )
        assert (opening.current, closing.current) == (321, 54_321)
        assert (opening.prior, closing.prior) == (1, 321)
        assert (opening.year_to_date, closing.year_to_date) == (1, 54_321)
    sheet = may.statement(BALANCE_SHEET)
    cash = account_of(sheet, CASH)
    assert (cash.current, cash.prior, cash.opening) == (54_321, 321, 1)
    assert line_of(sheet, "retained_earnings_brought_forward").current == 1

    june = account_of(reported(books, "2026-06").statement(INCOME_STATEMENT), SALES)
    assert (june.current, june.prior) == (600_000, 54_000)


@pytest.mark.parametrize(
    ("before", "after", "trend"),
    [
        # April is 1 to 20 April, and the rest of it belongs to May.
        (31, 20, (21, 300, 54_000, 600_000)),
        # April is 21 March to 30 April, so that no day is lost.
        (20, 31, (1, 4_320, 650_000, 0)),
    ],
)
def test_a_changed_closing_day_leaves_no_day_out_and_has_none_twice(
    before: int, after: int, trend: tuple[int, ...]
) -> None:
    calendar = Calendar((Anchor(Month(2020, 4), before), Anchor(Month(2026, 4), after)))
    june = reported(posting(*AROUND_THE_20TH, calendar=calendar), "2026-06")
    line = account_of(june.statement(INCOME_STATEMENT), SALES)
    assert line.trend[-4:] == trend
    assert line.year_to_date == sum(trend[1:])
    sheet = june.statement(BALANCE_SHEET)
    assert line_of(sheet, "retained_earnings_brought_forward").current == trend[0]
    assert account_of(sheet, CASH).current == 654_321


@pytest.mark.parametrize(
    ("year", "last_day"), [(2024, "2024-02-29"), (2025, "2025-02-28"), (2026, "2026-02-28")]
)
def test_years_that_end_in_february_end_with_its_last_day(year: int, last_day: str) -> None:
    books = posting(
        entry(last_day, {CASH: 10, SALES: -10}),
        entry(f"{year}-03-01", {CASH: 200, SALES: -200}),
        calendar=years_from("2020-03"),
    )
    february, march = reported(books, f"{year}-02"), reported(books, f"{year}-03")
    assert february.company.fiscal_year_start == f"{year - 1}-03-01"
    assert february.company.month_end == march.company.month_start == f"{year}-03-01"
    assert account_of(february.statement(INCOME_STATEMENT), SALES).year_to_date == 10
    assert account_of(march.statement(INCOME_STATEMENT), SALES).year_to_date == 200
    sheet = march.statement(BALANCE_SHEET)
    of_year = line_of(sheet, "net_profit_for_year")
    assert (of_year.current, of_year.prior) == (200, 10)
    assert line_of(sheet, "retained_earnings_brought_forward").current == 10


def test_tenants_of_a_batch_keep_their_own_years() -> None:
    calendars = {
        "spring": years_from("2020-04"),
        "changed": years_from("2020-04", "2026-01"),
        "february": years_from("2020-03"),
        "founded": years_from("2025-11", "2026-06"),
    }
    books = [
        replace(SHOP, company=company(tenant_id, calendar=calendar))
        for tenant_id, calendar in calendars.items()
    ]
    may = Month(2026, 5)
    of_year = {
        reports.company.tenant_id: account_of(
            reports.statement(INCOME_STATEMENT), SALES
        ).year_to_date
        for reports in reports_of(extract_of(may, books))
    }
    assert of_year == {
        "spring": sales(Month(2026, 4), may),
        "changed": sales(Month(2026, 1), may),
        "february": sales(Month(2026, 3), may),
        "founded": sales(Month(2025, 11), may),
    }
