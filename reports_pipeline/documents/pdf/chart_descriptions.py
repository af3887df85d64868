"""Charts in words, for readers who cannot see them: the title and the figures that matter most."""

from __future__ import annotations

from collections.abc import Iterable

from reports_pipeline.accounting.reports import Company
from reports_pipeline.documents.formats import amount_format
from reports_pipeline.documents.tables import BarChart, Chart, ColumnChart

_MOST_FIGURES = 3


def describe_chart(chart: Chart, company: Company) -> str:
    """The title and, where the chart has amounts, its largest figures: of a chart of columns those
    of its last column; of a waterfall the largest steps between the two balances."""
    if not chart.has_amounts:
        return chart.title
    written = amount_format(company)
    if isinstance(chart, BarChart):
        figures = _largest(zip(chart.labels, chart.bars.values, strict=True))
    elif isinstance(chart, ColumnChart):
        series = chart.stacks + chart.lines
        figures = _largest((one.name, one.values[-1]) for one in series)
        figures = [(f"{chart.labels[-1]} {name}", amount) for name, amount in figures]
    else:
        first, *names, last = chart.labels
        closing = chart.opening + sum(chart.steps)
        steps = _largest(zip(names, chart.steps, strict=True))
        figures = [(first, chart.opening), *steps, (last, closing)]
    return f"{chart.title}: " + ", ".join(f"{name} {written(amount)}" for name, amount in figures)


def _largest(figures: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(figures, key=lambda figure: -abs(figure[1]))[:_MOST_FIGURES]
