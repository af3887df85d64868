"""A report as the rows of a sheet: its totals, changes and shares become formulas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openpyxl.utils import get_column_letter

from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.documents.formats import NOTHING
from reports_pipeline.documents.tables import (
    Column,
    ColumnKind,
    Combination,
    Report,
    Row,
    RowsAbove,
)
from reports_pipeline.documents.workbook.sheet_xml import THIS_COLUMN, THIS_ROW, SheetRow
from reports_pipeline.documents.workbook.template import FIRST_ROW

# Of the net sales' total, which the section has its name from; every other name is its row's key.
_NAMES = {"total_net_sales": "net_sales"}


@dataclass(frozen=True, slots=True)
class SheetTable:
    """What a sheet has below its head."""

    title: str
    columns: tuple[Column, ...]
    rows: Iterable[SheetRow]
    notes: tuple[str, ...] = ()


def report_table(report: Report) -> SheetTable:
    formulas = _Formulas(report)
    return SheetTable(
        report.title,
        report.columns,
        (
            SheetRow(row.kind, row.level, row.cells, formulas.of(row, number))
            for number, row in enumerate(report.rows, start=FIRST_ROW)
        ),
        report.remarks,
    )


def compared_columns(report: Report) -> list[int]:
    """Indices of the columns for this month and for the month before."""
    amounts = [i for i, column in enumerate(report.columns) if column.kind is ColumnKind.AMOUNT]
    return amounts[:2]


def key_figures(report: Report, sheet: str) -> dict[str, str]:
    """Formulas of a statement's key figures by the names they have in every language: highlights
    and totals of this month (net_sales, gross_profit, total_assets) and of the month before
    (net_sales_prior_month). `sheet` is the statement's, quoted.

    A loss is a negative profit under its name, though its row shows it as a positive amount.
    """
    highlights = {highlight.row_key for highlight in report.highlights}
    names = {}
    for number, row in enumerate(report.rows, start=FIRST_ROW):
        if row.kind is not LineKind.TOTAL and row.key not in highlights:
            continue
        name = _NAMES.get(row.key, row.key)
        sign = "-" if row.is_loss else ""
        columns = compared_columns(report)
        for suffix, column in zip(("", "_prior_month"), columns, strict=True):
            if isinstance(row.cells[column], int):
                names[name + suffix] = f"{sign}{sheet}!${get_column_letter(column + 1)}${number}"
    return names


class _Formulas:
    """The formulas of a report's rows."""

    def __init__(self, report: Report) -> None:
        self._kinds = [column.kind for column in report.columns]
        self._amounts = [
            get_column_letter(number)
            for number, kind in enumerate(self._kinds, start=1)
            if kind is ColumnKind.AMOUNT
        ]
        self._base_row = report.base_row
        self._across = tuple(map(self._of_column, self._kinds))
        self._of_details = self._across if any(self._across) else ()

    def of(self, row: Row, number: int) -> tuple[str, ...]:
        """The formula of each cell, empty for an entered figure; or nothing."""
        if row.total_of is None:
            return self._of_details
        total = _total(row.total_of, number)
        return tuple(
            total if kind is ColumnKind.AMOUNT else across
            for kind, across in zip(self._kinds, self._across, strict=True)
        )

    def _of_column(self, kind: ColumnKind) -> str:
        """What a column computes of the others."""
        current, last = self._amounts[0], self._amounts[-1]
        match kind:
            case ColumnKind.CHANGE:
                return f"{current}{THIS_ROW}-{self._amounts[1]}{THIS_ROW}"
            case ColumnKind.SUM:
                return f"SUM({current}{THIS_ROW}:{last}{THIS_ROW})"
            case ColumnKind.SHARE if self._base_row is not None:
                base = f"{current}${FIRST_ROW + self._base_row}"
                return f'IF({base}>0,{current}{THIS_ROW}/{base},"{NOTHING}")'
            case _:
                return ""


def _total(total: RowsAbove | Combination, number: int) -> str:
    """The formula of a total in row `number`, in whichever column."""
    if isinstance(total, RowsAbove):
        first = FIRST_ROW + total.first
        if first >= number:
            return ""
        # SUBTOTAL leaves out the subtotals within its range, and rows that a filter hides
        return f"SUBTOTAL(9,{THIS_COLUMN}{first}:{THIS_COLUMN}{number - 1})"
    terms = "".join(
        f"{'+' if sign > 0 else '-'}{THIS_COLUMN}{FIRST_ROW + index}" for sign, index in total.terms
    )
    return terms.removeprefix("+")
