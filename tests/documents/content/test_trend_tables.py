"""The trend tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from reports_pipeline.accounting.reports import (
    LineKind,
    StatementKind,
    StatementLine,
    TenantReports,
)
from reports_pipeline.documents.content.trend_tables import (
    BALANCE_SHEET_TREND,
    INCOME_STATEMENT_TREND,
    TrendLayout,
    trend_report,
)
from reports_pipeline.documents.tables import Cell, ColumnKind, Combination, Report, RowsAbove
from tests.documents.samples import (
    SAMPLES,
    closing_on_the_20th,
    empty,
    english,
    in_thousands,
    losing,
    reports,
)

LAYOUTS = [INCOME_STATEMENT_TREND, BALANCE_SHEET_TREND]


def cells(report: Report, key: str) -> tuple[Cell, ...]:
    [row] = [row for row in report.rows if row.key == key]
    return row.cells


def with_lines(
    of: TenantReports, change: Callable[[StatementLine], StatementLine]
) -> TenantReports:
    return replace(
        of,
        statements=tuple(
            replace(statement, lines=tuple(map(change, statement.lines)))
            for statement in of.statements
        ),
    )


def begun_in_march(line: StatementLine) -> StatementLine:
    """The line of books whose first month is March 2026, the fifth of the trend."""
    trend = (0,) * 4 + line.trend[4:] if line.trend else ()
    return replace(line, prior_year=None, trend=trend)


def test_income_statement_has_a_column_a_month_and_their_total() -> None:
    report = trend_report(INCOME_STATEMENT_TREND, reports())

    assert [column.title for column in report.columns] == [
        "科目", "2025/11", "2025/12", "2026/01", "2026/02", "2026/03", "2026/04", "2026/05",
        "2026/06", "2026/07", "2026/08", "2026/09", "2026/10", "合計",
    ]  # fmt: skip
    assert [column.kind for column in report.columns] == [
        ColumnKind.TEXT, *[ColumnKind.AMOUNT] * 12, ColumnKind.SUM,
    ]  # fmt: skip
    rent = (680_000, 705_500, 731_000, 756_500, 782_000, 807_500, 833_000, 858_500, 884_000,
            909_500, 850_000, 850_000)  # fmt: skip
    assert cells(report, "account:6310") == ("地代家賃", *rent, sum(rent))
    assert report.title == "損益計算書 月次推移表"
    assert report.period == "2025年11月～2026年10月"
    assert report.is_landscape


def test_balances_are_not_added() -> None:
    report = trend_report(BALANCE_SHEET_TREND, reports())

    assert len(report.columns) == 13
    assert {len(row.cells) for row in report.rows} == {1, 13}
    assert report.title == "貸借対照表 月次推移表"


def test_months_are_named_in_the_company_s_language() -> None:
    report = trend_report(BALANCE_SHEET_TREND, english())

    assert report.title == "Balance Sheet, 12 Months"
    assert report.columns[1].title == "Nov 2025"
    assert report.period == "November 2025 – October 2026"


def test_months_that_end_on_the_20th_keep_their_names() -> None:
    report = trend_report(INCOME_STATEMENT_TREND, closing_on_the_20th())

    assert report.columns[-2].title == "2026/10"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_rows_are_those_of_the_statement_with_an_amount_in_a_month(
    sample: str, layout: TrendLayout
) -> None:
    company = SAMPLES[sample]()
    lines = company.statement(layout.kind).lines

    rows = trend_report(layout, company).rows

    assert [(row.key, row.kind, row.level) for row in rows] == [
        (line.key, line.kind, line.level)
        for line in lines
        if any(line.trend) or not line.key.startswith("account:")
    ]
    assert [row.cells[1:13] for row in rows if row.kind is not LineKind.HEADING] == [
        line.trend
        for line in lines
        if line.kind is not LineKind.HEADING
        and (any(line.trend) or not line.key.startswith("account:"))
    ]


def test_an_account_that_rested_all_year_is_left_out() -> None:
    quiet = with_lines(
        reports(),
        lambda line: replace(line, trend=(0,) * 12) if line.key == "account:6390" else line,
    )

    keys = {row.key for row in trend_report(INCOME_STATEMENT_TREND, quiet).rows}

    assert "account:6390" not in keys
    assert "account:6330" in keys


@pytest.mark.parametrize("layout", LAYOUTS)
def test_totals_are_their_formulas_results_in_every_month(layout: TrendLayout) -> None:
    report = trend_report(layout, losing())
    checked = 0
    for number, row in enumerate(report.rows):
        for column in range(1, 13):
            match row.total_of:
                case Combination(terms):
                    expected = [sign * figure(report, other, column) for sign, other in terms]
                case RowsAbove(first):
                    expected = [
                        figure(report, other, column)
                        for other in range(first, number)
                        if report.rows[other].kind is LineKind.ACCOUNT
                    ]
                case None:
                    continue
            assert figure(report, number, column) == sum(expected), row.key
            checked += 1
    assert checked > 100


def figure(report: Report, row: int, column: int) -> int:
    cell = report.rows[row].cells[column]
    assert isinstance(cell, int)
    return cell


def test_profits_keep_their_names_whatever_a_month_brought() -> None:
    """Twelve months have one name; the statement names this month's loss."""
    report = trend_report(INCOME_STATEMENT_TREND, losing())

    label, *_, september, october, _ = cells(report, "operating_profit")

    assert label == "営業利益"
    assert (september, october) == (18_719_390, -28_723_020)
    assert "利益の行の△は損失を表します。" in report.notes
    assert (
        "利益の行の△は損失を表します。" not in trend_report(INCOME_STATEMENT_TREND, reports()).notes
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_months_before_the_books_are_empty(layout: TrendLayout) -> None:
    young = with_lines(reports(), begun_in_march)

    report = trend_report(layout, young)

    figures = [row.cells[1:13] for row in report.rows if row.kind is not LineKind.HEADING]
    assert {row[:4] for row in figures} == {(None,) * 4}
    assert None not in {cell for row in figures for cell in row[4:]}
    assert "帳簿の開始前の月は—で表しています。" in report.notes


def test_a_total_of_young_books_is_that_of_their_months() -> None:
    report = trend_report(INCOME_STATEMENT_TREND, with_lines(reports(), begun_in_march))

    [line] = [
        line
        for line in reports().statement(StatementKind.INCOME_STATEMENT).lines
        if line.key == "net_profit"
    ]
    assert cells(report, "net_profit")[-1] == sum(line.trend[4:])


def test_a_resting_month_of_old_books_is_zero() -> None:
    """Nothing in the first months, but the books reach a year back."""
    rested = with_lines(reports(), lambda line: replace(begun_in_march(line), prior_year=0))

    assert cells(trend_report(INCOME_STATEMENT_TREND, rested), "net_profit")[1:5] == (0, 0, 0, 0)


def test_a_company_without_amounts_has_a_ladder_of_zeros() -> None:
    report = trend_report(INCOME_STATEMENT_TREND, empty())

    assert {cell for row in report.rows for cell in row.cells[1:]} == {0}
    assert report.notes == ()


def test_thousands_and_an_open_month_are_noted() -> None:
    company = in_thousands()
    report = trend_report(
        INCOME_STATEMENT_TREND, replace(company, company=replace(company.company, closed=False))
    )

    assert report.facts[0] == "単位：千円"
    assert [note[:6] for note in report.notes] == ["この月はまだ", "金額は千円未", "△はマイナス"]
