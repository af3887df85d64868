"""What the reports show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports_pipeline.accounting.reports import StatementKind
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.content.layouts import (
    BALANCE_SHEET,
    CASH_FLOW,
    EXPENSE_ANALYSIS,
    INCOME_STATEMENT,
    INDIRECT_CASH_FLOW,
    StatementLayout,
    statement_report,
)
from reports_pipeline.documents.tables import (
    Cell,
    Combination,
    Ratio,
    Report,
    RowsAbove,
)
from tests.documents.samples import (
    COMPANY,
    SALES,
    Account,
    closing_on_the_20th,
    empty,
    english,
    in_thousands,
    losing,
    reports,
    without_a_year_before,
)


def cells(report: Report, key: str) -> tuple[Cell, ...]:
    [row] = [row for row in report.rows if row.key == key]
    return row.cells


def index(report: Report, key: str) -> int:
    return [row.key for row in report.rows].index(key)


def test_income_statement_compares_months_and_shows_share_and_year() -> None:
    report = statement_report(INCOME_STATEMENT, reports())

    assert [column.title for column in report.columns] == [
        "科目", "当月", "前月", "増減", "前年同月", "売上比", "当期累計",
    ]  # fmt: skip
    assert cells(report, "account:4110") == (
        "製品売上高",
        38_450_000,
        35_120_000,
        3_330_000,
        31_608_000,
        Ratio(38_450_000, 44_337_500),
        248_310_000,
    )


def test_headings_have_no_figures() -> None:
    report = statement_report(BALANCE_SHEET, reports())

    assert cells(report, "assets") == ("資産の部",)


def test_balance_sheet_compares_month_ends_and_the_year_start() -> None:
    report = statement_report(BALANCE_SHEET, reports())

    assert [column.title for column in report.columns[1:]] == [
        "当月末", "前月末", "増減", "前年同月末", "期首",
    ]  # fmt: skip
    assert cells(report, "account:1190") == (
        "貸倒引当金", -613_000, -584_000, -29_000, -525_600, -521_000,
    )  # fmt: skip
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


@pytest.mark.parametrize(
    "layout", [INCOME_STATEMENT, BALANCE_SHEET, EXPENSE_ANALYSIS, CASH_FLOW, INDIRECT_CASH_FLOW]
)
def test_books_without_a_year_before_leave_its_column_empty(layout: StatementLayout) -> None:
    report = statement_report(layout, without_a_year_before())

    titles = [column.title for column in report.columns]
    place = titles.index("前年同月末" if layout is BALANCE_SHEET else "前年同月")
    figures = [row.cells for row in report.rows if len(row.cells) > 1]

    assert {row[place] for row in figures} == {None}
    assert None not in {row[1] for row in figures}


def test_calendar_month_is_named() -> None:
    assert statement_report(INCOME_STATEMENT, reports()).period == "2026年10月度"
    assert statement_report(CASH_FLOW, english()).period == "Month ended October 31, 2026"


def test_month_closed_on_the_20th_is_given_by_its_days() -> None:
    in_english = replace(
        closing_on_the_20th(), company=replace(closing_on_the_20th().company, language="en")
    )

    for layout in (INCOME_STATEMENT, EXPENSE_ANALYSIS, CASH_FLOW, INDIRECT_CASH_FLOW):
        report = statement_report(layout, closing_on_the_20th())
        assert report.period == "2026年9月21日～2026年10月20日"
        assert statement_report(layout, in_english).period == "Sep 21, 2026 – Oct 20, 2026"
    assert statement_report(BALANCE_SHEET, closing_on_the_20th()).period == "2026年10月20日現在"


def test_statements_say_when_the_fiscal_year_began() -> None:
    assert statement_report(CASH_FLOW, closing_on_the_20th()).facts[-1] == "当期：2026年3月21日～"
    assert statement_report(CASH_FLOW, english()).facts[-1] == "Fiscal year from Apr 1, 2026"


def test_thousands_change_no_figure_of_the_model() -> None:
    """Amounts are truncated where they are printed; everything is computed from exact ones."""
    for layout in (INCOME_STATEMENT, BALANCE_SHEET, EXPENSE_ANALYSIS, CASH_FLOW):
        truncated = statement_report(layout, in_thousands())
        exact = statement_report(layout, reports())
        assert truncated.rows == exact.rows
        assert truncated.charts == exact.charts
        assert truncated.highlights == exact.highlights


def test_no_shares_where_sales_are_not_positive() -> None:
    refunds = {**SALES, "net_sales": [Account("4190", "売上値引", -1_000, 0, -1_000)]}

    report = statement_report(INCOME_STATEMENT, reports(sales=refunds))

    assert {row.cells[5] for row in report.rows if len(row.cells) > 1} == {None}


def test_loss_is_named_a_loss_and_seen_from_its_side() -> None:
    report = statement_report(INCOME_STATEMENT, losing())

    label, current, prior, change, prior_year, share, _ = cells(report, "operating_profit")

    assert label == "営業損失"
    assert current == 28_723_020
    assert prior == -18_719_390  # the profit of the month before
    assert change == 28_723_020 + 18_719_390
    assert isinstance(prior_year, int)
    assert prior_year < 0  # and that of the year before
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
            for column in (1, 2, 4, 6):
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


def test_indirect_statement_leaves_out_lines_of_zeros_but_no_total() -> None:
    report = statement_report(INDIRECT_CASH_FLOW, reports())
    of_nothing = statement_report(INDIRECT_CASH_FLOW, empty())

    assert "change_in_treasury_stock" not in {row.key for row in report.rows}
    assert cells(report, "income_taxes_paid")[1:] == (0, 0, 0, -6_200_000)
    assert [row.key for row in of_nothing.rows] == [
        "operating_activities",
        "subtotal_of_operating_activities",
        "total_operating_activities",
        "investing_activities",
        "total_investing_activities",
        "financing_activities",
        "total_financing_activities",
        "net_cash_change",
        "opening_cash",
        "closing_cash",
    ]


def test_both_cash_flows_end_at_the_same_balance() -> None:
    direct = statement_report(CASH_FLOW, reports())
    indirect = statement_report(INDIRECT_CASH_FLOW, reports())

    for key in ("opening_cash", "net_cash_change", "closing_cash"):
        assert cells(direct, key) == cells(indirect, key)


@pytest.mark.parametrize(
    "layout", [INCOME_STATEMENT, EXPENSE_ANALYSIS, CASH_FLOW, INDIRECT_CASH_FLOW]
)
def test_month_without_transactions_says_so(layout: StatementLayout) -> None:
    report = statement_report(layout, empty())

    assert report.notice == "この月の取引はありません。"
    assert report.notes == ()
    assert report.charts == ()


def test_month_of_sales_alone_has_no_expenses_but_transactions() -> None:
    sample = reports(sales={"net_sales": SALES["net_sales"]}, payments=())

    assert statement_report(EXPENSE_ANALYSIS, sample).notice == "この月の費用はありません。"
    for layout in (INCOME_STATEMENT, BALANCE_SHEET, CASH_FLOW, INDIRECT_CASH_FLOW):
        assert statement_report(layout, sample).notice == ""


@pytest.mark.parametrize("language", ["ja", "en"])
def test_month_of_balances_alone_says_what_did_not_happen(language: str) -> None:
    """A purchase on credit: nothing is earned, and no cash moves."""
    sample = reports(
        company=replace(COMPANY, language=language),
        sales={},
        balances={
            "current_assets": [
                Account("1120", "普通預金", 500_000, 500_000, 500_000),
                Account("1140", "製品", 300_000, 0, 0),
            ],
            "current_liabilities": [Account("2110", "買掛金", 300_000, 0, 0)],
        },
        receipts=(),
        payments=(),
        opening_cash=(500_000, 500_000, 500_000, 500_000),
        activities={},
    )

    texts = catalog(language)
    for layout in (INCOME_STATEMENT, EXPENSE_ANALYSIS, CASH_FLOW, INDIRECT_CASH_FLOW):
        assert statement_report(layout, sample).notice == texts.text(f"notice.{layout.kind}")
    assert statement_report(BALANCE_SHEET, sample).notice == ""


def test_balances_that_nothing_moved_are_a_month_without_transactions() -> None:
    """A new fiscal year carries the profit forward, and cash is where it was."""
    cash = 500_000
    sample = reports(
        sales={},
        balances={"current_assets": [Account("1120", "普通預金", cash, cash, cash)]},
        receipts=(),
        payments=(),
        opening_cash=(cash, cash, cash, cash),
        activities={},
    )
    [carried] = [
        line
        for line in sample.statement(StatementKind.BALANCE_SHEET).lines
        if line.key == "net_profit_for_year"
    ]
    sample = replace(
        sample,
        statements=tuple(
            replace(
                statement,
                lines=tuple(
                    replace(line, prior=200_000) if line is carried else line
                    for line in statement.lines
                ),
            )
            for statement in sample.statements
        ),
    )

    for layout in (INCOME_STATEMENT, BALANCE_SHEET, EXPENSE_ANALYSIS, CASH_FLOW):
        assert statement_report(layout, sample).notice == "この月の取引はありません。"


def test_open_month_says_that_it_may_change() -> None:
    report = statement_report(CASH_FLOW, reports(company=replace(COMPANY, closed=False)))

    assert any("まだ締められていません" in note for note in report.notes)


def test_only_what_corrects_a_revision_is_a_corrected_edition() -> None:
    second = reports(revision=2)
    editions = [
        statement_report(INCOME_STATEMENT, sample).edition
        for sample in (second, replace(second, corrects=1))
    ]
    assert editions == ["第2版", "第2版（訂正版）"]
