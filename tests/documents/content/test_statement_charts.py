"""What the charts show."""

from __future__ import annotations

from reports_pipeline.accounting.reports import LineKind, StatementKind
from reports_pipeline.documents.content.layouts import (
    CASH_FLOW,
    EXPENSE_ANALYSIS,
    INDIRECT_CASH_FLOW,
    statement_report,
)
from reports_pipeline.documents.tables import (
    BarChart,
    Cell,
    ColumnChart,
    Report,
    WaterfallChart,
)
from tests.documents.samples import reports


def cells(report: Report, key: str) -> tuple[Cell, ...]:
    [row] = [row for row in report.rows if row.key == key]
    return row.cells


def test_expense_charts_show_the_largest_and_keep_the_total() -> None:
    usual = reports()

    bars, trend = statement_report(EXPENSE_ANALYSIS, usual).charts

    assert isinstance(bars, BarChart)
    assert bars.labels[:2] == ("給料手当", "役員報酬")
    assert list(bars.bars.values) == sorted(bars.bars.values, reverse=True)
    assert isinstance(trend, ColumnChart)
    assert [series.name for series in trend.stacks] == [
        "給料手当", "役員報酬", "法定福利費", "地代家賃", "その他",
    ]  # fmt: skip
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


def test_activities_lead_from_the_opening_to_the_closing_balance() -> None:
    report = statement_report(INDIRECT_CASH_FLOW, reports())
    bridge, trend = report.charts

    assert isinstance(bridge, WaterfallChart)
    assert bridge.labels == ("月初", "営業活動", "投資活動", "財務活動", "月末")
    assert bridge.opening + sum(bridge.steps) == cells(report, "closing_cash")[1]
    assert isinstance(trend, ColumnChart)
    assert [series.values[-1] for series in trend.stacks] == list(bridge.steps)
