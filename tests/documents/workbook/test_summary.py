"""The summary sheets, and the names of key figures, as a reader's own formulas would use them."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from reports_pipeline.accounting.reports import Claim, TenantReports
from reports_pipeline.documents.content.contents import WORKBOOKS, workbook_reports
from reports_pipeline.documents.workbook.render import render_workbook
from tests.documents.samples import (
    BALANCES,
    CLAIMS,
    COMPANY,
    SHARE_ACQUISITION_RIGHTS,
    empty,
    english,
    losing,
    reports,
)
from tests.programs import require_program

FIRST = 7  # row below the head


def workbook(tenant: TenantReports, name: str) -> bytes:
    sheets = dict(zip(WORKBOOKS, workbook_reports(tenant), strict=True))[name]
    return render_workbook(sheets, "8f14e45fceea167a")


def opened(content: bytes, *, values: bool = True) -> Workbook:
    return openpyxl.load_workbook(io.BytesIO(content), data_only=values)


def summary(tenant: TenantReports, name: str, *, values: bool = True) -> Worksheet:
    return opened(workbook(tenant, name), values=values).worksheets[1]


def rows_below_head(sheet: Worksheet) -> dict[object, tuple[object, ...]]:
    return {
        label: figures
        for label, *figures_ in sheet.iter_rows(min_row=FIRST, values_only=True)
        if any(figures := tuple(figures_))
    }


def with_claims(*claims: Claim) -> TenantReports:
    return reports(claims=tuple(claims))


def recalculated(folder: Path, content: bytes) -> Workbook:
    """The workbook as LibreOffice opens it, having computed every formula."""
    book = opened(content, values=False)
    source = folder / "source.xlsx"
    book.save(source)  # without cached values
    subprocess.run(
        [
            require_program("soffice"),
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--headless", "--convert-to", "xlsx", "--outdir", str(folder / "out"), str(source),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )  # fmt: skip
    return opened((folder / "out" / "source.xlsx").read_bytes())


def test_highlights_refer_to_the_statement() -> None:
    book = opened(workbook(reports(), "income_statement"), values=False)
    statement, sheet = book.worksheets[:2]

    label, current, prior, change, rate = (cell.value for cell in sheet[FIRST])

    assert statement.title == "月次損益計算書"
    assert sheet.title == "サマリー"
    assert label == "売上高合計"
    assert current == "='月次損益計算書'!B11"
    assert prior == "='月次損益計算書'!C11"
    assert statement["A11"].value == label
    assert (change, rate) == ("=B7-C7", '=IF(C7>0,D7/C7,"—")')


def test_highlights_show_month_prior_month_and_change() -> None:
    rows = rows_below_head(summary(reports(), "income_statement"))

    growth = pytest.approx(3_415_500 / 40_922_000)
    assert rows["売上高合計"] == (44_337_500, 40_922_000, 3_415_500, growth)
    assert rows["当期純利益"][:3] == (4_381_420, 3_036_470, 1_344_950)


def test_ratio_is_computed_of_both_rows_and_changes_in_points() -> None:
    formulas = {row[0].value: row for row in summary(reports(), "balance_sheet", values=False)}
    rows = rows_below_head(summary(reports(), "balance_sheet"))

    current = formulas["自己資本比率"][1]

    assert current.value == (
        "=IF('月次貸借対照表'!B28>0,'月次貸借対照表'!B47/'月次貸借対照表'!B28,\"—\")"
    )
    assert current.number_format.startswith("#,##0.0%")
    ratio, prior, change, rate = rows["自己資本比率"]
    assert ratio == pytest.approx(103_211_138 / 200_229_768)
    assert change == pytest.approx(100 * (ratio - prior))  # type: ignore[operator]
    assert rate == "—"
    row = formulas["自己資本比率"]
    assert (row[3].value, row[4].value) == ("=(B10-C10)*100", "—")
    assert row[3].number_format == '#,##0.0" pt";[Red]"△"#,##0.0" pt"'


def test_ratio_without_share_acquisition_rights_is_what_libreoffice_computes(
    tmp_path: Path,
) -> None:
    content = workbook(reports(balances={**BALANCES, **SHARE_ACQUISITION_RIGHTS}), "balance_sheet")
    computed = recalculated(tmp_path, content).worksheets[1]

    for rows in (rows_below_head(opened(content).worksheets[1]), rows_below_head(computed)):
        ratio, prior, change, rate = rows["自己資本比率"]
        assert ratio == pytest.approx(100_000_000 / 200_229_768)
        assert change == pytest.approx(100 * (ratio - prior))  # type: ignore[operator]
        assert rate == "—"


def test_growth_over_a_loss_is_a_dash() -> None:
    rows = rows_below_head(summary(losing(), "income_statement"))

    assert rows["営業損失"][-1] == "—"


@pytest.mark.parametrize("tenant", [reports(), english(), empty()])
def test_summary_has_the_head_of_the_statement(tenant: TenantReports) -> None:
    book = opened(workbook(tenant, "balance_sheet"))
    statement, sheet = book.worksheets[:2]

    for place in ("A2", "A3", "A4", "A5"):
        assert sheet[place].value == statement[place].value
    assert str(sheet["A1"].value).startswith(str(statement["A1"].value))


@pytest.mark.parametrize("name", ["income_statement", "balance_sheet"])
def test_month_without_transactions_says_so_below_statement_and_summary(name: str) -> None:
    for sheet in opened(workbook(empty(), name)).worksheets[:2]:
        assert "この月の取引はありません。" in [cell.value for cell in sheet["A"]]


def test_claims_are_counted_and_added_by_employee_category_and_status() -> None:
    sheet = summary(with_claims(*CLAIMS), "expense_claims", values=False)

    number, *_ = (cell.row for cell in sheet["A"] if cell.value == "接待交際費")
    criterion = f"expense_claims[経費区分],$A{number}"

    assert [sheet.cell(number, column).value for column in (2, 3, 4)] == [
        f"=COUNTIFS({criterion})",
        f"=SUMIFS(expense_claims[金額（税込）],{criterion})",
        f"=SUMIFS(expense_claims[うち消費税],{criterion})",
    ]
    labels = {cell.value for cell in sheet["A"]}
    assert {"申請者別", "経費区分別", "状態別", "承認済", "山﨑 花子"} <= labels


def test_totals_of_claims_agree_and_no_filter_changes_them() -> None:
    formulas = summary(with_claims(*CLAIMS), "expense_claims", values=False)
    sheet = summary(with_claims(*CLAIMS), "expense_claims")

    totals = [row for row in sheet.iter_rows(min_row=FIRST, values_only=True) if row[0] == "合計"]

    assert formulas["B7"].value == "=ROWS(expense_claims[金額（税込）])"
    assert formulas["C7"].value == "=SUM(expense_claims[金額（税込）])"
    assert len(totals) == 4
    assert {total[1:4] for total in totals} == {(3, 7_100, 644)}


def test_month_without_claims_adds_up_to_zero() -> None:
    book = opened(workbook(empty(), "expense_claims"))

    assert [cell.value for cell in book.worksheets[1][FIRST]] == ["合計", 0, 0, 0, "—"]
    assert book.worksheets[1]["A9"].value == "この月の経費精算はありません。"
    assert book.defined_names["claims_total"].attr_text == "'サマリー'!$C$7"


# What SUMIFS would take for something else, or for its neighbour.
MISREAD = ["<b>", "=1+1", ">0", "*", "会議?", "~", "100", "0100", "1e2", "10%", "TRUE", "Travel",
           "travel", "ｱｲｳ", "アイウ", "", " ", "A" * 300]  # fmt: skip


def test_every_text_is_counted_for_itself(tmp_path: Path) -> None:
    claims = [
        replace(CLAIMS[0], claim_id=f"EX-{number}", category=text, amount=10**number % 99_991)
        for number, text in enumerate(MISREAD)
    ]
    content = workbook(with_claims(*claims), "expense_claims")

    shown, computed = (
        [list(row) for row in book.worksheets[1].iter_rows(min_row=FIRST, values_only=True)]
        for book in (opened(content), recalculated(tmp_path, content))
    )

    assert len(shown) == len(computed)
    for row, figures in zip(shown, computed, strict=True):
        assert figures[:4] == row[:4]
    assert sum(row[1] == 1 for row in shown) >= len(MISREAD)


def test_key_figures_have_the_same_names_in_every_language() -> None:
    names = {
        language: set(
            opened(
                workbook(reports(company=replace(COMPANY, language=language)), "income_statement")
            ).defined_names
        )
        for language in ("ja", "en")
    }

    assert names["ja"] == names["en"]
    assert names["ja"] >= {
        "net_sales", "gross_profit", "operating_profit", "ordinary_profit", "net_profit",
        "net_sales_prior_month", "net_profit_prior_month",
    }  # fmt: skip


def values_of(names: Sequence[str], content: bytes, folder: Path) -> list[object]:
    """What formulas of a reader's own show that use the names."""
    book = opened(content, values=False)
    sheet = book.create_sheet("mine")
    for number, name in enumerate(names, start=1):
        sheet.cell(number, 1, f"={name}")
    saved = io.BytesIO()
    book.save(saved)
    computed = recalculated(folder, saved.getvalue())["mine"]
    return [computed.cell(number, 1).value for number in range(1, len(names) + 1)]


def test_names_work_in_formulas(tmp_path: Path) -> None:
    assert values_of(
        ["total_assets", "total_assets_prior_month", "total_net_assets/total_assets"],
        workbook(reports(), "balance_sheet"),
        tmp_path,
    ) == [200_229_768, 195_228_220, pytest.approx(103_211_138 / 200_229_768)]


def test_loss_is_a_negative_profit_under_its_name(tmp_path: Path) -> None:
    content = workbook(losing(), "income_statement")
    shown = rows_below_head(summary(losing(), "income_statement"))["営業損失"]

    values = values_of(["operating_profit", "operating_profit_prior_month"], content, tmp_path)

    assert values == [-28_723_020, 18_719_390]
    assert shown[:2] == (28_723_020, -18_719_390)


def test_total_of_claims_has_a_name(tmp_path: Path) -> None:
    content = workbook(with_claims(*CLAIMS), "expense_claims")

    assert values_of(["claims_total", "claims_count"], content, tmp_path) == [7_100, 3]
