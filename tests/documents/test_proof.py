"""Two hundred odd tenants: what their files say is what their statements say.

A file is read as its receiver reads it, PDFs by poppler's tools and workbooks by openpyxl, and
compared with the statements by code that shares nothing with the renderers. How a figure is
written is said once more in `printed_pages.written`.
"""

from __future__ import annotations

import io
import re
import subprocess
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from operator import attrgetter
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from reports_pipeline.accounting.failures import FailureCode, TenantFailureError
from reports_pipeline.accounting.money import from_minor_units
from reports_pipeline.accounting.reports import (
    StatementKind,
    TenantReports,
)
from reports_pipeline.documents.bundle import render_pdfs, render_workbooks
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.content.contents import editions, pdf_reports, workbook_reports
from reports_pipeline.documents.document import Document
from reports_pipeline.documents.tables import ColumnKind, Ratio, Report
from tests.documents.printed_pages import (
    PrintedPage,
    PrintedRow,
    column_edges,
    is_printed_as,
    printed_pages,
    split_line,
    without_spaces,
    written,
)
from tests.documents.samples import SALES, renamed, reports
from tests.documents.varied_tenants import COUNT, varied_tenant
from tests.programs import require_program

REFERENCE = "8f14e45fceea167a"
FONTS = {"NotoSansJP-Regular", "NotoSansJP-Bold"}
HEAD, FOOT = 100.0, 46.0  # points: what is above and below the body of a page


@dataclass(frozen=True)
class PrintedFile:
    """A PDF, the model it was made from, and what is on its pages."""

    path: Path
    parts: Sequence[Report]
    pages: Sequence[PrintedPage]


@dataclass(frozen=True)
class Bundle:
    """The files of a tenant, each with the model it was made from."""

    tenant: TenantReports
    pdfs: Sequence[PrintedFile]
    workbooks: Sequence[tuple[Document, list[Report]]]


@pytest.fixture(scope="module", params=range(COUNT))
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    tenant = varied_tenant(request.param)
    folder = tmp_path_factory.mktemp(tenant.company.tenant_id)
    pdfs = []
    models = [parts for edition in editions(tenant) for parts in pdf_reports(edition)]
    for document, parts in zip(render_pdfs(tenant, REFERENCE), models, strict=True):
        path = folder / document.name
        path.write_bytes(document.content)
        pdfs.append(PrintedFile(path, parts, printed_pages(path)))
    models = [sheets for edition in editions(tenant) for sheets in workbook_reports(edition)]
    workbooks = list(zip(render_workbooks(tenant, REFERENCE), models, strict=True))
    return Bundle(tenant, pdfs, workbooks)


def pages_by_report(pdf: PrintedFile) -> list[tuple[Report, list[PrintedPage]]]:
    """The pages of each part of a document, told by the titles in their heads."""
    parts = pdf.parts
    found: list[tuple[Report, list[PrintedPage]]] = [(parts[0], [])]
    for page in pdf.pages:
        following = parts[len(found)] if len(found) < len(parts) else None
        if following and without_spaces(following.title) in page.text(above=HEAD):
            found.append((following, []))
        found[-1][1].append(page)
    assert [report for report, _ in found] == list(parts)
    return found


def printed_rows(report: Report, pages: Sequence[PrintedPage]) -> Iterator[PrintedRow]:
    """The rows of the report's table in the order in which they are printed.

    Of the model it takes the labels alone, to know where a row ends: lines are added to it until it
    has figures and all of its label, or a line that ends in ….
    """
    expected = iter(report.rows)
    row = next(expected, None)
    label, figures = "", ("",) * (len(report.columns) - 1)
    for page in pages:
        found = column_edges(page, [column.title for column in report.columns])
        if found is None:
            continue
        head, edges = found
        for line in page.lines[head + 1 :]:
            if row is None or line[0].middle > page.height - FOOT:
                break
            is_heading = len(row.cells) == 1
            more, on_line = split_line(line, [] if is_heading else edges)
            label += more
            figures = tuple(map(str.__add__, figures, on_line)) if on_line else figures
            wanted = without_spaces(str(row.cells[0]))
            assert wanted.startswith(label.removesuffix("…")), (label, wanted)
            if is_printed_as(label, wanted) and (is_heading or any(figures)):
                yield PrintedRow(label, figures)
                row = next(expected, None)
                label, figures = "", ("",) * len(edges)
    assert row is None, f"{row.key}: {label!r} {figures} is not {row.cells}"


def test_tables_are_printed_row_by_row_as_the_model_has_them(bundle: Bundle) -> None:
    for pdf in bundle.pdfs:
        for report, pages in pages_by_report(pdf):
            if not report.columns:
                continue
            printed = list(printed_rows(report, pages))
            expected = [
                tuple(written(cell, report.company) for cell in row.cells[1:])
                or ("",) * (len(report.columns) - 1)
                for row in report.rows
            ]
            assert [row.figures for row in printed] == expected, pdf.path.name


def test_every_page_says_whose_it_is_and_of_what(bundle: Bundle) -> None:
    for pdf in bundle.pdfs:
        name = pdf.path.name
        number = 0
        for report, pages in pages_by_report(pdf):
            texts = catalog(report.company.language)
            for page in pages:
                number += 1
                head = page.text(above=HEAD)
                foot = page.text(below=page.height - FOOT)
                wanted = [report.title, report.period, *report.facts]
                if not report.company.closed:
                    wanted.append(texts.text("provisional"))
                for text in wanted:
                    assert without_spaces(text) in head, (name, text, head)
                    head = head.replace(without_spaces(text), "", 1)
                assert is_printed_as(head, report.company.name), name
                for text in (
                    texts.text("reference", reference=REFERENCE),
                    report.edition,
                    texts.text("page", page=number, pages=len(pdf.pages)),
                ):
                    assert without_spaces(text) in foot, (name, text, foot)


