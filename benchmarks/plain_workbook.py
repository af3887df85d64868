"""Workbooks the plain way: openpyxl, with style objects made for each cell.

Or with style objects made once and given to many cells, as a more careful engineer does: openpyxl
then needs a third of the time.
"""

from __future__ import annotations

import datetime
import functools
import io
from collections.abc import Callable, Sequence

from openpyxl import Workbook
from openpyxl.cell.cell import Cell as ExcelCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.table import Table, TableStyleInfo
from openpyxl.worksheet.worksheet import Worksheet

from reports_pipeline.accounting.money import from_minor_units, minor_unit_exponent
from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.documents.catalogs import Catalog, catalog
from reports_pipeline.documents.formats import NEGATIVE_SIGN, NOTHING
from reports_pipeline.documents.tables import Cell, Column, ColumnKind, Ratio, Report
from reports_pipeline.documents.workbook.sheet_xml import THIS_COLUMN, THIS_ROW, SheetRow
from reports_pipeline.documents.workbook.sheets import SheetTable, key_figures, report_table
from reports_pipeline.documents.workbook.summary import (
    list_figures,
    list_summary,
    statement_summary,
)

_FONT = "Yu Gothic"
_HEAD_ROW = 6
_FIRST_ROW = _HEAD_ROW + 1
_LINE_HEIGHT = 17  # points


class _Styles:
    """Makes style objects: a new one for each cell, or the same one for the same style."""

    def __init__(self, *, shared: bool) -> None:
        self.font: Callable[..., Font] = functools.cache(Font) if shared else Font
        self.side: Callable[..., Side] = functools.cache(Side) if shared else Side
        self.border: Callable[..., Border] = functools.cache(Border) if shared else Border
        self.fill: Callable[..., PatternFill] = (
            functools.cache(PatternFill) if shared else PatternFill
        )
        self.alignment: Callable[..., Alignment] = (
            functools.cache(Alignment) if shared else Alignment
        )


def render_workbook(
    reports: Sequence[Report], reference: str, *, shares_styles: bool = False
) -> bytes:
    """The first report, its summary and the other reports, a sheet each."""
    styles = _Styles(shared=shares_styles)
    book = Workbook()
    book.remove(book.worksheets[0])
    first, *others = reports
    quoted = f"'{first.title}'"
    summary = list_summary(first) if first.is_list else statement_summary(first, quoted)
    _add_sheet(book, first.title, first, report_table(first), reference, styles)
    summary_name = catalog(first.company.language).text("sheet.summary")
    if summary is not None:
        _add_sheet(book, summary_name, first, summary, reference, styles)
    for report in others:
        _add_sheet(book, report.title, report, report_table(report), reference, styles)
    names = list_figures(f"'{summary_name}'") if first.is_list else key_figures(first, quoted)
    for name, formula in names.items():
        book.defined_names[name] = DefinedName(name, attr_text=formula)
    book.properties.title = f"{first.title} {first.period}"
    book.properties.creator = "FinanceFlow"
    book.properties.subject = f"{first.company.name} {first.title}"
    book.properties.keywords = f"{first.company.tenant_id}, {first.month}"
    output = io.BytesIO()
    book.save(output)
    return output.getvalue()


def _add_sheet(
    book: Workbook,
    name: str,
    report: Report,
    table: SheetTable,
    reference: str,
    styles: _Styles,
) -> None:
    sheet = book.create_sheet(name[:31])
    texts = catalog(report.company.language)
    _fill_head(sheet, report, table, reference, texts)
    formats = _number_formats(report, texts)
    number = _HEAD_ROW
    for number, row in enumerate(table.rows, start=_FIRST_ROW):
        _fill_row(sheet, number, row, table.columns, formats, report.company.currency, styles)
    after = number + (2 if number > _HEAD_ROW else 1)
    for note_number, note in enumerate(table.notes, start=after):
        cell = _cell(sheet, note_number, 1)
        _write_text(cell, note)
        cell.font = Font(_FONT, 9, color="6B7A88")
    is_list = report.is_list and table.columns is report.columns
    _set_up(sheet, table.columns, is_list=is_list)
    if is_list and report.rows:
        last = get_column_letter(len(table.columns))
        details = Table(displayName=report.name, ref=f"A{_HEAD_ROW}:{last}{number - 1}")
        details.tableStyleInfo = TableStyleInfo("TableStyleLight1", showRowStripes=False)
        sheet.add_table(details)


def _cell(sheet: Worksheet, row: int, column: int) -> ExcelCell:
    cell = sheet.cell(row, column)
    assert isinstance(cell, ExcelCell)  # no cell is merged
    return cell


def _write_text(cell: ExcelCell, text: str) -> None:
    cell.value = text
    cell.data_type = "s"  # never a formula, whatever a tenant wrote


