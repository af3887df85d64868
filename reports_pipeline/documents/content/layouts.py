"""The statements as reports: the columns, highlights and charts of each, as data.

A column is one `Measure`, a statement one `StatementLayout`; `contents` lists the documents that
are made of them.

Cells, charts and percentages hold exact amounts. Where a company reads thousands (千円), its pages
print each amount truncated toward zero, so a printed total is that of the exact amounts, not of
the printed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from reports_pipeline.accounting.reports import (
    LineKind,
    Statement,
    StatementKind,
    StatementLine,
    TenantReports,
)
from reports_pipeline.documents.catalogs import Catalog, catalog
from reports_pipeline.documents.content import highlights, statement_charts
from reports_pipeline.documents.content.report_heads import (
    balance_date,
    fiscal_year,
    month_of,
    notes_that_apply,
    report_head,
    trend_months,
)
from reports_pipeline.documents.content.statement_content import StatementContent
from reports_pipeline.documents.content.statement_tables import (
    CHANGE,
    MONTH,
    MONTH_END,
    OPENING,
    PRIOR_MONTH,
    PRIOR_MONTH_END,
    PRIOR_YEAR,
    PRIOR_YEAR_END,
    SHARE_OF_EXPENSES,
    SHARE_OF_SALES,
    YEAR_TO_DATE,
    Measure,
    row_numbers,
    statement_rows,
)
from reports_pipeline.documents.tables import Chart, Column, ColumnKind, Highlight, Report, Row

_CASH_BALANCES = frozenset({"opening_cash", "closing_cash"})  # on statements of flows


@dataclass(frozen=True)
class StatementLayout:
    """How a statement becomes a report. The first two measures are what highlights compare."""

    kind: StatementKind
    period: Callable[[TenantReports], str]
    measures: tuple[Measure, ...]
    highlights: tuple[Callable[[StatementContent], Highlight | None], ...]
    charts: Callable[[StatementContent], tuple[Chart, ...]]
    base: str | None = None  # key of the line that shares relate to
    charts_first: bool = False
    renames_losses: bool = False
    hides_zero_lines: bool = False  # of lines that are no account's, too


def statement_report(layout: StatementLayout, reports: TenantReports) -> Report:
    """The report of one statement."""
    texts = catalog(reports.company.language)
    all_lines = reports.statement(layout.kind).lines
    lines = [line for line in all_lines if not _prints_zeros_only(line, layout)]
    numbers = row_numbers(lines)
    base_row = numbers.get(layout.base or "")
    rows = statement_rows(
        lines,
        layout.measures,
        texts,
        base=None if base_row is None else lines[base_row].current,
        renames_losses=layout.renames_losses,
    )
    content = StatementContent(
        texts=texts,
        accounts=tuple(line for line in all_lines if line.kind is LineKind.ACCOUNT),
        lines={line.key: line for line in all_lines},
        rows={row.key: row for row in rows},
        months=trend_months(reports, "pattern.month"),
    )
    head = report_head(reports, layout.kind.value, layout.period(reports))
    return replace(
        head,
        facts=(*head.facts, fiscal_year(reports)),
        columns=(
            Column(texts.text("column.account"), ColumnKind.TEXT, 44),
            *(Column(texts.text(measure.msgid), measure.kind, 17) for measure in layout.measures),
        ),
        rows=rows,
        base_row=base_row,
        highlights=tuple(
            highlight for make in layout.highlights if (highlight := make(content)) is not None
        ),
        charts=statement_charts.with_amounts(layout.charts(content)),
        charts_first=layout.charts_first,
        notice=_notice(layout.kind, reports, texts),
        notes=_notes(reports, rows, texts),
    )


def _prints_zeros_only(line: StatementLine, layout: StatementLayout) -> bool:
    """Whether nothing of a line but its trend is above or below 0, which no table shows."""
    return (
        line.kind is LineKind.ACCOUNT
        and (layout.hides_zero_lines or line.key.startswith("account:"))
        and not any(measure.value(line) for measure in layout.measures)
    )


def _notice(kind: StatementKind, reports: TenantReports, texts: Catalog) -> str:
    """That nothing happened in the month, or nothing that this statement shows."""
    if _has_movements(reports.statement(kind)):
        return ""
    if not any(map(_has_movements, reports.statements)):
        return texts.text("notice.no_transactions")
    # balances that stay as they are need no explanation
    return "" if kind is StatementKind.BALANCE_SHEET else texts.text(f"notice.{kind}")


def _has_movements(statement: Statement) -> bool:
    """Whether the statement shows a flow, or a balance that changed."""
    if statement.kind is StatementKind.BALANCE_SHEET:
        # a new fiscal year moves profits within net assets without any transaction
        accounts = [line for line in statement.lines if line.key.startswith("account:")]
        return any((line.current or 0) != (line.prior or 0) for line in accounts)
    return any(line.current for line in statement.lines if line.key not in _CASH_BALANCES)


def _notes(reports: TenantReports, rows: Sequence[Row], texts: Catalog) -> tuple[str, ...]:
    return notes_that_apply(
        reports,
        texts,
        {
            "note.provisional": not reports.company.closed,
            "note.thousand": reports.company.display_unit == "thousand",
            "note.loss": any(row.is_loss for row in rows),
            "note.negative": any(
                isinstance(cell, int) and cell < 0 for row in rows for cell in row.cells
            ),
        },
    )


INCOME_STATEMENT = StatementLayout(
    kind=StatementKind.INCOME_STATEMENT,
    period=month_of,
    measures=(MONTH, PRIOR_MONTH, CHANGE, PRIOR_YEAR, SHARE_OF_SALES, YEAR_TO_DATE),
    base="total_net_sales",
    highlights=(
        partial(highlights.figure, "total_net_sales"),
        partial(highlights.figure, "gross_profit"),
        partial(highlights.figure, "operating_profit"),
        partial(highlights.figure, "net_profit"),
    ),
    charts=statement_charts.sales_and_profit,
    renames_losses=True,
)
BALANCE_SHEET = StatementLayout(
    kind=StatementKind.BALANCE_SHEET,
    period=balance_date,
    measures=(MONTH_END, PRIOR_MONTH_END, CHANGE, PRIOR_YEAR_END, OPENING),
    highlights=(
        partial(highlights.figure, "total_assets"),
        partial(highlights.figure, "total_liabilities"),
        partial(highlights.figure, "total_net_assets"),
        highlights.equity_ratio,
    ),
    charts=statement_charts.no_charts,
)
EXPENSE_ANALYSIS = StatementLayout(
    kind=StatementKind.EXPENSE_ANALYSIS,
    period=month_of,
    measures=(MONTH, PRIOR_MONTH, CHANGE, PRIOR_YEAR, SHARE_OF_EXPENSES, YEAR_TO_DATE),
    base="total_expenses",
    highlights=(
        partial(highlights.figure, "total_expenses"),
        highlights.expenses_to_date,
        highlights.largest_expense,
        highlights.most_increased_expense,
    ),
    charts=statement_charts.expense_charts,
    charts_first=True,
)
CASH_FLOW = StatementLayout(
    kind=StatementKind.CASH_FLOW,
    period=month_of,
    measures=(MONTH, PRIOR_MONTH, PRIOR_YEAR, YEAR_TO_DATE),
    highlights=(
        partial(highlights.figure, "total_inflows"),
        partial(highlights.figure, "total_outflows"),
        partial(highlights.figure, "net_cash_change"),
        partial(highlights.figure, "closing_cash"),
    ),
    charts=statement_charts.cash_charts,
    charts_first=True,
)
INDIRECT_CASH_FLOW = StatementLayout(
    kind=StatementKind.INDIRECT_CASH_FLOW,
    period=month_of,
    measures=(MONTH, PRIOR_MONTH, PRIOR_YEAR, YEAR_TO_DATE),
    highlights=(),
    charts=statement_charts.activity_charts,
    charts_first=True,
    hides_zero_lines=True,
)
