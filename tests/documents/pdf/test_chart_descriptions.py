"""What is read to somebody who cannot see a chart."""

from __future__ import annotations

from dataclasses import replace

from reports_pipeline.documents.pdf.chart_descriptions import describe_chart
from reports_pipeline.documents.tables import BarChart, ColumnChart, Series, WaterfallChart
from tests.documents.samples import COMPANY


def test_bars_are_described_by_the_largest() -> None:
    chart = BarChart(
        "主な経費",
        Series("当月", (10_000, 0, -40_000, 20_000)),
        Series("前月", (1, 2, 3, 4)),
        ("家賃", "雑費", "戻り", "旅費"),
    )

    assert describe_chart(chart, COMPANY) == "主な経費: 戻り △40,000, 旅費 20,000, 家賃 10,000"


def test_columns_are_described_by_the_last_month() -> None:
    chart = ColumnChart(
        "推移", ("9月", "10月"), (Series("売上高", (900, 1_000)),), (Series("利益", (5, -7)),)
    )

    assert describe_chart(chart, COMPANY) == "推移: 10月 売上高 1,000, 10月 利益 △7"


def test_waterfall_is_described_by_its_balances_and_largest_steps() -> None:
    labels = ("期首", "営業", "投資", "財務", "その他", "期末")
    chart = WaterfallChart("現金の増減", labels, 1_000, (500, -800, 20, 30))

    assert describe_chart(chart, COMPANY) == (
        "現金の増減: 期首 1,000, 投資 △800, 営業 500, その他 30, 期末 750"
    )


def test_amounts_are_written_as_in_the_table() -> None:
    chart = BarChart("経費", Series("当月", (12_345_678,)), Series("前月", (0,)), ("家賃",))

    company = replace(COMPANY, display_unit="thousand")
    assert describe_chart(chart, company) == "経費: 家賃 12,345"


def test_chart_without_amounts_has_its_title_only() -> None:
    assert describe_chart(WaterfallChart("現金", ("期首", "期末"), 0, ()), COMPANY) == "現金"
