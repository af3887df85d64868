"""What each report shows: its columns, highlights, charts and notes.

A column is one `_Measure`, a statement one `StatementLayout`, and `PDF_REPORTS` and
`WORKBOOK_REPORTS` list the documents that are made of them.

Cells, charts and percentages hold exact amounts. Where a company reads thousands (千円), its pages
print each amount truncated toward zero, so a printed total is that of the exact amounts, not of
the printed ones. A workbook is there to calculate with: its totals are formulas, so it holds exact
amounts in the currency's unit, and says so, whatever the company reads.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

from reports_pipeline.accounting.reports import (
    LineKind,
    StatementKind,
    StatementLine,
    TenantReports,
)
from reports_pipeline.documents.catalogs import Catalog, catalog
from reports_pipeline.documents.formats import NOTHING, currency_name, format_day, format_ratio
from reports_pipeline.documents.tables import (
    BarChart,
    Cell,
    Chart,
    Column,
    ColumnChart,
    ColumnKind,
    Combination,
    Highlight,
    Ratio,
    Report,
    Row,
    RowsAbove,
    Series,
    WaterfallChart,
)

_MOST_BARS = 8
_MOST_STACKS = 4

# Totals that add and subtract other totals; any other `total_<section>` adds the lines under the
# heading `<section>`.
_COMBINATIONS: Mapping[str, tuple[tuple[int, str], ...]] = {
    "gross_profit": ((1, "total_net_sales"), (-1, "total_cost_of_sales")),
    "operating_profit": ((1, "gross_profit"), (-1, "total_selling_general_administrative")),
    "ordinary_profit": (
        (1, "operating_profit"),
        (1, "total_non_operating_income"),
        (-1, "total_non_operating_expenses"),
    ),
    "profit_before_tax": (
        (1, "ordinary_profit"),
        (1, "total_extraordinary_income"),
        (-1, "total_extraordinary_losses"),
    ),
    "net_profit": ((1, "profit_before_tax"), (-1, "total_income_taxes")),
    "total_liabilities_and_net_assets": ((1, "total_liabilities"), (1, "total_net_assets")),
}


@dataclass(frozen=True)
class _Measure:
    """A column of figures: the message of its title, and its value on a line."""

    msgid: str
    kind: ColumnKind
    value: Callable[[StatementLine], int | None]


def _change(line: StatementLine) -> int | None:
    return None if line.current is None or line.prior is None else line.current - line.prior


_MONTH = _Measure("column.month", ColumnKind.AMOUNT, attrgetter("current"))
_PRIOR_MONTH = _Measure("column.prior_month", ColumnKind.AMOUNT, attrgetter("prior"))
_PRIOR_YEAR = _Measure("column.prior_year", ColumnKind.AMOUNT, attrgetter("prior_year"))
_MONTH_END = replace(_MONTH, msgid="column.month_end")
_PRIOR_MONTH_END = replace(_PRIOR_MONTH, msgid="column.prior_month_end")
_PRIOR_YEAR_END = replace(_PRIOR_YEAR, msgid="column.prior_year_end")
_CHANGE = _Measure("column.change", ColumnKind.CHANGE, _change)
_SHARE_OF_SALES = replace(_MONTH, msgid="column.share_of_sales", kind=ColumnKind.SHARE)
_SHARE_OF_EXPENSES = replace(_SHARE_OF_SALES, msgid="column.share_of_expenses")
_YEAR_TO_DATE = _Measure("column.year_to_date", ColumnKind.AMOUNT, attrgetter("year_to_date"))
_OPENING = _Measure("column.opening", ColumnKind.AMOUNT, attrgetter("opening"))


@dataclass(frozen=True)
class _Content:
    """What highlights and charts are drawn from. By key stand the lines and rows whose key is
    unique: a cash-flow statement may have an account among receipts and among payments."""

    texts: Catalog
    accounts: tuple[StatementLine, ...]
    lines: Mapping[str, StatementLine]
    rows: Mapping[str, Row]
    months: tuple[str, ...]  # names of the 12 months up to the reported one

    def label(self, line: StatementLine) -> str:
        return line.label or self.texts.text(line.key)

    def trend(self, key: str, *, name: str = "", sign: int = 1) -> tuple[Series, ...]:
        """The line's 12 months under the message `name`, or its label; nothing where the statement
        lacks the line."""
        line = self.lines.get(key)
        if line is None:
            return ()
        label = self.texts.text(name) if name else self.label(line)
        return (Series(label, tuple(sign * value for value in line.trend)),)


@dataclass(frozen=True)
class StatementLayout:
    """How a statement becomes a report. The first two measures are what highlights compare."""

    kind: StatementKind
    period: Callable[[TenantReports], str]
    measures: tuple[_Measure, ...]
    highlights: tuple[Callable[[_Content], Highlight | None], ...]
    charts: Callable[[_Content], tuple[Chart, ...]]
    base: str | None = None  # key of the line that shares relate to
    charts_first: bool = False
    renames_losses: bool = False
    hides_zero_lines: bool = False  # of lines that are no account's, too


def statement_report(layout: StatementLayout, reports: TenantReports) -> Report:
    """The report of one statement."""
    texts = catalog(reports.company.language)
    all_lines = reports.statement(layout.kind).lines
    lines = [line for line in all_lines if not _prints_zeros_only(line, layout)]
    rows = _statement_rows(layout, lines, texts)
    content = _Content(
        texts=texts,
        accounts=tuple(line for line in all_lines if line.kind is LineKind.ACCOUNT),
        lines={line.key: line for line in all_lines},
        rows={row.key: row for row in rows},
        months=_month_names(reports, texts.language),
    )
    head = _report(reports, layout.kind.value, layout.period(reports))
    return replace(
        head,
        facts=(*head.facts, _fiscal_year(reports, texts)),
        columns=(
            Column(texts.text("column.account"), ColumnKind.TEXT, 44),
            *(Column(texts.text(measure.msgid), measure.kind, 17) for measure in layout.measures),
        ),
        rows=rows,
        base_row=_row_numbers(lines).get(layout.base or ""),
        highlights=tuple(
            highlight for make in layout.highlights if (highlight := make(content)) is not None
        ),
        charts=_with_amounts(layout.charts(content)),
        charts_first=layout.charts_first,
        notes=_statement_notes(layout, reports, rows, texts),
    )


def expense_claims(reports: TenantReports) -> Report:
    """The claims of the month, one row each, and their total."""
    texts = catalog(reports.company.language)
    columns = [
        ("incurred_on", ColumnKind.DATE, 13),
        ("claim_id", ColumnKind.TEXT, 16),
        ("employee", ColumnKind.TEXT, 18),
        ("category", ColumnKind.TEXT, 18),
        ("payee", ColumnKind.TEXT, 28),
        ("description", ColumnKind.TEXT, 42),
        ("amount", ColumnKind.AMOUNT, 16),
        ("consumption_tax", ColumnKind.AMOUNT, 14),
        ("status", ColumnKind.TEXT, 12),
    ]
    rows = [
        Row(
            key=f"claim:{claim.claim_id}",
            kind=LineKind.ACCOUNT,
            level=0,
            cells=(
                datetime.date.fromisoformat(claim.incurred_on),
                claim.claim_id,
                claim.employee,
                claim.category,
                claim.payee,
                claim.description,
                claim.amount,
                claim.consumption_tax,
                texts.text(f"status.{claim.status}"),
            ),
        )
        for claim in reports.claims
    ]
    if rows:
        rows.append(
            Row(
                key="total_claims",
                kind=LineKind.TOTAL,
                level=0,
                cells=(
                    texts.text("total_claims"),
                    *[""] * 5,
                    sum(claim.amount for claim in reports.claims),
                    sum(claim.consumption_tax for claim in reports.claims),
                    "",
                ),
                total_of=RowsAbove(0),
            )
        )
    return replace(
        _report(reports, "expense_claims", _month_of(reports)),
        columns=tuple(
            Column(texts.text(f"column.{name}"), kind, width) for name, kind, width in columns
        ),
        rows=tuple(rows),
        is_list=True,
        notes=() if rows else (texts.text("note.no_claims"),),
    )


def _report(reports: TenantReports, name: str, period: str) -> Report:
    """A report with its head and nothing below it."""
    company = reports.company
    texts = catalog(company.language)
    return Report(
        name=name,
        company=company,
        month=reports.month,
        edition=texts.text(
            "revision" if reports.corrects is None else "revision.corrected",
            revision=reports.revision,
        ),
        title=texts.text(f"report.{name}"),
        period=period,
        facts=(
            texts.text(
                "unit.thousand" if company.display_unit == "thousand" else "unit",
                currency=currency_name(company.currency, company.language),
            ),
            texts.text(f"tax.{company.consumption_tax_basis}"),
        ),
    )


def _month_of(reports: TenantReports) -> str:
    """The month's name; its first and last day where it is no calendar month (20日締め)."""
    company, month = reports.company, reports.month
    language = company.language
    start = datetime.date.fromisoformat(company.month_start)
    end = datetime.date.fromisoformat(company.month_end)
    last_day = end - datetime.timedelta(days=1)
    if (start, end) == (month.start, month.end):
        return format_day(last_day, "pattern.period", language)
    return catalog(language).text(
        "period",
        start=format_day(start, "pattern.day", language),
        end=format_day(last_day, "pattern.day", language),
    )


