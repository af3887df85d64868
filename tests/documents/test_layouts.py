"""What the reports show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports_pipeline.accounting.reports import LineKind, StatementKind
from reports_pipeline.documents.layouts import (
    BALANCE_SHEET,
    CASH_FLOW,
    EXPENSE_ANALYSIS,
    INCOME_STATEMENT,
    StatementLayout,
    expense_claims,
    statement_report,
)
from reports_pipeline.documents.tables import (
    BarChart,
    Cell,
    ColumnChart,
    Combination,
    Ratio,
    Report,
    RowsAbove,
    WaterfallChart,
)
from tests.documents.samples import CLAIMS, COMPANY, SALES, Account, empty, losing, reports


def cells(report: Report, key: str) -> tuple[Cell, ...]:
    [row] = [row for row in report.rows if row.key == key]
    return row.cells


def index(report: Report, key: str) -> int:
    return [row.key for row in report.rows].index(key)


def test_income_statement_shows_month_prior_change_share_and_year() -> None:
    report = statement_report(INCOME_STATEMENT, reports())

    assert [column.title for column in report.columns] == [
        "科目", "当月", "前月", "増減", "売上比", "当期累計",
    ]  # fmt: skip
    assert cells(report, "account:4110") == (
        "製品売上高",
        38_450_000,
        35_120_000,
        3_330_000,
        Ratio(38_450_000, 44_337_500),
        248_310_000,
    )


def test_headings_have_no_figures() -> None:
    report = statement_report(BALANCE_SHEET, reports())

    assert cells(report, "assets") == ("資産の部",)


def test_balance_sheet_compares_month_ends_and_the_year_start() -> None:
    report = statement_report(BALANCE_SHEET, reports())

    assert [column.title for column in report.columns[1:]] == ["当月末", "前月末", "増減", "期首"]
    assert cells(report, "account:1190") == ("貸倒引当金", -613_000, -584_000, -29_000, -521_000)
    assert report.period == "2026年10月31日現在"


def test_missing_comparatives_stay_missing() -> None:
    usual = reports()
    statement = usual.statement(StatementKind.INCOME_STATEMENT)
    first_month = replace(
        usual,
        statements=(
            replace(statement, lines=tuple(replace(line, prior=None) for line in statement.lines)),
            *usual.statements[1:],
        ),
    )

    report = statement_report(INCOME_STATEMENT, first_month)

    assert cells(report, "account:6110")[2:4] == (None, None)
    assert report.highlights[0].remark == "前月比 —"


def test_no_shares_where_sales_are_not_positive() -> None:
    refunds = {**SALES, "net_sales": [Account("4190", "売上値引", -1_000, 0, -1_000)]}

    report = statement_report(INCOME_STATEMENT, reports(sales=refunds))

    assert {row.cells[4] for row in report.rows if len(row.cells) > 1} == {None}


def test_loss_is_named_a_loss_and_seen_from_its_side() -> None:
    report = statement_report(INCOME_STATEMENT, losing())

    label, current, prior, change, share, _ = cells(report, "operating_profit")

    assert label == "営業損失"
    assert current == 28_723_020
    assert prior == -18_719_390  # the profit of the month before
    assert change == 28_723_020 + 18_719_390
    assert share == Ratio(28_723_020, 9_450_000)
    assert any("損失の行" in note for note in report.notes)


def test_losses_add_up_through_the_ladder() -> None:
    """Every total is its formula's result, whichever lines were renamed."""
    for sample in (reports(), losing()):
        report = statement_report(INCOME_STATEMENT, sample)
        totals = [row for row in report.rows if isinstance(row.total_of, Combination)]
        assert len(totals) == 5
        for row in totals:
            assert isinstance(row.total_of, Combination)
            for column in (1, 2, 5):
                terms = []
                for sign, other in row.total_of.terms:
                    figure = report.rows[other].cells[column]
                    assert isinstance(figure, int)
                    terms.append(sign * figure)
                assert row.cells[column] == sum(terms)


def test_net_assets_keep_the_sign_of_a_loss() -> None:
    report = statement_report(BALANCE_SHEET, losing())

    assert cells(report, "net_profit_for_year")[0] == "当期純損益金額"
    assert not any("損失の行" in note for note in report.notes)


def test_section_totals_cover_the_lines_under_their_heading() -> None:
    report = statement_report(BALANCE_SHEET, reports())

    total = report.rows[index(report, "total_noncurrent_assets")]

    assert total.total_of == RowsAbove(index(report, "noncurrent_assets") + 1)


def test_account_among_receipts_and_payments_keeps_both_lines() -> None:
    report = statement_report(CASH_FLOW, reports())

    assert [row.cells[1] for row in report.rows if row.key == "account:1130"] == [
        41_480_000,
        120_000,
    ]


def test_expense_charts_show_the_largest_and_keep_the_total() -> None:
    usual = reports()

    bars, trend = statement_report(EXPENSE_ANALYSIS, usual).charts

    assert isinstance(bars, BarChart)
    assert bars.labels[:2] == ("給料手当", "役員報酬")
    assert list(bars.bars.values) == sorted(bars.bars.values, reverse=True)
    assert isinstance(trend, ColumnChart)
    assert trend.labels[0] == "11月"
    assert trend.labels[-1] == "10月"
    accounts = [
        line
        for line in usual.statement(StatementKind.EXPENSE_ANALYSIS).lines
        if line.kind is LineKind.ACCOUNT
    ]
    assert [sum(month) for month in zip(*(s.values for s in trend.stacks), strict=True)] == [
        sum(month) for month in zip(*(line.trend for line in accounts), strict=True)
    ]


def test_cash_bridge_ends_at_the_closing_balance() -> None:
    report = statement_report(CASH_FLOW, reports())
    bridge = report.charts[0]

    assert isinstance(bridge, WaterfallChart)
    assert bridge.opening + sum(bridge.steps) == cells(report, "closing_cash")[1]


def test_equity_ratio_is_net_assets_by_assets() -> None:
    report = statement_report(BALANCE_SHEET, reports())

    assert report.highlights[3].label == "自己資本比率"
    assert report.highlights[3].value == Ratio(103_211_138, 200_229_768)


@pytest.mark.parametrize("layout", [INCOME_STATEMENT, EXPENSE_ANALYSIS, CASH_FLOW])
def test_month_without_transactions_says_so(layout: StatementLayout) -> None:
    report = statement_report(layout, empty())

    assert report.notes == ("この月の取引はありません。",)
    assert report.charts == ()


def test_open_month_says_that_it_may_change() -> None:
    report = statement_report(CASH_FLOW, reports(company=replace(COMPANY, closed=False)))

    assert any("まだ締められていません" in note for note in report.notes)


def test_claim_list_has_a_row_each_and_their_sum() -> None:
    report = expense_claims(reports())

    assert len(report.rows) == len(CLAIMS) + 1
    assert report.rows[-1].cells[6:8] == (7_100, 644)
    assert report.rows[0].cells[-1] == "支払済"


def test_month_without_claims_says_so() -> None:
    report = expense_claims(empty())

    assert report.rows == ()
    assert report.notes == ("この月の経費精算はありません。",)
