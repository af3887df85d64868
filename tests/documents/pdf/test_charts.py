"""Charts as they are printed: their axes, names and amounts."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace

import pytest
from pypdf import PdfReader

from reports_pipeline.documents.content.contents import pdf_reports
from reports_pipeline.documents.pdf.render import render_pdfs
from reports_pipeline.documents.tables import (
    BarChart,
    Chart,
    ColumnChart,
    Series,
    WaterfallChart,
)
from tests.documents.pdf.test_pagination import collisions
from tests.documents.samples import COMPANY, ENGLISH, reports
from tests.programs import require_program

MONTHS = tuple(f"{number}月" for number in (11, 12, *range(1, 11)))


def drawn(*charts: Chart, currency: str = "JPY") -> bytes:
    """A page with nothing but charts."""
    company = replace(COMPANY if currency == "JPY" else ENGLISH, currency=currency)
    [[statement, *_], *_] = pdf_reports(reports(company=company))
    report = replace(
        statement, columns=(), rows=(), base_row=None, highlights=(), notes=(), charts=charts
    )
    [pdf] = render_pdfs([[report]], "x")
    assert list(collisions(pdf)) == []
    return pdf


def words(pdf: bytes) -> list[str]:
    return (
        subprocess.run(
            [require_program("pdftotext"), "-", "-"], input=pdf, capture_output=True, check=True
        )
        .stdout.decode()
        .split()
    )


def columns(*values: int) -> ColumnChart:
    return ColumnChart("推移", MONTHS, (Series("売上高", values),), (Series("利益", values),))


@pytest.mark.parametrize(
    ("largest", "unit", "ticks"),
    [
        (4, "単位：円", ["0", "1", "2", "3", "4"]),
        (80_000, "単位：円", ["0", "20,000", "40,000", "60,000", "80,000"]),
        (38_450_000, "単位：千円", ["0", "10,000", "20,000", "30,000", "40,000"]),
        (999_999_999_999_999, "単位：百万円", ["0", "500,000,000", "1,000,000,000"]),
    ],
)
def test_axis_has_round_amounts_in_a_unit_that_is_read_easily(
    largest: int, unit: str, ticks: list[str]
) -> None:
    printed = words(drawn(columns(*[largest // 2] * 11, largest)))

    assert unit in printed
    assert set(ticks) <= set(printed)


def test_axis_of_a_currency_with_decimals_has_none() -> None:
    printed = words(drawn(columns(*[5_000_000] * 12), currency="KWD"))  # 5,000 dinars

    assert {"0", "2,000", "4,000", "6,000"} <= set(printed)


def test_amounts_below_zero_hang_from_the_zero_line() -> None:
    printed = words(drawn(columns(*[40_000, -40_000] * 6)))

    assert {"△40,000", "△20,000", "0", "20,000", "40,000", *MONTHS} <= set(printed)


def test_single_month_of_history_is_drawn_without_a_line_from_nowhere() -> None:
    def lines(pdf: bytes) -> int:
        content = PdfReader(io.BytesIO(pdf)).pages[0].get_contents()
        assert content is not None
        return content.get_data().count(b"1 j ")

    assert lines(drawn(columns(*[0] * 11, 40_000))) == 0
    assert lines(drawn(columns(*[0] * 10, 30_000, 40_000))) == 2  # the line and its white edge


def test_waterfall_of_15_digits_has_every_amount_beside_its_neighbour() -> None:
    names = ("月初", "営業活動", "投資活動", "財務活動", "月末")
    opening, steps = 271_207_920_000_000, (93_240_440_000_000, -155_643_000_000_000, -1)
    chart = WaterfallChart("当月の資金の動き", names, opening, steps)

    printed = words(drawn(chart, columns(*[999_999_999_999_999] * 12)))

    amounts = ["271,207,920,000,000", "93,240,440,000,000", "△155,643,000,000,000", "△1"]
    assert {*amounts, "208,805,359,999,999", *names} <= set(printed)


def test_bars_of_refunds_are_empty_and_their_amounts_negative() -> None:
    chart = BarChart(
        "当月の主な経費",
        Series("当月", (500, -300)),
        Series("前月", (400, 0)),
        ("旅費交通費", "とても長い名前の費用科目" * 5),
    )

    printed = words(drawn(chart, columns(*[1] * 12)))

    assert {"500", "△300"} <= set(printed)
    assert any(word.startswith("とても長い") and word.endswith("…") for word in printed)


def test_long_names_in_a_legend_are_shortened_and_short_ones_are_not() -> None:
    long = "海外営業部の旅費交通費及び宿泊費並びに日当その他の諸経費"
    stacks = tuple(
        Series(name, (100,) * 12) for name in (long + "一", long + "二", "雑費", "家賃", "その他")
    )

    printed = words(drawn(ColumnChart("推移", MONTHS, stacks, ()), columns(*[1] * 12)))

    assert {"雑費", "家賃", "その他"} <= set(printed)
    assert sum(word.startswith("海外営業部") and word.endswith("…") for word in printed) == 2


def test_chart_without_amounts_says_so() -> None:
    printed = words(drawn(columns(*[0] * 12), columns(*[1] * 12)))

    assert "表示する金額がありません" in printed
