"""The styles of workbooks, by template and in a company's colours.

openpyxl makes the styles once for each template, with colours that stand for the company's; these
are then replaced, because making styles for each company would cost more than all its rows.
"""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.documents.branding import Template
from reports_pipeline.documents.formats import NEGATIVE_SIGN
from reports_pipeline.documents.tables import ColumnKind
from reports_pipeline.documents.workbook.sheet_xml import INNER_LEVEL, StyleKey, cell_style
from reports_pipeline.documents.workbook.zip_archive import ArchivedFile, deflated

STYLES = "xl/styles.xml"
TITLE, COMPANY, META, MARK = "title", "company", "meta", "mark"
HEAD_TEXT, HEAD_FIGURE = "head of texts", "head of figures"
HEAD_INNER_TEXT = "head of texts beside other columns"

_FONT = "Yu Gothic"
_INK, _MUTED, _NEGATIVE = "22303C", "6B7A88", "C0392B"
_BLACK, _WHITE = "000000", "FFFFFF"
# Stand for the company's colours until these are known; nothing else has them.
_ACCENT, _TINT = "ACCE17", "71A7ED"
_TINT_SHARE = 0.08  # of the accent, on white
_LEVELS = range(4)
_SMALL = 9  # zlib's level for what is compressed once
_NO_FILL, _NO_BORDER = PatternFill(), Border()
_CENTRED = Alignment(vertical="center")


@dataclass(frozen=True)
class _Style:
    font: Font
    fill: PatternFill = _NO_FILL
    border: Border = _NO_BORDER
    alignment: Alignment = _CENTRED
    number_format: str = "@"


@dataclass(frozen=True)
class _Look:
    """How the sheets of a template differ from another's."""

    ink: str
    title: _Style
    head: _Style
    heading: str  # colour of the headings
    total_fill: PatternFill
    borders: Mapping[LineKind, Border]


@functools.lru_cache(maxsize=64)
def style_file(
    template: Template, exponent: int, date_format: str, accent: str
) -> tuple[ArchivedFile, Mapping[StyleKey, int]]:
    """The styles in a company's colours, and the numbers by which cells name them."""
    xml, numbers = _uncoloured_styles(template, exponent, date_format)
    for stand_in, colour in ((_ACCENT, accent), (_TINT, _tint(accent))):
        xml = xml.replace(f'"00{stand_in}"', f'"FF{colour}"')
    return deflated(STYLES, xml.encode(), _SMALL), numbers


def _tint(accent: str) -> str:
    channels = (int(accent[start : start + 2], 16) for start in (0, 2, 4))
    return "".join(f"{round(255 - (255 - channel) * _TINT_SHARE):02X}" for channel in channels)


@functools.lru_cache(maxsize=32)
def _uncoloured_styles(
    template: Template, exponent: int, date_format: str
) -> tuple[str, Mapping[StyleKey, int]]:
    """Registers every style with a workbook, by way of cells that are thrown away."""
    book = Workbook()
    sheet = book.worksheets[0]
    numbers: dict[StyleKey, int] = {}
    for key, style in _styles(_look(template), exponent, date_format):
        if key not in numbers:
            cell = sheet.cell(len(numbers) + 1, 1)
            cell.font, cell.fill, cell.border = style.font, style.fill, style.border
            cell.alignment, cell.number_format = style.alignment, style.number_format
            numbers[key] = cell.style_id
    saved = io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as archive:
        return archive.read(STYLES).decode(), numbers


