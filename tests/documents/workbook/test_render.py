"""The workbooks, read back by openpyxl and recalculated by LibreOffice."""

from __future__ import annotations

import datetime
import io
import re
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import replace

import openpyxl
import pandas as pd
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from reports_pipeline.accounting.failures import FailureCode, TenantFailureError
from reports_pipeline.accounting.money import from_minor_units
from reports_pipeline.accounting.reports import Claim, TenantReports
from reports_pipeline.documents.branding import HOUSE_BRANDING, Branding
from reports_pipeline.documents.content.contents import WORKBOOKS, workbook_reports
from reports_pipeline.documents.tables import Cell, Ratio, Report
from reports_pipeline.documents.workbook.render import render_workbook
from tests.documents.samples import (
    CLAIMS,
    COMPANY,
    SAMPLES,
    empty,
    english,
    in_thousands,
    large,
    losing,
    reports,
)
from tests.programs import require_program

REFERENCE = "8f14e45fceea167a"
HEAD_ROW = 6
CASES = [(sample, report) for sample in SAMPLES for report in WORKBOOKS]


def first_sheet(name: str, sample: TenantReports) -> Report:
    return dict(zip(WORKBOOKS, workbook_reports(sample), strict=True))[name][0]


def sheets_of(tenant: TenantReports, name: str) -> list[Report]:
    """What a tenant's workbook of that name shows."""
    return dict(zip(WORKBOOKS, workbook_reports(tenant), strict=True))[name]


def report_of(tenant: TenantReports, name: str) -> Report:
    return sheets_of(tenant, name)[0]


def rendered(report: Report, *others: Report, branding: Branding = HOUSE_BRANDING) -> bytes:
    return render_workbook([report, *others], REFERENCE, branding)


def sheet_of(workbook: bytes, *, values: bool = True) -> Worksheet:
    return openpyxl.load_workbook(io.BytesIO(workbook), data_only=values).worksheets[0]


def claim_list(*claims: Claim) -> bytes:
    return rendered(first_sheet("expense_claims", reports(claims=tuple(claims))))


def expected(cell: Cell, currency: str) -> object:
    """What a reader of the sheet must see."""
    if cell is None:
        return "—"
    if isinstance(cell, Ratio):
        return pytest.approx(cell.numerator / cell.denominator)
    if isinstance(cell, int):
        return pytest.approx(float(from_minor_units(cell, currency)), abs=1e-6)
    if isinstance(cell, datetime.date):
        return datetime.datetime.combine(cell, datetime.time())
    return cell or None


def cells_of(workbook: bytes) -> dict[tuple[str, str], object]:
    """The values of all sheets by sheet and place."""
    book = openpyxl.load_workbook(io.BytesIO(workbook), data_only=True)
    return {
        (sheet.title, cell.coordinate): cell.value
        for sheet in book.worksheets
        for row in sheet.iter_rows()
        for cell in row
        if cell.value not in (None, "")
    }


def assert_shows(sheet: Worksheet, report: Report) -> None:
    for number, row in enumerate(report.rows, start=HEAD_ROW + 1):
        for column, cell in enumerate(row.cells, start=1):
            shown = sheet.cell(number, column).value
            wanted = expected(cell, report.company.currency)
            assert (shown or None) == wanted if cell == "" else shown == wanted, (number, column)


@pytest.fixture(scope="module")
def recalculated(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], bytes]:
    """Every sample's workbooks as LibreOffice saves them, having computed all formulas itself."""
    soffice = require_program("soffice")
    folder = tmp_path_factory.mktemp("workbooks")
    paths = {}
    for sample, name in CASES:
        path = folder / f"{sample}_{name}.xlsx"
        path.write_bytes(without_cached_values(rendered(*sheets_of(SAMPLES[sample](), name))))
        paths[sample, name] = path
    output = folder / "recalculated"
    subprocess.run(
        [
            soffice,
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--headless",
            "--convert-to",
            "xlsx",
            "--outdir",
            str(output),
            *map(str, paths.values()),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return {case: (output / path.name).read_bytes() for case, path in paths.items()}


def without_cached_values(workbook: bytes) -> bytes:
    """The workbook with formulas alone, so that whoever opens it must calculate."""
    output = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook)) as source,
        zipfile.ZipFile(output, "w") as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name.startswith("xl/worksheets/sheet"):
                content, count = re.subn(rb"</f><v>[^<]*</v>", b"</f>", content)
                assert count or b"<f>" not in content
            target.writestr(name, content)
    return output.getvalue()


@pytest.mark.parametrize(("sample", "name"), CASES)
def test_cached_values_are_the_figures_of_the_report(sample: str, name: str) -> None:
    report = report_of(SAMPLES[sample](), name)

    assert_shows(sheet_of(rendered(report)), report)


@pytest.mark.parametrize(("sample", "name"), CASES)
def test_formulas_compute_the_figures_of_the_report(
    sample: str, name: str, recalculated: Mapping[tuple[str, str], bytes]
) -> None:
    assert_shows(sheet_of(recalculated[sample, name]), report_of(SAMPLES[sample](), name))