def _balance_date(reports: TenantReports) -> str:
    end = datetime.date.fromisoformat(reports.company.month_end)
    last_day = end - datetime.timedelta(days=1)
    return format_day(last_day, "pattern.balance_date", reports.company.language)


def _fiscal_year(reports: TenantReports, texts: Catalog) -> str:
    """Since when the year's flows are added, and when the year's opening balances stood."""
    start = datetime.date.fromisoformat(reports.company.fiscal_year_start)
    return texts.text("fiscal_year", start=format_day(start, "pattern.day", texts.language))


def _prints_zeros_only(line: StatementLine, layout: StatementLayout) -> bool:
    """Whether nothing of a line but its trend is above or below 0, which no table shows."""
    return (
        line.kind is LineKind.ACCOUNT
        and (layout.hides_zero_lines or line.key.startswith("account:"))
        and not any(measure.value(line) for measure in layout.measures)
    )


def _statement_rows(
    layout: StatementLayout, lines: Sequence[StatementLine], texts: Catalog
) -> tuple[Row, ...]:
    """The lines as rows.

    A profit line whose current amount is negative is named a loss, and all its figures are given
    from the loss's point of view: the month's loss as a positive amount, a profit in another
    column as △, the change as the growth of the loss (会社計算規則 第89条 and after). Elsewhere,
    for instance within net assets, figures keep the sign with which they enter their total.
    """
    signs = {line.key: -1 if layout.renames_losses and _is_loss(line) else 1 for line in lines}
    numbers = _row_numbers(lines)
    base = next((line.current for line in lines if line.key == layout.base), None)
    return tuple(
        Row(
            key=line.key,
            kind=line.kind,
            level=line.level,
            cells=(
                line.label or texts.text(line.key if signs[line.key] > 0 else f"{line.key}.loss"),
                *_figures(layout.measures, line, signs[line.key], base),
            ),
            total_of=_total_of(line, signs, numbers),
        )
        for line in lines
    )


