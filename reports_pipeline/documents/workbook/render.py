"""Reports as Excel workbooks that calculate: numbers are numbers, totals are formulas.

Here the sheets of a workbook are put together, with its defined names and properties.
`sheets.py` and `summary.py` say what stands on a sheet, `sheet_xml.py` writes it,
`template.py` has everything that is there before the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from openpyxl.utils import get_column_letter

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.documents.branding import HOUSE_BRANDING, Branding
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.logo_ground import needs_accent_ground
from reports_pipeline.documents.tables import Column, ColumnKind, Report
from reports_pipeline.documents.workbook.sheet_xml import SharedTexts, SheetWriter, UnfitTextError
from reports_pipeline.documents.workbook.sheets import SheetTable, key_figures, report_table
from reports_pipeline.documents.workbook.styles import (
    COMPANY,
    HEAD_FIGURE,
    HEAD_INNER_TEXT,
    HEAD_TEXT,
    MARK,
    META,
    TITLE,
    style_file,
)
from reports_pipeline.documents.workbook.summary import (
    list_figures,
    list_summary,
    statement_summary,
)
from reports_pipeline.documents.workbook.template import (
    FIRST_ROW,
    HEAD_ROW,
    PROPERTIES,
    SHARED_TEXTS,
    TITLE_HEIGHT,
    EmptySheet,
    SheetShape,
    drawing_file,
    empty_workbook,
    picture_file,
)
from reports_pipeline.documents.workbook.zip_archive import ArchivedFile, archive, deflated

# Limits of Excel.
_MOST_ROWS = 1_048_576
_LONGEST_SHEET_NAME = 31
_NOT_IN_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
_PORTRAIT_WIDTH = 160  # digits; a wider sheet is printed across
# zlib's: a higher level makes workbooks a tenth smaller and needs more than twice the time.
_LEVEL = 2
_WHITE = "FFFFFF"


def render_workbook(
    sheets: Sequence[Report], reference: str, branding: Branding = HOUSE_BRANDING
) -> bytes:
    """Reports as an .xlsx file, the same bytes for the same input.

    The first report is a statement or a list; its sheet comes first, then a summary of it, then
    the other reports. `reference` (管理番号) stands on every sheet.

    Raises:
        TenantFailureError: TOO_LARGE, a text or a list exceeds what Excel holds;
            BAD_TEXT, a text has characters that no XML file can hold.
    """
    for report in sheets:
        if HEAD_ROW + len(report.rows) + len(report.remarks) >= _MOST_ROWS:
            size = {"rows": len(report.rows), "limit": _MOST_ROWS}
            raise _failure(report, FailureCode.TOO_LARGE, size)
    try:
        return archive(_Composition(sheets, reference, branding).files())
    except UnfitTextError as error:
        details = {"cell": _place_of(error.text, sheets[0]), **error.details}
        raise _failure(sheets[0], error.code, details) from error


def _place_of(text: str, report: Report) -> str:
    """The cell of a text of the tenant: one of the table, else the company's name."""
    for number, row in enumerate(report.rows, start=FIRST_ROW):
        if text in row.cells:
            return f"{get_column_letter(row.cells.index(text) + 1)}{number}"
    return "A2"


def _failure(
    report: Report, code: FailureCode, details: Mapping[str, str | int]
) -> TenantFailureError:
    return TenantFailureError(
        TenantFailure(report.company.tenant_id, code, {"report": report.name, **details})
    )


@dataclass(frozen=True, slots=True)
class _Sheet:
    report: Report  # whose head the sheet has
    table: SheetTable
    name: str

    @property
    def quoted_name(self) -> str:
        """As formulas refer to it."""
        return _quoted(self.name)

    @property
    def is_list(self) -> bool:
        return self.report.is_list and self.table.columns is self.report.columns

    @property
    def has_table(self) -> bool:
        return self.is_list and bool(self.report.rows)


