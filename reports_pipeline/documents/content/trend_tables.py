"""The trend tables (月次推移表): a statement's lines over the last twelve months, a column each.

Profits keep their names and signs here, whatever a month brought: a row has one name for all its
months, so a loss is △ where it occurred, and a note says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reports_pipeline.accounting.reports import (
    LineKind,
    StatementKind,
    StatementLine,
    TenantReports,
)
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.content.report_heads import (
    notes_that_apply,
    report_head,
    trend_months,
    trend_period,
)
from reports_pipeline.documents.content.statement_tables import PROFITS, row_numbers, total_of
from reports_pipeline.documents.tables import Cell, Column, ColumnKind, Report, Row


@dataclass(frozen=True)
class TrendLayout:
    """How the trends of a statement become a report."""

    kind: StatementKind
    is_added: bool  # flows have a column for all months together, balances none


def trend_report(layout: TrendLayout, reports: TenantReports) -> Report:
    """The trends of a statement; months before the books began are empty (—)."""
    texts = catalog(reports.company.language)
    lines = [line for line in reports.statement(layout.kind).lines if not _is_nothing(line)]
    numbers = row_numbers(lines)
    start = reports.trend_start
    before_books = (None,) * start

    def cells(line: StatementLine) -> tuple[Cell, ...]:
        label = line.label or texts.text(line.key)
        if line.kind is LineKind.HEADING:
            return (label,)
        months = (label, *before_books, *line.trend[start:])
        return (*months, sum(line.trend)) if layout.is_added else months

    columns = [
        Column(texts.text("column.account"), ColumnKind.TEXT, 34),
        *(
            Column(name, ColumnKind.AMOUNT, 14)
            for name in trend_months(reports, "pattern.trend_month")
        ),
    ]
    if layout.is_added:
        columns.append(Column(texts.text("column.total"), ColumnKind.SUM, 15))
    lowest = {line.key: min(line.trend) for line in lines if line.kind is not LineKind.HEADING}
    return replace(
        report_head(reports, f"{layout.kind}_trend", trend_period(reports)),
        columns=tuple(columns),
        rows=tuple(
            Row(line.key, line.kind, line.level, cells(line), total_of(line, numbers))
            for line in lines
        ),
        is_landscape=True,
        notes=notes_that_apply(
            reports,
            texts,
            {
                "note.provisional": not reports.company.closed,
                "note.thousand": reports.company.display_unit == "thousand",
                "note.before_books": start > 0,
                "note.negative": any(amount < 0 for amount in lowest.values()),
                "note.profit_or_loss": any(lowest.get(key, 0) < 0 for key in PROFITS),
            },
        ),
    )


def _is_nothing(line: StatementLine) -> bool:
    """Whether the line is of an account without an amount in any month."""
    return line.key.startswith("account:") and not any(line.trend)


INCOME_STATEMENT_TREND = TrendLayout(StatementKind.INCOME_STATEMENT, is_added=True)
BALANCE_SHEET_TREND = TrendLayout(StatementKind.BALANCE_SHEET, is_added=False)