def _fill_head(
    sheet: Worksheet, report: Report, table: SheetTable, reference: str, texts: Catalog
) -> None:
    marks = [texts.text("reference", reference=reference), report.edition]
    lines = [
        (table.title, Font(_FONT, 16, bold=True, color="1F4E79")),
        (report.company.name, Font(_FONT, 11, bold=True, color="22303C")),
        ("　".join([report.period, *report.facts]), Font(_FONT, 9, color="6B7A88")),
        ("　".join(marks), Font(_FONT, 9, color="6B7A88")),
    ]
    if not report.company.closed:
        lines.append((texts.text("provisional"), Font(_FONT, 11, bold=True, color="C0392B")))
    for number, (text, font) in enumerate(lines, start=1):
        cell = _cell(sheet, number, 1)
        _write_text(cell, text)
        cell.font = font
        cell.alignment = Alignment(vertical="center")
    for number, _ in enumerate(table.columns, start=1):
        _cell(sheet, 1, number).border = Border(top=Side("thick", color="1F4E79"))
    for number, column in enumerate(table.columns, start=1):
        is_text = column.kind in {ColumnKind.TEXT, ColumnKind.DATE}
        cell = _cell(sheet, _HEAD_ROW, number)
        _write_text(cell, column.title)
        cell.font = Font(_FONT, 10, bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor="1F4E79")
        cell.alignment = Alignment(
            horizontal="left" if is_text else "right",
            vertical="center",
            indent=0 if is_text else 1,
        )
    sheet.row_dimensions[1].height = 42


def _fill_row(
    sheet: Worksheet,
    number: int,
    row: SheetRow,
    columns: Sequence[Column],
    formats: dict[ColumnKind, str],
    currency: str,
    styles: _Styles,
) -> None:
    lines = 1
    for index, column in enumerate(columns):
        kind = row.kinds[index] if row.kinds else column.kind
        cell = _cell(sheet, number, index + 1)
        if index < len(row.cells):
            value = row.cells[index]
            formula = row.formulas[index] if row.formulas else ""
            if formula and value is not None and not isinstance(value, str):
                placed = formula.replace(THIS_COLUMN, cell.column_letter)
                cell.value = "=" + placed.replace(THIS_ROW, str(number))
            else:
                _write(cell, value, kind, currency)
            if isinstance(value, str) and row.kind is LineKind.ACCOUNT:
                lines = max(lines, _lines_of(value, column.width))
        _decorate(cell, row.kind, kind, 0 if index else row.level, styles)
        cell.number_format = formats[kind]
    sheet.row_dimensions[number].height = min(409, lines * _LINE_HEIGHT)


def _write(cell: ExcelCell, value: Cell, kind: ColumnKind, currency: str) -> None:
    if value is None:
        _write_text(cell, NOTHING)
    elif isinstance(value, str):
        _write_text(cell, value)
    elif isinstance(value, datetime.date):
        cell.value = value
    elif isinstance(value, Ratio):
        cell.value = value.numerator / value.denominator
    else:
        cell.value = value if kind is ColumnKind.COUNT else from_minor_units(value, currency)


def _lines_of(text: str, width: int) -> int:
    """Lines of a text in a column so many digits wide; a Japanese character is two."""
    return sum(
        -(-max(1, len(line) + sum(c > "\xff" for c in line)) // width) for line in text.split("\n")
    )


def _decorate(
    cell: ExcelCell, row: LineKind, column: ColumnKind, level: int, styles: _Styles
) -> None:
    is_text = column in {ColumnKind.TEXT, ColumnKind.DATE}
    cell.font = styles.font(
        _FONT,
        10,
        bold=row is not LineKind.ACCOUNT,
        color="1F4E79" if row is LineKind.HEADING else "22303C",
    )
    cell.alignment = styles.alignment(
        horizontal="left" if is_text else "right",
        vertical="center",
        indent=level if is_text else 1,
        wrap_text=is_text and row is LineKind.ACCOUNT,
    )
    if row is LineKind.ACCOUNT:
        cell.border = styles.border(bottom=styles.side("hair", color="C9D3DC"))
    elif row is LineKind.SUBTOTAL:
        cell.border = styles.border(top=styles.side("thin", color="6B7A88"))
    elif row is LineKind.TOTAL:
        rule = styles.side("thin", color="1F4E79")
        cell.border = styles.border(top=rule, bottom=rule)
        cell.fill = styles.fill("solid", fgColor="EDF3F8")


def _number_formats(report: Report, texts: Catalog) -> dict[ColumnKind, str]:
    exponent = minor_unit_exponent(report.company.currency)
    decimals = "." + "0" * exponent if exponent else ""
    amount = f'#,##0{decimals};[Red]"{NEGATIVE_SIGN}"#,##0{decimals}'
    return {
        ColumnKind.TEXT: "@",
        ColumnKind.DATE: texts.text("workbook.date_format"),
        ColumnKind.AMOUNT: amount,
        ColumnKind.CHANGE: amount,
        ColumnKind.SUM: amount,
        ColumnKind.COUNT: "#,##0",
        ColumnKind.SHARE: f'#,##0.0%;[Red]"{NEGATIVE_SIGN}"#,##0.0%',
        ColumnKind.POINTS: f'#,##0.0" pt";[Red]"{NEGATIVE_SIGN}"#,##0.0" pt"',
    }


def _set_up(sheet: Worksheet, columns: Sequence[Column], *, is_list: bool) -> None:
    for number, column in enumerate(columns, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = column.width
    sheet.sheet_view.showGridLines = False
    sheet.freeze_panes = f"{'A' if is_list else 'B'}{_FIRST_ROW}"
    sheet.print_title_rows = f"1:{_HEAD_ROW}"
    sheet.print_area = sheet.dimensions
    sheet.page_setup.paperSize = 9
    is_wide = sum(column.width for column in columns) > 160
    sheet.page_setup.orientation = "landscape" if is_wide else "portrait"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_margins = PageMargins(left=0.5, right=0.5, top=0.55, bottom=0.65)
    assert sheet.oddFooter is not None
    sheet.oddFooter.left.text = "FinanceFlow"
    sheet.oddFooter.right.text = "&P / &N"
