"""The summary sheet of a workbook: its key figures, each of them a formula.

Of a statement these are its highlights, which refer to the statement's sheet. Of a list they are
totals by the texts of its grouped columns, computed over the list's table: they follow when a row
is corrected, and do not when a filter hides some.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from openpyxl.utils import get_column_letter

from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.documents.catalogs import Catalog, catalog
from reports_pipeline.documents.formats import NOTHING
from reports_pipeline.documents.tables import (
    Cell,
    Column,
    ColumnKind,
    Highlight,
    Ratio,
    Report,
    Row,
)
from reports_pipeline.documents.workbook.sheet_xml import THIS_ROW, SheetRow
from reports_pipeline.documents.workbook.sheets import SheetTable, compared_columns
from reports_pipeline.documents.workbook.template import FIRST_ROW

_LABEL_WIDTH = 44
_CHANGES = (
    f"B{THIS_ROW}-C{THIS_ROW}",
    f'IF(C{THIS_ROW}>0,D{THIS_ROW}/C{THIS_ROW},"{NOTHING}")',
)
_POINTS = f"(B{THIS_ROW}-C{THIS_ROW})*100"
_RATIO_ROW = (
    ColumnKind.TEXT, ColumnKind.SHARE, ColumnKind.SHARE, ColumnKind.POINTS, ColumnKind.SHARE
)  # fmt: skip
# Of a list's first row of totals: how many rows, and the sum of each column of amounts.
_LIST_NAMES = ("claims_count", "claims_total", "claims_consumption_tax")
# SUMIFS reads a criterion for operators, wildcards and whatever may be a number, a date or a truth
# value, takes no notice of upper and lower case, and fails beyond 255 characters.
_READ_OTHERWISE = re.compile(r"\A\s*[<>=]|[*?~%]|\d|\A(true|false)\Z", re.IGNORECASE)
_LONGEST_CRITERION = 255
_SHARE = f'IF(C${FIRST_ROW}>0,C{THIS_ROW}/C${FIRST_ROW},"{NOTHING}")'
_NO_TEXT = '""'
_SPECIAL_IN_REFERENCE = re.compile(r"(['\[\]#])")


def statement_summary(report: Report, sheet: str) -> SheetTable | None:
    """A row for each highlight that shows a row of the statement: this month, the month before,
    the change and the change in percent. None where there is no such highlight.

    `sheet` is the name of the statement's sheet, quoted for formulas.
    """
    texts = catalog(report.company.language)
    places = {row.key: (number, row) for number, row in enumerate(report.rows, start=FIRST_ROW)}
    highlights = [
        highlight
        for highlight in report.highlights
        if highlight.row_key and _keys(highlight) <= places.keys()
    ]
    if not highlights:
        return None
    compared = compared_columns(report)
    rows = []
    for highlight in highlights:
        figures = [_referred(sheet, column, highlight, places) for column in compared]
        current, prior = (value for value, _ in figures)
        change, rate = _changes(current, prior)
        rows.append(
            SheetRow(
                LineKind.ACCOUNT,
                0,
                (highlight.label, current, prior, change, rate),
                (
                    "",
                    *(formula for _, formula in figures),
                    *((_POINTS, "") if highlight.base_key else _CHANGES),
                ),
                _RATIO_ROW if highlight.base_key else (),
            )
        )
    return SheetTable(
        f"{report.title}　{texts.text('sheet.summary')}",
        (
            Column(texts.text("column.key_figure"), ColumnKind.TEXT, _LABEL_WIDTH),
            *(report.columns[column] for column in compared),
            Column(texts.text("column.change"), ColumnKind.CHANGE, 17),
            Column(texts.text("column.change_rate"), ColumnKind.SHARE, 12),
        ),
        rows,
        report.remarks,
    )


def _keys(highlight: Highlight) -> set[str]:
    """Of the rows that a highlight is computed from."""
    return {highlight.row_key, highlight.base_key, highlight.less_key} - {""}


def _referred(
    sheet: str, column: int, highlight: Highlight, places: Mapping[str, tuple[int, Row]]
) -> tuple[int | Ratio | None, str]:
    """A highlight in a column of the statement, and its formula."""
    letter = get_column_letter(column + 1)

    def figure(key: str) -> tuple[int | None, str]:
        number, row = places[key]
        value = row.cells[column]
        return value if isinstance(value, int) else None, f"{sheet}!{letter}{number}"

    value, formula = figure(highlight.row_key)
    if highlight.less_key:
        less, place = figure(highlight.less_key)
        value = None if value is None or less is None else value - less
        formula = f"({formula}-{place})"
    if not highlight.base_key:
        return value, formula
    base, place = figure(highlight.base_key)
    return Ratio.of(value, base), f'IF({place}>0,{formula}/{place},"{NOTHING}")'


def _changes(
    current: int | Ratio | None, prior: int | Ratio | None
) -> tuple[int | Ratio | None, Ratio | None]:
    """The change of an amount, and in percent; of a ratio, in points alone."""
    match current, prior:
        case int(), int():
            change = current - prior
            return change, Ratio.of(change, prior)
        case Ratio(), Ratio():
            change = current.numerator * prior.denominator - prior.numerator * current.denominator
            return Ratio(100 * change, current.denominator * prior.denominator), None
        case _:
            return None, None


def list_summary(report: Report) -> SheetTable:
    """How many rows a list has and what they add up to: in all, and for each text of its grouped
    columns, largest first."""
    texts = catalog(report.company.language)
    totals = _ListTotals(report, texts)
    return SheetTable(
        f"{report.title}　{texts.text('sheet.summary')}",
        (
            Column(texts.text("column.group"), ColumnKind.TEXT, _LABEL_WIDTH),
            Column(texts.text("column.count"), ColumnKind.COUNT, 12),
            *(report.columns[column] for column in totals.amounts),
            Column(texts.text("column.share_of_total"), ColumnKind.SHARE, 12),
        ),
        totals.rows(),
        report.remarks,
    )


def list_figures(summary: str) -> dict[str, str]:
    """Cells of the list's summary by the names they have in every language. What stands under the
    list itself is no such figure: a filter changes it."""
    return {
        name: f"{summary}!${get_column_letter(number)}${FIRST_ROW}"
        for number, name in enumerate(_LIST_NAMES, start=2)
    }


class _ListTotals:
    """Counts and sums of a list's rows as formulas over its table."""

    def __init__(self, report: Report, texts: Catalog) -> None:
        details = [row.cells for row in report.rows if row.kind is LineKind.ACCOUNT]
        self._texts = texts
        self._columns = report.columns
        self._references = [_reference(report.name, column.title) for column in report.columns]
        # cells by column, since that is how they are added
        self._cells = list(zip(*details, strict=True)) or [()] * len(report.columns)
        self.amounts = [
            i for i, column in enumerate(report.columns) if column.kind is ColumnKind.AMOUNT
        ]
        self._values = [list(map(_amount, self._cells[i])) for i in self.amounts]
        self._in_all = [len(details), *map(sum, self._values)]
        self._letters = [get_column_letter(2 + number) for number in range(len(self._in_all))]

    def rows(self) -> list[SheetRow]:
        sums = [self._references[column] for column in self.amounts]
        formulas = [f"ROWS({sums[0]})", *(f"SUM({column})" for column in sums)]
        label = self._texts.text("total_claims")
        if not self._in_all[0]:
            return [SheetRow(LineKind.TOTAL, 0, (label, *self._in_all, None))]
        rows = [self._row(LineKind.TOTAL, label, formulas, self._in_all)]
        for index, column in enumerate(self._columns):
            if column.is_grouped:
                heading = self._texts.text("summary.by", column=column.title)
                rows.append(SheetRow(LineKind.HEADING, 0, (heading,)))
                groups = self._groups(index)
                last = FIRST_ROW + len(rows) + len(groups) - 1
                first = last - len(groups) + 1
                formulas = [f"SUM({letter}{first}:{letter}{last})" for letter in self._letters]
                rows += [*groups, self._row(LineKind.SUBTOTAL, label, formulas, self._in_all)]
        return rows

    def _groups(self, index: int) -> list[SheetRow]:
        """A row for each text of a column."""
        texts = list(map(str, self._cells[index]))
        counts = Counter(texts)
        sums = [_sums_by(texts, values) for values in self._values]
        misread = _misread(counts)
        return [
            self._row(
                LineKind.ACCOUNT,
                text or self._texts.text("summary.no_text"),
                self._of_group(index, text, exactly=text in misread),
                [counts[text], *(sums_of_column[text] for sums_of_column in sums)],
            )
            for text in sorted(counts, key=lambda text: (-sums[0][text], text))
        ]

    def _of_group(self, index: int, text: str, *, exactly: bool) -> list[str]:
        """Formulas of the count and the sums of the rows whose text is that in column A."""
        texts, here = self._references[index], f"$A{THIS_ROW}"
        sums = [self._references[column] for column in self.amounts]
        if not exactly:
            criterion = f"{texts},{here}"
            return [f"COUNTIFS({criterion})", *(f"SUMIFS({each},{criterion})" for each in sums)]
        is_member = f"--EXACT({texts},{here if text else _NO_TEXT})"
        return [
            f"SUMPRODUCT({is_member})", *(f"SUMPRODUCT({is_member},{each})" for each in sums)
        ]  # fmt: skip

    def _row(
        self, kind: LineKind, label: str, formulas: Sequence[str], values: Sequence[int]
    ) -> SheetRow:
        return SheetRow(
            kind,
            1 if kind is LineKind.ACCOUNT else 0,
            (label, *values, Ratio.of(values[1], self._in_all[1])),
            ("", *formulas, _SHARE),
        )


def _amount(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def _sums_by(texts: Sequence[str], values: Sequence[int]) -> Mapping[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for text, value in zip(texts, values, strict=True):
        sums[text] += value
    return sums


def _reference(table: str, title: str) -> str:
    """A column of a table as formulas name it."""
    escaped = _SPECIAL_IN_REFERENCE.sub(r"'\1", title)
    return f"{table}[{escaped}]"


def _misread(texts: Iterable[str]) -> set[str]:
    """Those texts that SUMIFS would read as something else, or take for one another."""
    folded = {text: unicodedata.normalize("NFKC", text).casefold() for text in texts}
    twins = Counter(folded.values())
    return {
        text
        for text, key in folded.items()
        if not text
        or twins[key] > 1
        or len(text) > _LONGEST_CRITERION
        or _READ_OTHERWISE.search(text)
    }
