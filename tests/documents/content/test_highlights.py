"""The figures in the heads of reports."""

from __future__ import annotations

from reports_pipeline.documents.content.layouts import (
    BALANCE_SHEET,
    EXPENSE_ANALYSIS,
    statement_report,
)
from reports_pipeline.documents.tables import Ratio
from tests.documents.samples import BALANCES, SHARE_ACQUISITION_RIGHTS, reports


def test_equity_ratio_is_net_assets_by_assets() -> None:
    report = statement_report(BALANCE_SHEET, reports())

    assert report.highlights[3].label == "自己資本比率"
    assert report.highlights[3].value == Ratio(103_211_138, 200_229_768)


def test_share_acquisition_rights_are_no_equity_yet() -> None:
    sample = reports(balances={**BALANCES, **SHARE_ACQUISITION_RIGHTS})

    ratio = statement_report(BALANCE_SHEET, sample).highlights[3]

    assert ratio.value == Ratio(100_000_000, 200_229_768)
    without = statement_report(BALANCE_SHEET, reports()).highlights[3]
    # a month ago, of 195,228,220: 100,915,220, less 2,000,000
    assert (without.remark, ratio.remark) == ("前月末 51.7%", "前月末 50.7%")


def test_expenses_are_told_by_the_largest_and_by_what_grew_most() -> None:
    expenses, to_date, largest, grown = statement_report(EXPENSE_ANALYSIS, reports()).highlights

    assert (expenses.value, to_date.value) == (12_062_720, 82_013_240)
    assert (largest.label, largest.value, largest.remark) == (
        "最大の科目：給料手当", 5_640_000, "構成比 46.8%",
    )  # fmt: skip
    assert (grown.label, grown.value, grown.remark) == (
        "増加が最大：広告宣伝費", 540_000, "前月比 +128.6%",
    )  # fmt: skip
