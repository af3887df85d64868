"""The plain documents say what ours say, so that comparing their cost is fair."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from benchmarks import plain_documents, plain_pdf
from benchmarks.sample_reports import sample_reports
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents import bundle
from reports_pipeline.documents.content.contents import pdf_reports
from reports_pipeline.documents.pdf.render import render_pdfs
from reports_pipeline.documents.tables import BarChart
from tests.documents.printed_pages import PrintedPage, printed_pages, without_spaces
from tests.documents.samples import empty, english, losing

REFERENCE = "8f14e45fceea167a"
TENANTS: dict[str, Callable[[], TenantReports]] = {
    "standard": lambda: sample_reports(1),
    "premium": lambda: sample_reports(2, "premium"),
    "losing": lambda: on_the_light_plan(losing()),
    "english": lambda: on_the_light_plan(english()),
    "empty": empty,
}


def on_the_light_plan(tenant: TenantReports) -> TenantReports:
    """Trend tables of any length may take a page more in one of the two ways."""
    return replace(tenant, company=replace(tenant.company, plan="light"))


def pages_of(content: bytes, folder: Path) -> list[PrintedPage]:
    path = folder / "report.pdf"
    path.write_bytes(content)
    return printed_pages(path)


def characters(pages: Sequence[PrintedPage]) -> Counter[str]:
    return Counter("".join(page.text() for page in pages))


def text_of(content: bytes, folder: Path) -> str:
    return "".join(page.text() for page in pages_of(content, folder))


@pytest.mark.parametrize("name", TENANTS)
def test_pages_have_the_same_characters(name: str, tmp_path: Path) -> None:
    """All of them but those of the charts, whose axes are each drawn their own way."""
    for parts in pdf_reports(TENANTS[name]()):
        without_charts = [replace(report, charts=()) for report in parts]
        [content] = render_pdfs([without_charts], REFERENCE)
        ours = pages_of(content, tmp_path)
        plain = pages_of(plain_pdf.render_pdf(without_charts, REFERENCE), tmp_path)
        assert [page.width for page in plain] == [page.width for page in ours]
        assert characters(plain) == characters(ours)


@pytest.mark.parametrize("name", TENANTS)
def test_charts_name_the_same(name: str, tmp_path: Path) -> None:
    tenant = TENANTS[name]()
    ours = bundle.render_pdfs(tenant, REFERENCE)
    plain = plain_documents.render_pdfs(tenant, REFERENCE)
    for parts, document, content in zip(pdf_reports(tenant), ours, plain, strict=True):
        texts = [text_of(document.content, tmp_path), text_of(content, tmp_path)]
        for chart in (chart for report in parts for chart in report.charts):
            words = [chart.title]
            if chart.has_amounts and not isinstance(chart, BarChart):  # whose labels are shortened
                words += chart.labels
            for word in words:
                assert all(without_spaces(word) in text for text in texts), word


def cells_of(sheet: Worksheet) -> dict[str, tuple[object, ...]]:
    return {
        cell.coordinate: (
            cell.value,
            cell.number_format if not isinstance(cell.value, str) else "",
            cell.font.b,
            cell.alignment.horizontal,
            *(getattr(side, "style", None) for side in (cell.border.top, cell.border.bottom)),
            cell.fill.fill_type,
        )
        for row in sheet.iter_rows()
        for cell in row
        if cell.value not in (None, "")
    }


def loaded(content: bytes) -> Workbook:
    return openpyxl.load_workbook(io.BytesIO(content))


@pytest.mark.parametrize("name", TENANTS)
def test_workbooks_have_the_same_cells(name: str) -> None:
    """Values, formulas, formats and styles."""
    tenant = TENANTS[name]()
    ours = bundle.render_workbooks(tenant, REFERENCE)
    plain = plain_documents.render_workbooks(tenant, REFERENCE)
    for document, content in zip(ours, plain, strict=True):
        our_book, plain_book = loaded(document.content), loaded(content)
        assert plain_book.sheetnames == our_book.sheetnames
        assert plain_book.defined_names.keys() == our_book.defined_names.keys()
        for our_sheet, plain_sheet in zip(our_book.worksheets, plain_book.worksheets, strict=True):
            assert cells_of(plain_sheet) == cells_of(our_sheet)
            assert plain_sheet.freeze_panes == our_sheet.freeze_panes
            assert plain_sheet.print_title_rows == our_sheet.print_title_rows
            assert plain_sheet.print_area == our_sheet.print_area
            assert plain_sheet.page_setup.orientation == our_sheet.page_setup.orientation
            assert [(t.name, t.ref) for t in plain_sheet.tables.values()] == [
                (t.name, t.ref) for t in our_sheet.tables.values()
            ]