def _figures(
    measures: Sequence[_Measure], line: StatementLine, sign: int, base: int | None
) -> Iterable[Cell]:
    if line.kind is LineKind.HEADING:
        return
    for measure in measures:
        value = measure.value(line)
        if value is not None:
            value *= sign
        if measure.kind is ColumnKind.SHARE:
            yield Ratio.of(value, base)
        else:
            yield value


def _is_loss(line: StatementLine) -> bool:
    """Whether the line is a profit that is negative this month."""
    return (
        line.key in _COMBINATIONS
        and line.key != "total_liabilities_and_net_assets"
        and (line.current or 0) < 0
    )


def _total_of(
    line: StatementLine, signs: Mapping[str, int], numbers: Mapping[str, int]
) -> RowsAbove | Combination | None:
    if line.key in _COMBINATIONS:
        return Combination(
            tuple(
                (signs[line.key] * sign * signs[key], numbers[key])
                for sign, key in _COMBINATIONS[line.key]
                if key in numbers
            )
        )
    heading = numbers.get(line.key.removeprefix("total_"))
    if line.key.startswith("total_") and heading is not None:
        return RowsAbove(heading + 1)
    return None


def _row_numbers(lines: Sequence[StatementLine]) -> dict[str, int]:
    return {line.key: number for number, line in enumerate(lines)}


