from __future__ import annotations

from dataclasses import replace

from reports_pipeline.accounting.reports import StatementKind
from tests.accounting.printing import lines, statement
from tests.accounting.sakura import CASH, DEPRECIATION, MAY, RENT, SAKURA, SALARIES, entry

COLUMNS = ["current", "prior", "year_to_date"]


def test_may_of_sakura() -> None:
    analysis = statement(SAKURA, MAY, StatementKind.EXPENSE_ANALYSIS)
    assert lines(analysis, COLUMNS) == [
        "selling_general_administrative",
        "  給料手当 300,000 0 300,000",
        "  減価償却費 10,000 10,000 20,000",
        "  地代家賃 0 0 0",
        "total_selling_general_administrative 310,000 10,000 320,000",
        "total_expenses 310,000 10,000 320,000",
    ]


def test_largest_first_then_by_code_with_cost_of_sales_in_a_section_of_its_own() -> None:
    amounts = {SALARIES: 20, RENT: 30, DEPRECIATION: 20, "5120": 1, "5110": -4, CASH: -67}
    books = replace(SAKURA, entries=[entry("2026-05-01", amounts)])
    assert lines(statement(books, MAY, StatementKind.EXPENSE_ANALYSIS), ["current"]) == [
        "cost_of_sales",
        "  仕入高 1",
        "  期首商品棚卸高 -4",
        "total_cost_of_sales -3",
        "selling_general_administrative",
        "  地代家賃 30",
        "  給料手当 20",
        "  減価償却費 20",
        "total_selling_general_administrative 70",
        "total_expenses 67",
    ]


def test_a_company_without_expenses_has_a_total_of_zero() -> None:
    books = replace(SAKURA, entries=[])
    analysis = statement(books, MAY, StatementKind.EXPENSE_ANALYSIS)
    assert lines(analysis, COLUMNS) == ["total_expenses 0 — 0"]
