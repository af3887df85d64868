from __future__ import annotations

from dataclasses import replace

from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind
from tests.accounting.extracts import Bookkeeping
from tests.accounting.printing import lines, statement
from tests.accounting.sakura import (
    APRIL,
    BROUGHT_FORWARD,
    CAPITAL,
    CASH,
    DEPOSITS,
    MAY,
    SAKURA,
    SALES,
    entry,
)

COLUMNS = ["current", "prior", "prior_year", "opening"]


def amounts(books: Bookkeeping, month: Month, key: str) -> tuple[int | None, ...]:
    """Current, prior and opening of a line."""
    for line in statement(books, month, StatementKind.BALANCE_SHEET).lines:
        if line.key == key:
            return line.current, line.prior, line.opening
    raise KeyError(key)


def test_may_of_sakura() -> None:
    balance_sheet = statement(SAKURA, MAY, StatementKind.BALANCE_SHEET)
    assert lines(balance_sheet, COLUMNS) == [
        "assets",
        "  current_assets",
        "    現金 30,000 0 200,000 0",
        "    普通預金 3,363,000 2,640,000 800,000 1,300,000",
        "    売掛金 0 1,100,000 0 0",
        "    仮払消費税等 60,000 60,000 0 0",
        "  total_current_assets 3,453,000 3,800,000 1,000,000 1,300,000",
        "  noncurrent_assets",
        "    property_plant_equipment",
        "      工具、器具及び備品 600,000 600,000 0 0",
        "      減価償却累計額 -20,000 -10,000 0 0",
        "    total_property_plant_equipment 580,000 590,000 0 0",
        "  total_noncurrent_assets 580,000 590,000 0 0",
        "total_assets 4,033,000 4,390,000 1,000,000 1,300,000",
        "liabilities",
        "  current_liabilities",
        "    預り金（源泉所得税） 8,000 0 0 0",
        "    仮受消費税等 95,000 100,000 0 0",
        "  total_current_liabilities 103,000 100,000 0 0",
        "  noncurrent_liabilities",
        "    長期借入金 2,000,000 2,000,000 0 0",
        "  total_noncurrent_liabilities 2,000,000 2,000,000 0 0",
        "total_liabilities 2,103,000 2,100,000 0 0",
        "net_assets",
        "  shareholders_equity",
        "    資本金 1,000,000 1,000,000 1,000,000 1,000,000",
        "    retained_earnings",
        "      retained_earnings_brought_forward 300,000 300,000 0 300,000",
        "      net_profit_for_year 630,000 990,000 0 0",
        "    total_retained_earnings 930,000 1,290,000 0 300,000",
        "  total_shareholders_equity 1,930,000 2,290,000 1,000,000 1,300,000",
        "total_net_assets 1,930,000 2,290,000 1,000,000 1,300,000",
        "total_liabilities_and_net_assets 4,033,000 4,390,000 1,000,000 1,300,000",
    ]


def test_prior_month_in_another_fiscal_year_shows_that_years_profit() -> None:
    assert amounts(SAKURA, APRIL, "retained_earnings_brought_forward") == (300_000, 0, 300_000)
    assert amounts(SAKURA, APRIL, "net_profit_for_year") == (990_000, 300_000, 0)


def test_trend_of_retained_earnings_follows_the_fiscal_year_of_each_month() -> None:
    balance_sheet = statement(SAKURA, MAY, StatementKind.BALANCE_SHEET)
    trends = {line.key: line.trend[-6:] for line in balance_sheet.lines}
    assert trends["retained_earnings_brought_forward"] == (0, 0, 0, 0, 300_000, 300_000)
    assert trends["net_profit_for_year"] == (500_000,) * 3 + (300_000, 990_000, 630_000)


def test_dividends_lower_retained_earnings_brought_forward() -> None:
    dividend = entry("2026-05-30", {BROUGHT_FORWARD: 100_000, DEPOSITS: -100_000})
    books = replace(SAKURA, entries=[*SAKURA.entries, dividend])
    key = "retained_earnings_brought_forward"
    assert amounts(books, MAY, key) == (200_000, 300_000, 300_000)


def test_two_unclosed_years_are_both_brought_forward() -> None:
    entries = [
        entry("2024-06-01", {CASH: 10, SALES: -10}),
        entry("2025-06-01", {CASH: 200, SALES: -200}),
        entry("2026-05-01", {CASH: 3_000, SALES: -3_000}),
    ]
    books = replace(SAKURA, entries=entries)
    assert amounts(books, MAY, "retained_earnings_brought_forward") == (210, 210, 210)
    assert amounts(books, MAY, "net_profit_for_year") == (3_000, 0, 0)


def test_opening_entries_within_the_year_are_balances_at_its_start() -> None:
    """A company that moved its books here in May, with April's sales in its opening entry."""
    opening = entry("2026-05-01", {CASH: 700, CAPITAL: -400, SALES: -300}, EntryKind.OPENING)
    sale = entry("2026-05-02", {CASH: 50, SALES: -50})
    books = replace(SAKURA, entries=[opening, sale])
    assert amounts(books, MAY, "total_assets") == (750, None, 700)
    assert amounts(books, MAY, f"account:{CAPITAL}") == (400, None, 400)
    assert amounts(books, MAY, "net_profit_for_year") == (350, None, 300)


def test_no_opening_column_for_a_company_founded_within_the_year() -> None:
    books = replace(SAKURA, entries=[entry("2026-04-01", {CASH: 100, CAPITAL: -100})])
    assert amounts(books, MAY, "total_assets") == (100, 100, None)


def test_treasury_stock_is_taken_from_equity() -> None:
    books = replace(SAKURA, entries=[entry("2026-05-01", {"3310": 100, CASH: -100})])
    assert lines(statement(books, MAY, StatementKind.BALANCE_SHEET), ["current"])[-6:] == [
        "      net_profit_for_year 0",
        "    total_retained_earnings 0",
        "    自己株式 -100",
        "  total_shareholders_equity -100",
        "total_net_assets -100",
        "total_liabilities_and_net_assets -100",
    ]