def _month_names(reports: TenantReports, language: str) -> tuple[str, ...]:
    return tuple(
        format_day(reports.month.plus(offset).start, "pattern.month", language)
        for offset in range(-11, 1)
    )


def _statement_notes(
    layout: StatementLayout, reports: TenantReports, rows: Sequence[Row], texts: Catalog
) -> tuple[str, ...]:
    lines = reports.statement(layout.kind).lines
    notes = {
        "note.no_transactions": not any(line.current for line in lines),
        "note.provisional": not reports.company.closed,
        "note.thousand": reports.company.display_unit == "thousand",
        "note.loss": layout.renames_losses and any(_is_loss(line) for line in lines),
        "note.negative": any(
            isinstance(cell, int) and cell < 0 for row in rows for cell in row.cells
        ),
    }
    currency = currency_name(reports.company.currency, texts.language)
    return tuple(
        texts.text(msgid, currency=currency) for msgid, applies in notes.items() if applies
    )


def _figure(key: str, content: _Content) -> Highlight | None:
    """A row's amount, and its change from the month before in percent."""
    row = content.rows.get(key)
    if row is None:
        return None
    label, current, prior = row.cells[:3]
    change = None
    if isinstance(current, int) and isinstance(prior, int):
        change = Ratio.of(current - prior, prior)
    return Highlight(
        label=str(label),
        value=current if isinstance(current, int) else None,
        remark=content.texts.text("highlight.change", change=_percentage(change, signed=True)),
    )


def _equity_ratio(content: _Content) -> Highlight | None:
    """Net assets in relation to all assets, now and a month ago."""
    net_assets = content.lines.get("total_net_assets")
    assets = content.lines.get("total_assets")
    if net_assets is None or assets is None:
        return None
    return Highlight(
        label=content.texts.text("highlight.equity_ratio"),
        value=Ratio.of(net_assets.current, assets.current),
        remark=content.texts.text(
            "highlight.prior", ratio=_percentage(Ratio.of(net_assets.prior, assets.prior))
        ),
    )


def _expenses_to_date(content: _Content) -> Highlight | None:
    line = content.lines.get("total_expenses")
    if line is None:
        return None
    label = content.texts.text("highlight.year_to_date", label=content.label(line))
    return Highlight(label, line.year_to_date, "")


def _largest_expense(content: _Content) -> Highlight | None:
    """The account with the highest amount, and its share."""
    largest = max(content.accounts, key=lambda line: line.current or 0, default=None)
    expenses = content.lines.get("total_expenses")
    if largest is None or expenses is None:
        return None
    share = _percentage(Ratio.of(largest.current, expenses.current))
    return Highlight(
        content.texts.text("highlight.largest", label=content.label(largest)),
        largest.current,
        content.texts.text("highlight.share", ratio=share),
    )


