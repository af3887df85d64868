"""The columns beside the month: the month before, and the same month last year (前年同月)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings

from reports_pipeline.accounting.journal import EntryKind, EntryStatus, JournalEntry
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind, StatementLine, TenantReports
from tests.accounting.calendars import years_from
from tests.accounting.extracts import Bookkeeping, company, extract_of
from tests.accounting.journals import batches
from tests.accounting.printing import account_of, line_of, lines, reports_of, statement
from tests.accounting.sakura import CASH, DEPOSITS, MAY, RENT, SALES, entry, posting
from tests.accounting.shop import FIRST_SALE, SALES_OF, SHOP, sales

INCOME_STATEMENT, BALANCE_SHEET = StatementKind.INCOME_STATEMENT, StatementKind.BALANCE_SHEET
CASH_FLOW, INDIRECT_CASH_FLOW = StatementKind.CASH_FLOW, StatementKind.INDIRECT_CASH_FLOW
FLOWS = [kind for kind in StatementKind if kind is not BALANCE_SHEET]

LAST_MAY = Month(2025, 5)


def reported(books: Bookkeeping, month: Month) -> TenantReports:
    [reports] = reports_of(extract_of(month, [books]))
    return reports


def prior_years(books: Bookkeeping) -> set[int | None]:
    """All that a company's reports of May have in the column of the year before."""
    return {
        line.prior_year
        for statement in reported(books, MAY).statements
        for line in statement.lines
        if line.kind != "heading"
    }


def test_flows_of_the_same_month_last_year_stand_beside_the_months() -> None:
    reports = reported(SHOP, MAY)
    for kind in (INCOME_STATEMENT, CASH_FLOW):
        assert account_of(reports.statement(kind), SALES).prior_year == SALES_OF[LAST_MAY]
    for kind in (CASH_FLOW, INDIRECT_CASH_FLOW):
        found = reports.statement(kind)
        assert line_of(found, "net_cash_change").prior_year == SALES_OF[LAST_MAY]
        assert line_of(found, "opening_cash").prior_year == sales(FIRST_SALE, Month(2025, 4))
        assert line_of(found, "closing_cash").prior_year == sales(FIRST_SALE, LAST_MAY)


def test_balances_at_the_end_of_the_same_month_last_year_stand_beside_the_months() -> None:
    sheet = reported(SHOP, MAY).statement(BALANCE_SHEET)
    assert account_of(sheet, DEPOSITS).prior_year == sales(FIRST_SALE, LAST_MAY)
    assert line_of(sheet, "net_profit_for_year").prior_year == sales(Month(2025, 4), LAST_MAY)
    earlier = line_of(sheet, "retained_earnings_brought_forward")
    assert earlier.prior_year == sales(FIRST_SALE, Month(2025, 3))


@pytest.mark.parametrize(
    ("first_months", "last_years_start"),
    [
        (["2020-04", "2026-01"], "2025-04"),  # ended in March then, and ends in December now
        (["2020-04", "2025-05"], "2025-05"),  # May 2025 was the first month of the new year
        (["2020-04", "2025-06"], "2025-04"),  # May 2025 was the last month of the cut one
        (["2025-11"], "2024-11"),
    ],
)
def test_the_same_month_last_year_belongs_to_its_own_year(
    first_months: list[str], last_years_start: str
) -> None:
    shop = replace(SHOP, company=company(calendar=years_from(*first_months)))
    sheet = reported(shop, MAY).statement(BALANCE_SHEET)
    first = Month.parse(last_years_start)
    assert line_of(sheet, "net_profit_for_year").prior_year == sales(first, LAST_MAY)
    earlier = line_of(sheet, "retained_earnings_brought_forward")
    assert earlier.prior_year == sales(FIRST_SALE, first.plus(-1))


SALE = entry("2026-05-20", {CASH: 50, SALES: -50})


