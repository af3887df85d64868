"""Reports as Excel workbooks that calculate: numbers are numbers, totals are formulas.

openpyxl builds an empty styled workbook once per layout; a tenant's workbook is that archive with
its rows appended. Rows are written here because openpyxl writes no cached values, without which
readers that do not calculate (pandas, previews) see empty totals.
"""

from __future__ import annotations

import datetime
import functools
import io
import math
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.header_footer import HeaderFooterItem
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.table import Table, TableStyleInfo
from openpyxl.worksheet.worksheet import Worksheet

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.money import from_minor_units, minor_unit_exponent
from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.formats import NEGATIVE_SIGN, NOTHING
from reports_pipeline.documents.tables import (
    Cell,
    Column,
    ColumnKind,
    Combination,
    Ratio,
    Report,
    Row,
    RowsAbove,
)

_HEAD_ROW = 6  # the rows above it hold title, company, period, reference and mark
_FIRST_ROW = _HEAD_ROW + 1
# Limits of Excel: rows of a sheet, and UTF-16 units of a cell's text.
_MOST_ROWS = 1_048_576
_LONGEST_TEXT = 32_767
# Points; the latter is a limit of Excel.
_LINE_HEIGHT = 17
_MOST_HEIGHT = 409
_EXCEL_EPOCH = datetime.date(1899, 12, 30)
# Most text is written as it is; this finds what must be escaped or refused.
_NEEDS_CARE = re.compile("[&<>_\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Excel reads _x0041_ in a text as an escaped character
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_SHEET = "xl/worksheets/sheet1.xml"
_TABLE = "xl/tables/table1.xml"
_PROPERTIES = "docProps/core.xml"

_FONT = "Yu Gothic"
_INK, _MUTED, _ACCENT, _NEGATIVE = "22303C", "6B7A88", "1F4E79", "C0392B"
_TINT = PatternFill("solid", fgColor="EDF3F8")
_HAIRLINE = Side("hair", color="C9D3DC")
_THIN = Side("thin", color=_MUTED)
_RULE = Side("thin", color=_ACCENT)
_BORDERS = {
    LineKind.HEADING: Border(),
    LineKind.ACCOUNT: Border(bottom=_HAIRLINE),
    LineKind.SUBTOTAL: Border(top=_THIN),
    LineKind.TOTAL: Border(top=_RULE, bottom=_RULE),
}


def render_workbook(report: Report, reference: str) -> bytes:
    """A report as an .xlsx file, the same bytes for the same input.

    Raises:
        TenantFailureError: TOO_LARGE, a text or the list exceeds what Excel holds;
            BAD_TEXT, a text has characters that no XML file can hold.
    """
    if _HEAD_ROW + len(report.rows) + len(report.notes) >= _MOST_ROWS:
        raise _failure(report, FailureCode.TOO_LARGE, rows=len(report.rows), limit=_MOST_ROWS)
    template = _template(
        report.title,
        report.columns,
        minor_unit_exponent(report.company.currency),
        catalog(report.company.language).text("workbook.date_format"),
        has_table=report.is_list and bool(report.rows),
    )
    rows = "".join(_SheetRows(report, template.styles).xml(reference))
    parts = {
        _SHEET: f"{template.sheet_head}<sheetData>{rows}</sheetData>{template.sheet_tail}",
        _PROPERTIES: _properties(report),
    }
    if template.table:
        details = len(report.rows) - 1  # the last row is the total
        parts[_TABLE] = template.table.replace(
            _table_range(report.columns, rows=1), _table_range(report.columns, rows=details)
        )
    output = io.BytesIO(template.archive)
    _add_parts(output, parts)
    return output.getvalue()


def _failure(report: Report, code: FailureCode, **details: str | int) -> TenantFailureError:
    return TenantFailureError(
        TenantFailure(report.company.tenant_id, code, {"report": report.name, **details})
    )


class _SheetRows:
    """The rows of a report's sheet as XML."""

    def __init__(self, report: Report, styles: Mapping[_StyleKey, int]) -> None:
        self._report = report
        self._styles = styles
        self._row_styles: dict[tuple[LineKind, int], list[int]] = {}
        self._lettered = [
            (get_column_letter(number), column)
            for number, column in enumerate(report.columns, start=1)
        ]
        amounts = [letter for letter, column in self._lettered if column.kind is ColumnKind.AMOUNT]
        self._current, self._prior = amounts[:2]

    def xml(self, reference: str) -> Iterator[str]:
        report = self._report
        texts = catalog(report.company.language)
        marks = [texts.text("reference", reference=reference), report.edition]
        yield self._line(1, report.title, _TITLE, lines=2)
        yield self._line(2, report.company.name, _COMPANY)
        yield self._line(3, "　".join([report.period, *report.facts]), _META)
        yield self._line(4, "　".join(marks), _META)
        if not report.company.closed:
            yield self._line(5, texts.text("provisional"), _MARK)
        yield self._row(
            _HEAD_ROW,
            [
                self._text(column.title, f"{letter}{_HEAD_ROW}", self._styles[_head_style(column)])
                for letter, column in self._lettered
            ],
        )
        for number, row in enumerate(report.rows, start=_FIRST_ROW):
            yield self._row(number, self._cells(row, number), lines=self._lines(row))
        after = _FIRST_ROW + len(report.rows) + (1 if report.rows else 0)
        for number, note in enumerate(report.notes, start=after):
            yield self._line(number, note, _META)

    def _line(self, number: int, text: str, style: _StyleKey, *, lines: int = 1) -> str:
        cell = self._text(text, f"A{number}", self._styles[style])
        return self._row(number, [cell], lines=lines)

    def _row(self, number: int, cells: list[str], *, lines: int = 1) -> str:
        # programs that open the file do not fit rows to their text by themselves
        height = min(lines * _LINE_HEIGHT, _MOST_HEIGHT)
        return f'<row r="{number}" ht="{height}" customHeight="1">{"".join(cells)}</row>'

    def _lines(self, row: Row) -> int:
        """How many lines its texts need, where they are wrapped."""
        if row.kind is not LineKind.ACCOUNT:
            return 1
        return max(
            _lines_of(cell, column.width)
            for cell, column in zip(row.cells, self._report.columns, strict=True)
        )

    def _cells(self, row: Row, number: int) -> list[str]:
        styles = self._styles_of(row.kind, row.level)
        cells = []
        for index, (letter, column) in enumerate(self._lettered):
            place, style = f"{letter}{number}", styles[index]
            if index >= len(row.cells):
                cells.append(f'<c r="{place}" s="{style}"/>')
                continue
            cell = row.cells[index]
            if cell is None:
                cells.append(self._text(NOTHING, place, style))
            elif isinstance(cell, str):
                cells.append(self._text(cell, place, style))
            else:
                formula = self._formula(row, column, letter, number)
                cells.append(self._number(cell, place, style, formula))
        return cells

    def _styles_of(self, kind: LineKind, level: int) -> list[int]:
        """The styles of a row's cells; looked up once per kind of row, for speed."""
        if (kind, level) not in self._row_styles:
            self._row_styles[kind, level] = [
                self._styles[_cell_style(kind, column.kind, level if index == 0 else 0)]
                for index, column in enumerate(self._report.columns)
            ]
        return self._row_styles[kind, level]

    def _text(self, text: str, place: str, style: int) -> str:
        """A text cell: what a tenant wrote is never read as a formula."""
        if len(text) > _LONGEST_TEXT // 2 and len(text.encode("utf-16-le")) // 2 > _LONGEST_TEXT:
            raise _failure(
                self._report, FailureCode.TOO_LARGE, cell=place, length=len(text),
                limit=_LONGEST_TEXT,
            )  # fmt: skip
        if _NEEDS_CARE.search(text):
            if _NOT_IN_XML.search(text):
                raise _failure(self._report, FailureCode.BAD_TEXT, cell=place, text=ascii(text))
            text = escape(_LOOKS_ESCAPED.sub("_x005F_", text), {"\r": "&#13;"})
        return (
            f'<c r="{place}" s="{style}" t="inlineStr">'
            f'<is><t xml:space="preserve">{text}</t></is></c>'
        )

    def _number(
        self, cell: int | Ratio | datetime.date, place: str, style: int, formula: str
    ) -> str:
        if isinstance(cell, Ratio):
            value = repr(cell.numerator / cell.denominator)
        elif isinstance(cell, datetime.date):
            value = str((cell - _EXCEL_EPOCH).days)
        else:
            value = str(from_minor_units(cell, self._report.company.currency))
        return f'<c r="{place}" s="{style}">{formula}<v>{value}</v></c>'

    def _formula(self, row: Row, column: Column, letter: str, number: int) -> str:
        """The formula element of a figure, empty for an entered one."""
        formula = ""
        if column.kind is ColumnKind.SHARE and self._report.base_row is not None:
            base = f"{self._current}${_FIRST_ROW + self._report.base_row}"
            formula = f'IF({base}>0,{self._current}{number}/{base},"{NOTHING}")'
        elif column.kind is ColumnKind.CHANGE:
            formula = f"{self._current}{number}-{self._prior}{number}"
        elif column.kind is ColumnKind.AMOUNT:
            formula = _total_formula(row, letter, number)
        return f"<f>{escape(formula)}</f>" if formula else ""


def _lines_of(cell: Cell, width: int) -> int:
    """Lines of a text in a column so many digits wide; a Japanese character is two."""
    if not isinstance(cell, str) or (2 * len(cell) <= width and "\n" not in cell):
        return 1
    return sum(
        max(1, math.ceil(sum(_digits(character) for character in line) / width))
        for line in cell.split("\n")
    )


def _digits(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WFA" else 1


def _total_formula(row: Row, letter: str, number: int) -> str:
    if isinstance(row.total_of, RowsAbove):
        first = _FIRST_ROW + row.total_of.first
        # SUBTOTAL leaves out the subtotals within its range, and rows that a filter hides
        return f"SUBTOTAL(9,{letter}{first}:{letter}{number - 1})" if first < number else ""
    if isinstance(row.total_of, Combination):
        terms = "".join(
            f"{'+' if sign > 0 else '-'}{letter}{_FIRST_ROW + index}"
            for sign, index in row.total_of.terms
        )
        return terms.removeprefix("+")
    return ""


# A style of the workbook: of a kind of row, a kind of column and a level, or of a line of text.
_StyleKey = tuple[LineKind, ColumnKind, int] | str
_TITLE, _COMPANY, _META, _MARK = "title", "company", "meta", "mark"
_HEAD_TEXT, _HEAD_FIGURE = "head of texts", "head of figures"
_LEVELS = range(4)
_FIGURE_INDENT = 1  # keeps figures off the text to their right


def _cell_style(row: LineKind, column: ColumnKind, level: int) -> _StyleKey:
    return row, column, level if column is ColumnKind.TEXT else 0


def _head_style(column: Column) -> _StyleKey:
    return _HEAD_TEXT if column.kind in {ColumnKind.TEXT, ColumnKind.DATE} else _HEAD_FIGURE


@dataclass(frozen=True)
class _Template:
    """An archive that lacks the parts that differ by tenant, and what is known of these."""

    archive: bytes
    styles: Mapping[_StyleKey, int]
    sheet_head: str  # before <sheetData>
    sheet_tail: str
    table: str  # over one row; empty where the sheet has no table


@functools.lru_cache(maxsize=64)
def _template(
    title: str,
    columns: tuple[Column, ...],
    exponent: int,
    date_format: str,
    *,
    has_table: bool,
) -> _Template:
    book = Workbook()
    book.calculation.fullCalcOnLoad = False  # values are cached
    sheet = book.worksheets[0]
    sheet.title = title
    for number, column in enumerate(columns, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = column.width
        sheet.cell(_HEAD_ROW, number, column.title)  # names the columns of the table
    _set_up_page(sheet, is_list=has_table, width=sum(column.width for column in columns))
    if has_table:
        table = Table(displayName="Details", ref=_table_range(columns, rows=1))
        table.tableStyleInfo = TableStyleInfo("TableStyleLight1", showRowStripes=False)
        sheet.add_table(table)
    styles = _style_numbers(sheet, exponent, date_format)
    saved = io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    del parts[_PROPERTIES]
    head, _, rest = parts.pop(_SHEET).partition("<sheetData>")
    output = io.BytesIO()
    table_part = parts.pop(_TABLE, "")
    _add_parts(output, parts)
    return _Template(
        archive=output.getvalue(),
        styles=styles,
        # the size of the sheet is the tenant's
        sheet_head=re.sub("<dimension [^>]*/>", "", head),
        sheet_tail=rest.partition("</sheetData>")[2],
        table=table_part,
    )


def _table_range(columns: tuple[Column, ...], *, rows: int) -> str:
    return f"A{_HEAD_ROW}:{get_column_letter(len(columns))}{_HEAD_ROW + rows}"


def _set_up_page(sheet: Worksheet, *, is_list: bool, width: int) -> None:
    sheet.sheet_view.showGridLines = False
    sheet.freeze_panes = f"{'A' if is_list else 'B'}{_FIRST_ROW}"
    sheet.print_title_rows = f"1:{_HEAD_ROW}"
    sheet.page_setup.paperSize = 9  # A4
    sheet.page_setup.orientation = "landscape" if width > 160 else "portrait"
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_margins = PageMargins(left=0.5, right=0.5, top=0.55, bottom=0.65)
    footer = HeaderFooterItem()
    footer.left.text = "FinanceFlow"
    footer.right.text = "&P / &N"
    sheet.oddFooter = footer


def _style_numbers(sheet: Worksheet, exponent: int, date_format: str) -> dict[_StyleKey, int]:
    """Registers every style with the workbook, by way of cells that are thrown away."""
    numbers: dict[_StyleKey, int] = {}

    def register(
        key: _StyleKey,
        font: Font,
        *,
        alignment: Alignment | None = None,
        fill: PatternFill | None = None,
        border: Border | None = None,
        number_format: str = "@",
    ) -> None:
        cell = sheet.cell(len(numbers) + 1, 100)
        cell.font = font
        cell.alignment = alignment or Alignment(vertical="center")
        cell.fill = fill or PatternFill()
        cell.border = border or Border()
        cell.number_format = number_format
        numbers[key] = cell.style_id

    register(_TITLE, Font(_FONT, 16, bold=True, color=_ACCENT))
    register(_COMPANY, Font(_FONT, 11, bold=True, color=_INK))
    register(_META, Font(_FONT, 9, color=_MUTED))
    register(_MARK, Font(_FONT, 11, bold=True, color=_NEGATIVE))
    for head, side in ((_HEAD_TEXT, "left"), (_HEAD_FIGURE, "right")):
        register(
            head,
            Font(_FONT, 10, bold=True, color="FFFFFF"),
            alignment=Alignment(
                horizontal=side, vertical="center", indent=_FIGURE_INDENT * (side == "right")
            ),
            fill=PatternFill("solid", fgColor=_ACCENT),
        )
    formats = _number_formats(exponent, date_format)
    for row_kind, column_kind, level in product(LineKind, ColumnKind, _LEVELS):
        key = _cell_style(row_kind, column_kind, level)
        if key in numbers:
            continue
        is_text = column_kind in {ColumnKind.TEXT, ColumnKind.DATE}
        is_heading = row_kind is LineKind.HEADING
        register(
            key,
            Font(
                _FONT,
                10,
                bold=row_kind is not LineKind.ACCOUNT,
                color=_ACCENT if is_heading else _INK,
            ),
            alignment=Alignment(
                horizontal="left" if is_text else "right",
                vertical="center",
                indent=level if is_text else _FIGURE_INDENT,
                wrap_text=is_text and row_kind is LineKind.ACCOUNT,
            ),
            fill=_TINT if row_kind is LineKind.TOTAL else None,
            border=_BORDERS[row_kind],
            number_format=formats[column_kind],
        )
    return numbers


def _number_formats(exponent: int, date_format: str) -> dict[ColumnKind, str]:
    decimals = "." + "0" * exponent if exponent else ""
    amount = f'#,##0{decimals};[Red]"{NEGATIVE_SIGN}"#,##0{decimals}'
    return {
        ColumnKind.TEXT: "@",
        ColumnKind.DATE: date_format,
        ColumnKind.AMOUNT: amount,
        ColumnKind.CHANGE: amount,
        ColumnKind.SHARE: f'#,##0.0%;[Red]"{NEGATIVE_SIGN}"#,##0.0%',
    }


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


def _add_parts(archive: io.BytesIO, parts: Mapping[str, str]) -> None:
    """Append files to a ZIP archive, which may be empty, under a date that never changes."""
    with zipfile.ZipFile(archive, "a") as writer:
        for name, text in parts.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            writer.writestr(entry, text)