def test_fonts_are_embedded_subsets_that_know_their_characters(bundle: Bundle) -> None:
    pdffonts = require_program("pdffonts")
    for pdf in bundle.pdfs:
        command = [pdffonts, str(pdf.path)]
        listed = subprocess.run(command, capture_output=True, check=True, text=True)
        assert listed.stderr == ""
        fonts = listed.stdout.splitlines()[2:]
        assert {re.split(r"[+\s]", font)[1] for font in fonts} <= FONTS
        assert all(re.search(r"\byes +yes +yes\b", font) for font in fonts), listed.stdout


def test_text_that_is_copied_has_the_characters_of_the_tenant(bundle: Bundle) -> None:
    """Not glyphs that look alike: 髙 remains 髙, ｻ half as wide, 𠮷 itself."""
    for pdf in bundle.pdfs:
        report = pdf.parts[0]
        text = unicodedata.normalize("NFC", "".join(page.text() for page in pdf.pages))
        labels = [report.company.name, *(str(row.cells[0]) for row in report.rows)]
        for label in labels:
            start = unicodedata.normalize("NFC", without_spaces(label))[:9]
            assert start in text, (pdf.path.name, label)


# What a column shows of a line, by the message of its title.
SHOWN = {
    "column.month": attrgetter("current"),
    "column.month_end": attrgetter("current"),
    "column.prior_month": attrgetter("prior"),
    "column.prior_month_end": attrgetter("prior"),
    "column.prior_year": attrgetter("prior_year"),
    "column.prior_year_end": attrgetter("prior_year"),
    "column.year_to_date": attrgetter("year_to_date"),
    "column.opening": attrgetter("opening"),
}


def test_figures_of_the_model_are_those_of_the_statements(bundle: Bundle) -> None:
    """Each amount of each line; a loss is shown as a positive amount, and then all of its row."""
    models = [report for pdf in bundle.pdfs for report in pdf.parts]
    models += [report for _, sheets in bundle.workbooks for report in sheets]
    kinds = {kind.value: kind for kind in StatementKind}
    for report in models:
        if report.name not in kinds:
            continue
        texts = catalog(report.company.language)
        shown = {texts.text(msgid): value for msgid, value in SHOWN.items()}
        lines = iter(bundle.tenant.statement(kinds[report.name]).lines)
        for row in report.rows:
            line = next(lines)
            while line.key != row.key:  # left out, because all of it is nothing
                assert not any(value(line) for value in SHOWN.values())
                line = next(lines)
            is_loss = row.cells[0] == texts.messages.get(f"{row.key}.loss")
            for column, cell in zip(report.columns, row.cells, strict=False):
                if column.kind is ColumnKind.AMOUNT:
                    amount = shown[column.title](line)
                    assert cell == (-amount if is_loss and amount is not None else amount)
        assert next(lines, None) is None
        assert {c.title for c in report.columns if c.kind is ColumnKind.AMOUNT} <= shown.keys()


def sheet_rows(sheet: Worksheet, report: Report) -> list[tuple[object, ...]]:
    """The cells below the column titles, as a program reads them that does not calculate."""
    cells = list(sheet.iter_rows(values_only=True))
    width = len(report.columns)
    titles = tuple(column.title for column in report.columns)
    head = next(number for number, row in enumerate(cells) if row[:width] == titles)
    return [row[:width] for row in cells[head + 1 : head + 1 + len(report.rows)]]


def in_minor_units(value: object, currency: str) -> object:
    """A figure of a workbook as the model has it, exactly."""
    if isinstance(value, int | float):
        return int(Decimal(repr(value)) / from_minor_units(1, currency))
    return None if value == "—" else value


def test_workbooks_hold_the_figures_of_the_model(bundle: Bundle) -> None:
    for document, models in bundle.workbooks:
        book = openpyxl.load_workbook(io.BytesIO(document.content), data_only=True)
        for report in models:
            sheet = next(s for s in book.worksheets if s["A1"].value == report.title)
            for row, cells in zip(report.rows, sheet_rows(sheet, report), strict=True):
                for expected, shown in zip(row.cells, cells, strict=False):
                    if isinstance(expected, Ratio):
                        exact = expected.numerator / expected.denominator
                        assert shown == pytest.approx(exact, rel=1e-12)
                    elif isinstance(expected, int):
                        assert in_minor_units(shown, report.company.currency) == expected
                    elif isinstance(expected, str) or expected is None:
                        assert (shown or "") == ("—" if expected is None else expected)


@pytest.mark.parametrize("text", ["御礼😀", "☕髙﨑𠮷", "ﾗﾝﾁ🍱"])
def test_emoji_fails_its_tenant_before_any_file_is_made(text: str) -> None:
    for tenant in (
        reports(company=replace(varied_tenant(1).company, name=text)),
        reports(sales=renamed(SALES, {"6110": text})),
    ):
        with pytest.raises(TenantFailureError) as raised:
            render_pdfs(tenant, REFERENCE)

        assert raised.value.failure.code is FailureCode.MISSING_GLYPH
        assert raised.value.failure.tenant_id == tenant.company.tenant_id
        assert raised.value.failure.details["text"] == text
