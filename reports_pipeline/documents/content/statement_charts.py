"""What the charts of each statement show."""

from __future__ import annotations

from reports_pipeline.documents.content.statement_content import StatementContent
from reports_pipeline.documents.content.statement_tables import MONTH, PRIOR_MONTH
from reports_pipeline.documents.tables import (
    BarChart,
    Chart,
    ColumnChart,
    Series,
    WaterfallChart,
)

_MOST_BARS = 8
_MOST_STACKS = 4


def sales_and_profit(content: StatementContent) -> tuple[Chart, ...]:
    return (
        ColumnChart(
            title=content.texts.text("chart.sales_and_profit"),
            labels=content.months,
            stacks=content.trend("total_net_sales"),
            lines=content.trend("operating_profit"),
        ),
    )


def with_amounts(charts: tuple[Chart, ...]) -> tuple[Chart, ...]:
    """The charts, or none of them where none has an amount to show."""
    return charts if any(chart.has_amounts for chart in charts) else ()


def no_charts(_: StatementContent) -> tuple[Chart, ...]:
    return ()


def expense_charts(content: StatementContent) -> tuple[Chart, ...]:
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
            bars=Series(texts.text(MONTH.msgid), tuple(line.current or 0 for line in top)),
            comparison=Series(
                texts.text(PRIOR_MONTH.msgid), tuple(line.prior or 0 for line in top)
            ),
        ),
        ColumnChart(
            title=texts.text("chart.expense_trend"),
            labels=content.months,
            stacks=tuple(stacks),
            lines=(),
        ),
    )


def cash_charts(content: StatementContent) -> tuple[Chart, ...]:
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


def activity_charts(content: StatementContent) -> tuple[Chart, ...]:
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