@pytest.mark.parametrize(
    ("first", "last_years_cash"),
    [
        (entry("2024-01-31", {CASH: 7, SALES: -7}), 7),
        (entry("2025-05-31", {CASH: 7, SALES: -7}), 7),
        (entry("2025-05-01", {CASH: 7, "3110": -7}, EntryKind.OPENING), 7),
        (entry("2025-06-01", {CASH: 7, SALES: -7}), None),
        (entry("2025-06-01", {CASH: 7, "3110": -7}, EntryKind.OPENING), None),
    ],
)
def test_books_that_begin_later_have_no_same_month_last_year(
    first: JournalEntry, last_years_cash: int | None
) -> None:
    books = posting(first, SALE)
    sheet = reported(books, MAY).statement(BALANCE_SHEET)
    assert account_of(sheet, CASH).prior_year == last_years_cash
    assert (prior_years(books) == {None}) == (last_years_cash is None)


def test_a_cancelled_entry_begins_no_books() -> None:
    cancelled = replace(entry("2025-05-01", {CASH: 7, SALES: -7}), status=EntryStatus.CANCELLED)
    assert prior_years(posting(cancelled, SALE)) == {None}


def test_the_closing_day_decides_in_which_month_books_begin() -> None:
    """20日締め: 20 May 2025 is in May, 21 May is in June."""
    calendar = years_from("2020-04", closing_day=20)
    begun = {
        day: account_of(
            statement(
                posting(entry(day, {CASH: 7, SALES: -7}), SALE, calendar=calendar), MAY, CASH_FLOW
            ),
            SALES,
        ).prior_year
        for day in ("2025-04-20", "2025-04-21", "2025-05-20", "2025-05-21")
    }
    assert begun == {"2025-04-20": 0, "2025-04-21": 7, "2025-05-20": 7, "2025-05-21": None}


def test_a_month_without_entries_last_year_was_zero_and_not_unknown() -> None:
    books = posting(entry("2025-04-30", {CASH: 7, SALES: -7}), SALE)
    reports = reported(books, MAY)
    for kind in FLOWS:
        flows = {
            line.prior_year
            for line in reports.statement(kind).lines
            if line.kind != "heading" and line.key not in ("opening_cash", "closing_cash")
        }
        assert flows == {0}
    assert account_of(reports.statement(BALANCE_SHEET), CASH).prior_year == 7


def test_an_account_of_a_year_ago_alone_has_its_line() -> None:
    """Without it the column would not add up; the trend begins a month later."""
    books = posting(entry("2025-05-31", {RENT: 80_000, CASH: -80_000}), SALE)
    columns = ["current", "prior", "prior_year", "year_to_date"]
    for kind in (INCOME_STATEMENT, StatementKind.EXPENSE_ANALYSIS, CASH_FLOW):
        [rent] = [
            line for line in lines(statement(books, MAY, kind), columns) if "地代家賃" in line
        ]
        assert rent == "  地代家賃 0 0 80,000 0"


def months_of(reports: TenantReports) -> dict[tuple[str, ...], int]:
    """What the month itself has in each line; a counterpart of cash may come in and go out."""
    amounts: dict[tuple[str, ...], int] = {}
    section = ""
    for found in reports.statements:
        for line in found.lines:
            section = line.key if line.kind == "heading" else section
            within = section if line.key.startswith("account:") else ""
            amounts[found.kind, within, line.key] = line.current or 0
    return amounts


@given(batches())
@settings(max_examples=25, deadline=None)
def test_what_stands_beside_a_month_is_what_was_reported_then(
    batch: tuple[Month, list[Bookkeeping]],
) -> None:
    month, [books, *_] = batch
    now = reported(books, month)
    beside: dict[int, Callable[[StatementLine], int]] = {
        1: lambda line: line.prior or 0,
        11: lambda line: line.trend[0],
        12: lambda line: line.prior_year or 0,
    }
    for months_ago, amount in beside.items():
        then = months_of(reported(books, month.plus(-months_ago)))
        current_as_then = replace(
            now,
            statements=tuple(
                replace(
                    found,
                    lines=tuple(replace(line, current=amount(line)) for line in found.lines),
                )
                for found in now.statements
            ),
        )
        for key, shown in months_of(current_as_then).items():
            assert shown == then.get(key, 0), key