def test_totals_changes_and_shares_are_formulas() -> None:
    report = report_of(reports(), "income_statement")
    keys = [row.key for row in report.rows]
    sheet = sheet_of(rendered(report), values=False)

    def cell(letter: str, key: str) -> object:
        return sheet[f"{letter}{HEAD_ROW + 1 + keys.index(key)}"].value

    sales = HEAD_ROW + 1 + keys.index("total_net_sales")
    costs = HEAD_ROW + 1 + keys.index("total_cost_of_sales")
    assert cell("B", "total_net_sales") == f"=SUBTOTAL(9,B{HEAD_ROW + 2}:B{sales - 1})"
    assert cell("E", "gross_profit") == f"=E{sales}-E{costs}"
    assert cell("G", "gross_profit") == f"=G{sales}-G{costs}"
    assert cell("D", "account:4110") == f"=B{HEAD_ROW + 2}-C{HEAD_ROW + 2}"
    assert cell("F", "account:4110") == f'=IF(B${sales}>0,B{HEAD_ROW + 2}/B${sales},"—")'
    assert cell("B", "account:4110") == 38_450_000


def test_missing_comparative_is_a_dash_and_no_formula() -> None:
    report = report_of(reports(), "income_statement")
    total = next(row for row in report.rows if row.key == "total_net_sales")
    label, current, *_, share, year_to_date = total.cells
    without_prior = replace(total, cells=(label, current, None, None, None, share, year_to_date))
    number = HEAD_ROW + 1 + report.rows.index(total)
    rows = tuple(without_prior if row is total else row for row in report.rows)

    sheet = sheet_of(rendered(replace(report, rows=rows)), values=False)

    assert [sheet[f"{letter}{number}"].value for letter in "CDE"] == ["—", "—", "—"]


@pytest.mark.parametrize("sample", ["usual", "large"])
def test_pandas_reads_a_statement_without_calculating(sample: str) -> None:
    report = report_of(SAMPLES[sample](), "balance_sheet")

    table = pd.read_excel(io.BytesIO(rendered(report)), header=HEAD_ROW - 1, index_col=0)

    assert table.loc["資産合計", "当月末"] == 200_229_768
    assert table.loc["負債及び純資産合計", "当月末"] == 200_229_768


@pytest.mark.parametrize("text", ["=1+1", "+81-3-0000-0000", "-1", "@SUM(A1)", "{=1}", "1"])
def test_text_of_a_tenant_is_never_a_formula(text: str) -> None:
    sheet = sheet_of(claim_list(replace(CLAIMS[0], description=text)), values=False)

    cell = sheet.cell(HEAD_ROW + 1, 6)

    assert cell.data_type == "s"
    assert cell.value == text


@pytest.mark.parametrize(
    "text", ["<b>P&L</b>", "𠮷野家 ﾗｰﾒﾝ", "客先\n訪問", "  前後の空白  ", '"quoted"', "]]>"]
)
def test_text_of_a_tenant_is_kept_as_it_is(text: str) -> None:
    sheet = sheet_of(claim_list(replace(CLAIMS[0], payee=text)))

    assert sheet.cell(HEAD_ROW + 1, 5).value == text


def test_text_that_looks_like_an_escape_of_excel_is_escaped() -> None:
    workbook = claim_list(replace(CLAIMS[0], payee="_x0041_社"))

    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        assert "_x005F_x0041_社" in archive.read("xl/sharedStrings.xml").decode()


@pytest.mark.parametrize("text", ["あ" * 32_768, "𠮷" * 16_384])
def test_text_longer_than_a_cell_fails_the_tenant(text: str) -> None:
    with pytest.raises(TenantFailureError) as raised:
        claim_list(replace(CLAIMS[0], description=text))

    assert raised.value.failure.code is FailureCode.TOO_LARGE
    assert raised.value.failure.details["cell"] == "F7"


@pytest.mark.parametrize("text", ["あ" * 32_767, "𠮷" * 16_383])
def test_longest_text_of_a_cell_is_kept(text: str) -> None:
    sheet = sheet_of(claim_list(replace(CLAIMS[0], description=text)))

    assert sheet.cell(HEAD_ROW + 1, 6).value == text


@pytest.mark.parametrize("text", ["bell\x07", "lone \ud800 surrogate", "\ufffe"])
def test_text_that_no_workbook_can_hold_fails_the_tenant(text: str) -> None:
    with pytest.raises(TenantFailureError) as raised:
        claim_list(replace(CLAIMS[0], description=text))

    assert raised.value.failure.code is FailureCode.BAD_TEXT


def test_claim_list_filters_its_rows_but_not_the_sum() -> None:
    sheet = sheet_of(rendered(first_sheet("expense_claims", large())), values=False)

    [table] = sheet.tables.values()

    assert table.ref == "A6:I406"
    assert table.autoFilter is not None
    assert table.autoFilter.ref == "A6:I406"
    assert [column.name for column in table.tableColumns][:2] == ["発生日", "精算番号"]
    assert sheet["G407"].value == "=SUBTOTAL(9,G7:G406)"