class _Composition:
    """The files of one workbook."""

    def __init__(self, reports: Sequence[Report], reference: str, branding: Branding) -> None:
        self._report = reports[0]
        self._company = self._report.company
        self._texts = catalog(self._company.language)
        self._reference = reference
        self._branding = branding
        self._sheets = _sheets(reports)
        self._exponent = minor_unit_exponent(self._company.currency)

    def files(self) -> Iterator[ArchivedFile]:
        logo = self._branding.logo
        shapes = tuple(_shape(sheet) for sheet in self._sheets)
        workbook = empty_workbook(shapes, has_logo=logo is not None)
        styles, numbers = style_file(
            self._branding.template,
            self._exponent,
            self._texts.text("workbook.date_format"),
            self._branding.accent,
        )
        texts = SharedTexts()
        yield from workbook.files
        yield styles
        if logo is not None:
            description = self._texts.text("workbook.logo", company=self._company.name)
            ground = self._branding.accent if needs_accent_ground(logo) else _WHITE
            yield drawing_file(logo.width, logo.height, ground, shapes[0].widths, description)
            yield picture_file(logo)
        areas = []
        for sheet, empty in zip(self._sheets, workbook.sheets, strict=True):
            writer = SheetWriter(sheet.table.columns, texts, numbers, self._exponent)
            self._write(sheet, writer)
            areas.append(writer.dimension)
            yield from _sheet_files(sheet, empty, writer)
        yield _file(*workbook.workbook_xml(self._defined_names(areas)))
        yield _file(SHARED_TEXTS, texts.xml())
        yield _file(PROPERTIES, _properties(self._report))

    def _write(self, sheet: _Sheet, writer: SheetWriter) -> None:
        """The rows of a sheet: its head, its table and its notes."""
        report, table = sheet.report, sheet.table
        company = report.company
        writer.line(table.title, TITLE, height=TITLE_HEIGHT, across=True)
        writer.line(company.name, COMPANY)
        writer.line("　".join([report.period, *report.facts]), META)
        reference = self._texts.text("reference", reference=self._reference)
        writer.line("　".join([reference, report.edition]), META)
        if not company.closed:
            writer.line(self._texts.text("provisional"), MARK)
        writer.skip(to=HEAD_ROW)
        writer.head(
            [column.title for column in table.columns],
            [_head_style(column, is_first=not i) for i, column in enumerate(table.columns)],
        )
        writer.rows(table.rows)
        if table.notes and writer.row_number > HEAD_ROW:
            writer.skip(to=writer.row_number + 2)
        for note in table.notes:
            writer.line(note, META)

    def _defined_names(self, areas: Sequence[str]) -> str:
        """Names of key figures, and each sheet's print area and repeated rows, as XML."""
        names = [
            f'<definedName name="{name}">{escape(formula)}</definedName>'
            for name, formula in sorted(self._key_figures().items())
        ]
        for number, (sheet, area) in enumerate(zip(self._sheets, areas, strict=True)):
            quoted = escape(sheet.quoted_name)
            first, last = (re.sub(r"([A-Z]+)(\d+)", r"$\1$\2", end) for end in area.split(":"))
            names += [
                f'<definedName name="_xlnm.Print_Area" localSheetId="{number}">'
                f"{quoted}!{first}:{last}</definedName>",
                f'<definedName name="_xlnm.Print_Titles" localSheetId="{number}">'
                f"{quoted}!$1:${HEAD_ROW}</definedName>",
            ]
        return "".join(names)

    def _key_figures(self) -> Mapping[str, str]:
        if self._report.is_list:
            return list_figures(self._sheets[1].quoted_name)
        return key_figures(self._report, self._sheets[0].quoted_name)


def _sheets(reports: Sequence[Report]) -> list[_Sheet]:
    """The first report, its summary, and the other reports."""
    first, *others = reports
    summary_name = catalog(first.company.language).text("sheet.summary")
    names = _sheet_names([first.title, summary_name, *(report.title for report in others)])
    summary = list_summary(first) if first.is_list else statement_summary(first, _quoted(names[0]))
    sheets = [_Sheet(first, report_table(first), names[0])]
    if summary is not None:
        sheets.append(_Sheet(first, summary, names[1]))
    return sheets + [
        _Sheet(report, report_table(report), name)
        for report, name in zip(others, names[2:], strict=True)
    ]


def _sheet_names(titles: Sequence[str]) -> list[str]:
    """The titles as Excel takes them for sheets: short, without some characters, no two alike."""
    names: list[str] = []
    for title in titles:
        plain = _NOT_IN_SHEET_NAME.sub(" ", title).strip("' ")
        name, count = plain[:_LONGEST_SHEET_NAME], 1
        while name.casefold() in {taken.casefold() for taken in names}:
            count += 1
            suffix = f" ({count})"
            name = plain[: _LONGEST_SHEET_NAME - len(suffix)] + suffix
        names.append(name)
    return names


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _shape(sheet: _Sheet) -> SheetShape:
    widths = tuple(column.width for column in sheet.table.columns)
    return SheetShape(
        sheet.name,
        widths,
        is_list=sheet.is_list,
        is_landscape=sum(widths) > _PORTRAIT_WIDTH,
        table=sheet.report.name if sheet.has_table else "",
        titles=tuple(column.title for column in sheet.table.columns) if sheet.has_table else (),
    )


def _sheet_files(sheet: _Sheet, empty: EmptySheet, writer: SheetWriter) -> Iterator[ArchivedFile]:
    yield _file(
        empty.file_name,
        f'{empty.before_dimension}<dimension ref="{writer.dimension}"/>{empty.before_rows}'
        f"{writer.xml}{empty.after_rows}",
    )
    if empty.table:
        last_detail = HEAD_ROW + len(sheet.report.rows) - 1  # the last row is the total
        last_column = writer.dimension.partition(":")[2].rstrip("0123456789")
        table_range = f'ref="A{HEAD_ROW}:{last_column}{last_detail}"'
        yield _file(empty.table_file_name, empty.table.replace('ref="range"', table_range))


def _file(name: str, xml: str) -> ArchivedFile:
    return deflated(name, xml.encode(), _LEVEL)


def _head_style(column: Column, *, is_first: bool) -> str:
    if column.kind in {ColumnKind.TEXT, ColumnKind.DATE}:
        return HEAD_TEXT if is_first else HEAD_INNER_TEXT
    return HEAD_FIGURE


def _properties(report: Report) -> str:
    """The document's properties; it is dated at the end of its month, not by a clock."""
    date = f'xsi:type="dcterms:W3CDTF">{report.company.month_end}T00:00:00Z'
    keywords = escape(f"{report.company.tenant_id}, {report.month}")
    return (
        '<cp:coreProperties xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
        'xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        "<dc:creator>FinanceFlow</dc:creator>"
        f"<dc:title>{escape(f'{report.title} {report.period}')}</dc:title>"
        f"<dc:subject>{escape(f'{report.company.name} {report.title}')}</dc:subject>"
        f"<cp:keywords>{keywords}</cp:keywords>"
        f"<dc:language>{report.company.language}</dc:language>"
        f"<dcterms:created {date}</dcterms:created>"
        f"<dcterms:modified {date}</dcterms:modified>"
        "</cp:coreProperties>"
    )
