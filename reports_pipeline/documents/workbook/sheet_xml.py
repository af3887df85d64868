"""The rows of a worksheet as XML, and the texts that its cells share.

Written here because openpyxl writes no cached values, without which readers that do not calculate
(pandas, previews) see empty totals, and because it needs ten times as long.
"""

from __future__ import annotations

import datetime
import functools
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, repeat
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from openpyxl.utils import get_column_letter

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.documents.formats import NOTHING
from reports_pipeline.documents.tables import Cell, Column, ColumnKind, Ratio

# Limits of Excel: UTF-16 units of a cell's text, and the height of a row in points.
_LONGEST_TEXT = 32_767
_MOST_HEIGHT = 409
LINE_HEIGHT = 17  # points; of a row that says nothing else
_DAY_0 = datetime.date(1899, 12, 30).toordinal()
# Most text is written as it is; this finds what must be escaped or refused.
_NEEDS_CARE = re.compile("[&<>_\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Excel reads _x0041_ in a text as an escaped character
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
# Keeps the texts of an inner column off the figures to their left. Figures are not indented
# themselves: LibreOffice does not indent all of them alike.
INNER_LEVEL = 1
# Stand in a formula for the number of its own row and the letter of its column; no text can hold
# them.
THIS_ROW, THIS_COLUMN = "\0", "\1"

# A style of a workbook: of a kind of row, a kind of column and a level, or of a line of text.
StyleKey = tuple[LineKind, ColumnKind, int] | str


class UnfitTextError(Exception):
    """A text that no cell can hold: BAD_TEXT or TOO_LARGE, with what the failure quotes."""

    def __init__(self, text: str, code: FailureCode, details: Mapping[str, str | int]) -> None:
        super().__init__(code)
        self.text = text
        self.code = code
        self.details = details


class SharedTexts(dict[str, int]):
    """The texts of a workbook, each written once; cells name them by their numbers, which they
    get when they are first asked for.

    A text is never read as a formula, whatever it begins with.
    """

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number

    def xml(self) -> str:
        """The list of texts.

        Raises:
            UnfitTextError: one exceeds a cell, or has characters that no XML file can hold.
        """
        texts = list(self)
        # one search through all of them is ten times as fast as one through each
        if _NEEDS_CARE.search("\n".join(texts)) or max(map(len, texts)) > _LONGEST_TEXT // 2:
            texts = list(map(_escaped, texts))
        items = '</t></si><si><t xml:space="preserve">'.join(texts)
        return (
            '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
            f'uniqueCount="{len(texts)}">'
            f'<si><t xml:space="preserve">{items}</t></si></sst>'
        )


def _escaped(text: str) -> str:
    if not _NEEDS_CARE.search(text) and len(text) <= _LONGEST_TEXT // 2:
        return text
    if _NOT_IN_XML.search(text):
        raise UnfitTextError(text, FailureCode.BAD_TEXT, {"text": ascii(text)})
    length = len(text.encode("utf-16-le")) // 2
    if length > _LONGEST_TEXT:
        details = {"length": length, "limit": _LONGEST_TEXT}
        raise UnfitTextError(text, FailureCode.TOO_LARGE, details)
    return escape(_LOOKS_ESCAPED.sub("_x005F_", text), {"\r": "&#13;"})


class SheetRow(NamedTuple):
    """A row of a sheet's table; it may end before the last column."""

    kind: LineKind
    level: int
    cells: tuple[Cell, ...]
    formulas: tuple[str, ...] = ()  # of its cells, empty for what is entered; or none at all
    kinds: tuple[ColumnKind, ...] = ()  # of its cells, where they are not those of the columns


@dataclass(frozen=True, slots=True)
class _Form:
    """A row with gaps: rows that have the same styles and the same kinds of cells share it."""

    xml: str
    fillers: tuple[Callable[[Any], object], ...]


class SheetWriter:
    """Writes the rows of one sheet from the top down."""

    def __init__(
        self,
        columns: Sequence[Column],
        texts: SharedTexts,
        styles: Mapping[StyleKey, int],
        exponent: int,
    ) -> None:
        self._columns = columns
        self._letters = [get_column_letter(number + 1) for number in range(len(columns))]
        self._texts = texts
        self._styles = styles
        self._exponent = exponent
        self._forms: dict[object, _Form] = {}
        self._row_styles: dict[object, list[int]] = {}
        self._rows: list[str] = []
        self._row_number = 0

    @property
    def row_number(self) -> int:
        """Of the last row written."""
        return self._row_number

    @property
    def xml(self) -> str:
        """The sheet's rows so far."""
        return f"<sheetData>{''.join(self._rows)}</sheetData>"

    @property
    def dimension(self) -> str:
        """The range that is written: A1:G52."""
        return f"A1:{self._letters[-1]}{self._row_number}"

    def skip(self, to: int) -> None:
        """Leave the rows before number `to` empty."""
        self._row_number = to - 1

    def line(
        self, text: str, style: str, *, height: float = LINE_HEIGHT, across: bool = False
    ) -> None:
        """A row with a text at its left, which may reach over the other columns; with `across`
        these have its style."""
        number = self._row_number = self._row_number + 1
        cells = [self._text_cell(text, f"A{number}", self._styles[style])]
        if across:
            cells += [
                f'<c r="{letter}{number}" s="{self._styles[style]}"/>'
                for letter in self._letters[1:]
            ]
        self._rows.append(f'<row r="{number}"{_height(height)}>{"".join(cells)}</row>')

    def head(self, titles: Sequence[str], styles: Sequence[str]) -> None:
        """The row of the columns' titles."""
        number = self._row_number = self._row_number + 1
        cells = [
            self._text_cell(title, f"{letter}{number}", self._styles[style])
            for letter, title, style in zip(self._letters, titles, styles, strict=True)
        ]
        self._rows.append(f'<row r="{number}"{_height(LINE_HEIGHT)}>{"".join(cells)}</row>')

    def rows(self, rows: Iterable[SheetRow]) -> None:
        """The rows of the table."""
        for shape, alike in groupby(rows, key=_shape):
            run = list(alike)
            form = self._forms.get(shape)
            if form is None:
                form = self._forms[shape] = self._form(run[0])
            self._run(form, run)

    def _run(self, form: _Form, rows: Sequence[SheetRow]) -> None:
        """Rows of one form; their values are made column by column, for speed."""
        columns = list(zip(*[row.cells for row in rows], strict=True))
        values = [list(map(fill, cells)) for fill, cells in zip(form.fillers, columns, strict=True)]
        heights: Iterable[str] = repeat("", len(rows))
        if rows[0].kind is LineKind.ACCOUNT:  # no other row wraps its texts
            heights = self._heights(columns)
        first, self._row_number = self._row_number + 1, self._row_number + len(rows)
        self._rows += [
            form.xml.replace(THIS_ROW, str(number)) % gaps
            for number, gaps in enumerate(zip(heights, *values, strict=True), start=first)
        ]

    def _heights(self, columns: Sequence[Sequence[Cell]]) -> list[str]:
        """The height of each row, which is that of its longest text; given by columns."""
        lines = [1] * len(columns[0])
        for column, cells in zip(self._columns, columns, strict=False):
            if column.kind is ColumnKind.TEXT:
                short = column.width // 2  # characters that fit, whatever they are
                tall: dict[Cell, int] = {
                    text: _lines_of(text, column.width)
                    for text in set(cells)
                    if isinstance(text, str) and (len(text) > short or "\n" in text)
                }
                if tall:
                    lines = [
                        max(most, tall.get(text, 1))
                        for most, text in zip(lines, cells, strict=True)
                    ]
        return [_height(each * LINE_HEIGHT) for each in lines]

    def _form(self, row: SheetRow) -> _Form:
        gaps, fillers = [], []
        for index, (letter, style) in enumerate(
            zip(self._letters, self._styles_of(row), strict=True)
        ):
            place = f'<c r="{letter}{THIS_ROW}" s="{style}"'
            if index >= len(row.cells):
                gaps.append(f"{place}/>")
                continue
            cell = row.cells[index]
            if cell is None or isinstance(cell, str):  # what is missing has no formula
                gaps.append(f'{place} t="s"><v>%s</v></c>')
            else:
                formula = _formula(row.formulas[index]) if row.formulas else ""
                gaps.append(f"{place}>{formula.replace(THIS_COLUMN, letter)}<v>%s</v></c>")
            fillers.append(self._filler(cell, self._columns[index].kind))
        return _Form(f'<row r="{THIS_ROW}"%s>{"".join(gaps)}</row>', tuple(fillers))

    def _styles_of(self, row: SheetRow) -> list[int]:
        """The styles of a row's cells, kept because looking them up is slow."""
        key = row.kind, row.level, row.kinds
        if key not in self._row_styles:
            kinds = row.kinds or [column.kind for column in self._columns]
            self._row_styles[key] = [
                self._styles[cell_style(row.kind, kind, INNER_LEVEL if index else row.level)]
                for index, kind in enumerate(kinds)
            ]
        return self._row_styles[key]

    def _filler(self, cell: Cell, kind: ColumnKind) -> Callable[[Any], object]:
        """What makes the value that is written of a cell."""
        match cell:
            case str():
                return self._texts.__getitem__
            case None:
                return lambda _: self._texts[NOTHING]
            case int() if self._exponent == 0 or kind is ColumnKind.COUNT:
                return int
            case int():
                return functools.partial(_decimal_digits, exponent=self._exponent)
            case Ratio():
                return _quotient
            case datetime.date():
                return _day_number

    def _text_cell(self, text: str, place: str, style: int) -> str:
        return f'<c r="{place}" s="{style}" t="s"><v>{self._texts[text]}</v></c>'


@functools.lru_cache(maxsize=4096)
def _formula(formula: str) -> str:
    """As it stands in a form, where % has a meaning."""
    return f"<f>{escape(formula)}</f>".replace("%", "%%") if formula else ""


def _quotient(ratio: Ratio) -> str:
    return repr(ratio.numerator / ratio.denominator)


def _day_number(day: datetime.date) -> int:
    return day.toordinal() - _DAY_0


def _decimal_digits(minor: int, exponent: int) -> str:
    """An exact amount as XML writes decimals: -1234.50."""
    whole, fraction = divmod(abs(minor), 10**exponent)
    return f"{'-' if minor < 0 else ''}{whole}.{fraction:0{exponent}d}"


def _shape(row: SheetRow) -> tuple[object, ...]:
    """What rows of one form have in common."""
    return row.kind, row.level, row.formulas, row.kinds, *map(type, row.cells)


def cell_style(row: LineKind, column: ColumnKind, level: int) -> StyleKey:
    return row, column, level if column is ColumnKind.TEXT else 0


def _lines_of(text: str, width: int) -> int:
    """Lines of a text in a column so many digits wide; a Japanese character is two."""
    return sum(max(1, math.ceil(sum(map(_digits, line)) / width)) for line in text.split("\n"))


@functools.lru_cache(maxsize=4096)
def _digits(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WFA" else 1


def _height(points: float) -> str:
    # programs that open the file do not fit rows to their text by themselves
    if points == LINE_HEIGHT:
        return ""
    return f' ht="{min(points, _MOST_HEIGHT)}" customHeight="1"'