def _look(template: Template) -> _Look:
    match template:
        case Template.MODERN:
            return _Look(
                ink=_INK,
                title=_title(_ACCENT, border=Border(top=Side("thick", color=_ACCENT))),
                head=_head(_WHITE, fill=_filled(_ACCENT)),
                heading=_ACCENT,
                total_fill=_filled(_TINT),
                borders=_fine_borders(),
            )
        case Template.CLASSIC:
            return _Look(
                ink=_BLACK,
                title=_title(_ACCENT, border=Border(bottom=Side("medium", color=_ACCENT))),
                head=_head(_BLACK, border=Border(top=Side("thin"), bottom=Side("thin"))),
                heading=_BLACK,
                total_fill=_NO_FILL,
                borders={
                    LineKind.HEADING: _NO_BORDER,
                    LineKind.ACCOUNT: _NO_BORDER,
                    LineKind.SUBTOTAL: Border(top=Side("thin")),
                    LineKind.TOTAL: Border(top=Side("thin"), bottom=Side("thin")),
                },
            )
        case Template.BOLD:
            return _Look(
                ink=_INK,
                title=_title(_WHITE, fill=_filled(_ACCENT)),
                head=_head(
                    _INK, fill=_filled(_TINT), border=Border(bottom=Side("medium", color=_ACCENT))
                ),
                heading=_ACCENT,
                total_fill=_filled(_TINT),
                borders=_fine_borders(),
            )


def _filled(colour: str) -> PatternFill:
    return PatternFill("solid", fgColor=colour)


def _title(colour: str, fill: PatternFill = _NO_FILL, border: Border = _NO_BORDER) -> _Style:
    return _Style(Font(_FONT, 16, bold=True, color=colour), fill, border)


def _head(colour: str, fill: PatternFill = _NO_FILL, border: Border = _NO_BORDER) -> _Style:
    return _Style(Font(_FONT, 10, bold=True, color=colour), fill, border)


def _fine_borders() -> Mapping[LineKind, Border]:
    rule = Side("thin", color=_ACCENT)
    return {
        LineKind.HEADING: _NO_BORDER,
        LineKind.ACCOUNT: Border(bottom=Side("hair", color="C9D3DC")),
        LineKind.SUBTOTAL: Border(top=Side("thin", color=_MUTED)),
        LineKind.TOTAL: Border(top=rule, bottom=rule),
    }


def _styles(look: _Look, exponent: int, date_format: str) -> Iterator[tuple[StyleKey, _Style]]:
    yield TITLE, look.title
    yield COMPANY, _Style(Font(_FONT, 11, bold=True, color=look.ink))
    yield META, _Style(Font(_FONT, 9, color=_MUTED))
    yield MARK, _Style(Font(_FONT, 11, bold=True, color=_NEGATIVE))
    yield HEAD_TEXT, replace(look.head, alignment=_aligned("left", 0))
    yield HEAD_INNER_TEXT, replace(look.head, alignment=_aligned("left", INNER_LEVEL))
    yield HEAD_FIGURE, replace(look.head, alignment=_aligned("right", 0))
    formats = _number_formats(exponent, date_format)
    for row_kind, column_kind, level in product(LineKind, ColumnKind, _LEVELS):
        is_text = column_kind in {ColumnKind.TEXT, ColumnKind.DATE}
        is_detail = row_kind is LineKind.ACCOUNT
        colour = look.heading if row_kind is LineKind.HEADING else look.ink
        yield (
            cell_style(row_kind, column_kind, level),
            _Style(
                Font(_FONT, 10, bold=not is_detail, color=colour),
                look.total_fill if row_kind is LineKind.TOTAL else _NO_FILL,
                look.borders[row_kind],
                _aligned("left", level, wraps=is_detail) if is_text else _aligned("right", 0),
                formats[column_kind],
            ),
        )


def _aligned(side: str, indent: int, *, wraps: bool = False) -> Alignment:
    return Alignment(horizontal=side, vertical="center", indent=indent, wrap_text=wraps)


def _number_formats(exponent: int, date_format: str) -> dict[ColumnKind, str]:
    decimals = "." + "0" * exponent if exponent else ""
    amount = f'#,##0{decimals};[Red]"{NEGATIVE_SIGN}"#,##0{decimals}'
    return {
        ColumnKind.TEXT: "@",
        ColumnKind.DATE: date_format,
        ColumnKind.AMOUNT: amount,
        ColumnKind.CHANGE: amount,
        ColumnKind.SUM: amount,
        ColumnKind.COUNT: "#,##0",
        ColumnKind.SHARE: f'#,##0.0%;[Red]"{NEGATIVE_SIGN}"#,##0.0%',
        ColumnKind.POINTS: f'#,##0.0" pt";[Red]"{NEGATIVE_SIGN}"#,##0.0" pt"',
    }