def _most_increased_expense(content: _Content) -> Highlight | None:
    """The account that grew most, by its growth."""
    line = max(content.accounts, key=lambda line: _change(line) or 0, default=None)
    if line is None or (growth := _change(line) or 0) <= 0:
        return None
    change = _percentage(Ratio.of(growth, line.prior), signed=True)
    return Highlight(
        content.texts.text("highlight.most_increased", label=content.label(line)),
        growth,
        content.texts.text("highlight.change", change=change),
    )


def _percentage(ratio: Ratio | None, *, signed: bool = False) -> str:
    return NOTHING if ratio is None else format_ratio(ratio, signed=signed)


def _sales_and_profit(content: _Content) -> tuple[Chart, ...]:
    return (
        ColumnChart(
            title=content.texts.text("chart.sales_and_profit"),
            labels=content.months,
            stacks=content.trend("total_net_sales"),
            lines=content.trend("operating_profit"),
        ),
    )


def _with_amounts(charts: tuple[Chart, ...]) -> tuple[Chart, ...]:
    """The charts, or none of them where none has an amount to show."""
    return charts if any(chart.has_amounts for chart in charts) else ()


def _no_charts(_: _Content) -> tuple[Chart, ...]:
    return ()


def _expense_charts(content: _Content) -> tuple[Chart, ...]:
    """The largest expenses of the month, and of the year month by month; the rest as others."""
    texts, accounts = content.texts, content.accounts
    by_amount = sorted(accounts, key=lambda line: (-(line.current or 0), line.key))
    top = [line for line in by_amount[:_MOST_BARS] if (line.current or 0) > 0]
    by_year = sorted(accounts, key=lambda line: (-sum(line.trend), line.key))
    stacks = [
        Series(content.label(line), line.trend) for line in by_year[:_MOST_STACKS] if line.trend
    ]
    others = [line.trend for line in by_year[_MOST_STACKS:]]
    if others:
        stacks.append(Series(texts.text("chart.other"), tuple(map(sum, zip(*others, strict=True)))))
    return (
        BarChart(
            title=texts.text("chart.top_expenses"),
            labels=tuple(content.label(line) for line in top),
            bars=Series(texts.text(_MONTH.msgid), tuple(line.current or 0 for line in top)),
            comparison=Series(
                texts.text(_PRIOR_MONTH.msgid), tuple(line.prior or 0 for line in top)
            ),
        ),
        ColumnChart(
            title=texts.text("chart.expense_trend"),
            labels=content.months,
            stacks=tuple(stacks),
            lines=(),
        ),
    )


def _cash_charts(content: _Content) -> tuple[Chart, ...]:
    texts, lines = content.texts, content.lines
    opening, inflows, outflows = (
        lines[key].current or 0 if key in lines else 0
        for key in ("opening_cash", "total_inflows", "total_outflows")
    )
    return (
        WaterfallChart(
            title=texts.text("chart.cash_bridge"),
            labels=(
                texts.text("chart.opening"),
                texts.text("inflows"),
                texts.text("outflows"),
                texts.text("chart.closing"),
            ),
            opening=opening,
            steps=(inflows, -outflows),
        ),
        ColumnChart(
            title=texts.text("chart.cash_trend"),
            labels=content.months,
            stacks=content.trend("total_inflows") + content.trend("total_outflows", sign=-1),
            lines=content.trend("net_cash_change", name="chart.net_change"),
        ),
    )


def _activity_charts(content: _Content) -> tuple[Chart, ...]:
    """What operating, investing and financing activities did to the cash."""
    texts, lines = content.texts, content.lines
    activities = {
        f"chart.{activity}": f"total_{activity}_activities"
        for activity in ("operating", "investing", "financing")
    }
    names = [texts.text(msgid) for msgid in activities]
    return (
        WaterfallChart(
            title=texts.text("chart.activities"),
            labels=(texts.text("chart.opening"), *names, texts.text("chart.closing")),
            opening=lines["opening_cash"].current or 0,
            steps=tuple(lines[key].current or 0 for key in activities.values()),
        ),
        ColumnChart(
            title=texts.text("chart.activity_trend"),
            labels=content.months,
            stacks=tuple(
                series
                for msgid, key in activities.items()
                for series in content.trend(key, name=msgid)
            ),
            lines=content.trend("net_cash_change", name="chart.net_change"),
        ),
    )