def test_claims_have_dates_and_amounts_with_formats() -> None:
    sheet = sheet_of(claim_list(*CLAIMS))

    assert sheet["A7"].value == pd.Timestamp("2026-10-02")
    assert sheet["A7"].number_format == "yyyy/mm/dd"
    assert sheet["G7"].value == 1_240
    assert sheet["G7"].number_format == '#,##0;[Red]"△"#,##0'


@pytest.mark.parametrize(
    ("text", "lines"), [("短い内容", 1), ("客先\n訪問\n報告", 3), ("長" * 50, 3)]
)
def test_row_is_as_high_as_its_text(text: str, lines: int) -> None:
    sheet = sheet_of(claim_list(replace(CLAIMS[0], description=text)))

    assert (sheet.row_dimensions[HEAD_ROW + 1].height or 17) == 17 * lines


def test_dollars_have_cents() -> None:
    sheet = sheet_of(rendered(first_sheet("income_statement", english())))

    assert sheet["A8"].value == "Product sales"
    assert sheet["B8"].value == 384_500
    assert sheet["B8"].number_format == '#,##0.00;[Red]"△"#,##0.00'


def test_month_without_claims_has_a_note_and_no_table() -> None:
    sheet = sheet_of(rendered(first_sheet("expense_claims", empty())))

    assert sheet["A7"].value == "この月の経費精算はありません。"
    assert not sheet.tables


@pytest.mark.parametrize("name", WORKBOOKS)
def test_sheet_is_set_up_for_screen_and_paper(name: str) -> None:
    report = first_sheet(name, reports())
    sheet = sheet_of(rendered(report))

    assert sheet.title == report.title
    assert sheet.freeze_panes == ("A7" if name == "expense_claims" else "B7")
    assert sheet.print_title_rows == "$1:$6"
    assert sheet.page_setup.paperSize == 9
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
    assert sheet.sheet_properties.pageSetUpPr is not None
    assert sheet.sheet_properties.pageSetUpPr.fitToPage


def test_head_names_company_period_reference_and_an_open_month() -> None:
    def head(sample: TenantReports) -> list[object]:
        report = first_sheet("income_statement", sample)
        sheet = sheet_of(rendered(report))
        return [sheet.cell(number, 1).value for number in range(1, HEAD_ROW)]

    assert head(losing()) == [
        "月次損益計算書",
        "株式会社さくら製作所",
        "2026年10月度　単位：円　消費税：税抜　当期：2026年4月1日～",
        f"管理番号 {REFERENCE}　第2版（訂正版）",
        "未締め・暫定",
    ]
    assert head(reports())[-1] is None


def test_properties_are_dated_by_the_month() -> None:
    report = first_sheet("balance_sheet", reports(company=replace(COMPANY, name="A & <B>")))

    book = openpyxl.load_workbook(io.BytesIO(rendered(report)))

    assert book.properties.title == "月次貸借対照表 2026年10月31日現在"
    assert book.properties.subject == "A & <B> 月次貸借対照表"
    assert book.properties.creator == "FinanceFlow"
    assert book.properties.keywords == "t0001, 2026-10"
    assert book.properties.created == pd.Timestamp("2026-11-01")


def test_workbook_of_a_company_that_reads_thousands_is_exact() -> None:
    of_thousands = first_sheet("income_statement", in_thousands())
    sheet = sheet_of(rendered(of_thousands))

    assert sheet["B8"].value == 38_450_000
    assert "単位：円" in str(sheet["A3"].value)


@pytest.mark.parametrize(
    ("name", "orientation"),
    [("income_statement", "portrait"), ("expense_claims", "landscape")],
)
def test_statements_are_printed_upright_and_lists_across(name: str, orientation: str) -> None:
    sheet = sheet_of(rendered(first_sheet(name, reports())))

    assert sheet.page_setup.orientation == orientation


@pytest.mark.parametrize(("sample", "name"), CASES)
def test_every_sheet_computes_what_it_shows(
    sample: str, name: str, recalculated: Mapping[tuple[str, str], bytes]
) -> None:
    shown = cells_of(rendered(*sheets_of(SAMPLES[sample](), name)))
    computed = cells_of(recalculated[sample, name])

    assert computed.keys() >= shown.keys()
    for place, value in shown.items():
        wanted = pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
        assert computed[place] == wanted, place


@pytest.mark.parametrize(("sample", "name"), CASES)
def test_same_input_gives_the_same_bytes(sample: str, name: str) -> None:
    report = report_of(SAMPLES[sample](), name)

    assert rendered(report) == rendered(report)


def test_archive_has_no_duplicate_and_no_dated_parts() -> None:
    with zipfile.ZipFile(io.BytesIO(claim_list(*CLAIMS))) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names))
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None