INCOME_STATEMENT = StatementLayout(
    kind=StatementKind.INCOME_STATEMENT,
    period=_month_of,
    measures=(_MONTH, _PRIOR_MONTH, _CHANGE, _PRIOR_YEAR, _SHARE_OF_SALES, _YEAR_TO_DATE),
    base="total_net_sales",
    highlights=(
        partial(_figure, "total_net_sales"),
        partial(_figure, "gross_profit"),
        partial(_figure, "operating_profit"),
        partial(_figure, "net_profit"),
    ),
    charts=_sales_and_profit,
    renames_losses=True,
)
BALANCE_SHEET = StatementLayout(
    kind=StatementKind.BALANCE_SHEET,
    period=_balance_date,
    measures=(_MONTH_END, _PRIOR_MONTH_END, _CHANGE, _PRIOR_YEAR_END, _OPENING),
    highlights=(
        partial(_figure, "total_assets"),
        partial(_figure, "total_liabilities"),
        partial(_figure, "total_net_assets"),
        _equity_ratio,
    ),
    charts=_no_charts,
)
EXPENSE_ANALYSIS = StatementLayout(
    kind=StatementKind.EXPENSE_ANALYSIS,
    period=_month_of,
    measures=(_MONTH, _PRIOR_MONTH, _CHANGE, _PRIOR_YEAR, _SHARE_OF_EXPENSES, _YEAR_TO_DATE),
    base="total_expenses",
    highlights=(
        partial(_figure, "total_expenses"),
        _expenses_to_date,
        _largest_expense,
        _most_increased_expense,
    ),
    charts=_expense_charts,
    charts_first=True,
)
CASH_FLOW = StatementLayout(
    kind=StatementKind.CASH_FLOW,
    period=_month_of,
    measures=(_MONTH, _PRIOR_MONTH, _PRIOR_YEAR, _YEAR_TO_DATE),
    highlights=(
        partial(_figure, "total_inflows"),
        partial(_figure, "total_outflows"),
        partial(_figure, "net_cash_change"),
        partial(_figure, "closing_cash"),
    ),
    charts=_cash_charts,
    charts_first=True,
)
INDIRECT_CASH_FLOW = StatementLayout(
    kind=StatementKind.INDIRECT_CASH_FLOW,
    period=_month_of,
    measures=(_MONTH, _PRIOR_MONTH, _PRIOR_YEAR, _YEAR_TO_DATE),
    highlights=(),
    charts=_activity_charts,
    charts_first=True,
    hides_zero_lines=True,
)


def _in_full(make: Callable[[TenantReports], Report], reports: TenantReports) -> Report:
    """The report as a company gets it that reads exact amounts."""
    return make(replace(reports, company=replace(reports.company, display_unit="one")))


# The documents of a tenant's month, by name and in the order in which they are sent. A PDF has one
# statement, or a summary and the statement that explains it.
PDF_REPORTS: Mapping[str, tuple[StatementLayout, ...]] = {
    "income_statement": (INCOME_STATEMENT,),
    "balance_sheet": (BALANCE_SHEET,),
    "expense_analysis": (EXPENSE_ANALYSIS,),
    "cash_flow": (CASH_FLOW, INDIRECT_CASH_FLOW),
}
WORKBOOK_REPORTS: Mapping[str, Callable[[TenantReports], Report]] = {
    "income_statement": partial(_in_full, partial(statement_report, INCOME_STATEMENT)),
    "balance_sheet": partial(_in_full, partial(statement_report, BALANCE_SHEET)),
    "expense_claims": partial(_in_full, expense_claims),
}
