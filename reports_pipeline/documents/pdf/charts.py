"""Charts, drawn with the few shapes a page has.

Lengths are drawn from floats; every printed figure comes from exact integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.reports import Company
from reports_pipeline.documents.catalogs import Catalog
from reports_pipeline.documents.formats import amount_format, currency_name, format_amount
from reports_pipeline.documents.pdf.pages import Align, Page, text_width, wrap
from reports_pipeline.documents.pdf.themes import HAIRLINE, INK, MUTED, NEGATIVE, WHITE, Colour
from reports_pipeline.documents.tables import (
    BarChart,
    Chart,
    ColumnChart,
    Series,
    WaterfallChart,
)

# Points.
_SMALL = 6.5
_LEGIBLE = 5.0
_TITLE_SIZE = 9.0


@dataclass(frozen=True)
class Frame:
    """The rectangle a chart fills, in points; `y` is its bottom."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def top(self) -> float:
        return self.y + self.height


@dataclass(frozen=True)
class _Money:
    """How amounts of the company are written on an axis and beside bars."""

    texts: Catalog
    company: Company

    def full(self, minor: int) -> str:
        """As in the table of the report."""
        return amount_format(self.company)(minor)

    def axis_unit(self, largest: int) -> tuple[int, str]:
        """Minor units in the axis' unit, and its name: large amounts in thousands or millions."""
        main = 10 ** minor_unit_exponent(self.company.currency)
        if largest < 100_000 * main and self.company.display_unit == "one":
            return main, self._unit("unit")
        if largest < 100_000_000 * main:
            return 1_000 * main, self._unit("unit.thousand")
        return 1_000_000 * main, self._unit("unit.million")

    def _unit(self, msgid: str) -> str:
        name = currency_name(self.company.currency, self.texts.language)
        return self.texts.text(msgid, currency=name)


def draw_chart(page: Page, chart: Chart, frame: Frame, texts: Catalog, company: Company) -> None:
    """Draw a chart with its title; one without amounts says so."""
    money = _Money(texts, company)
    [title] = wrap(chart.title, frame.width, _TITLE_SIZE, bold=True)
    page.text(frame.x, frame.top - 9, title, size=_TITLE_SIZE, bold=True, colour=page.theme.heading)
    page.rule(frame.x, frame.right, frame.top - 14)
    body = Frame(frame.x, frame.y, frame.width, frame.height - 18)
    if not chart.has_amounts:
        page.text(
            body.x + body.width / 2,
            body.y + body.height / 2,
            texts.text("chart.empty"),
            size=8.5,
            colour=MUTED,
            align=Align.CENTRE,
        )
    elif isinstance(chart, BarChart):
        _draw_bars(page, chart, body, money)
    elif isinstance(chart, ColumnChart):
        _draw_columns(page, chart, body, money)
    else:
        _draw_waterfall(page, chart, body, money)


def _draw_bars(page: Page, chart: BarChart, frame: Frame, money: _Money) -> None:
    colour, comparison_colour = page.theme.accent_of_charts, page.theme.comparison
    _draw_legend(page, [(chart.bars, colour), (chart.comparison, comparison_colour)], frame)
    amounts = [money.full(amount) for amount in chart.bars.values]
    amount_width = max(text_width(amount, 7.5) for amount in amounts) + 6
    label_width = frame.width * 0.34
    start = frame.x + label_width + 6
    room = frame.right - amount_width - start
    largest = max(1, *chart.bars.values, *chart.comparison.values)
    pitch = min(17.0, (frame.height - 14) / len(amounts))
    for number, (label, amount, current, prior) in enumerate(
        zip(chart.labels, amounts, chart.bars.values, chart.comparison.values, strict=True)
    ):
        y = frame.top - 14 - pitch * (number + 1)
        [shortened] = wrap(label, label_width, 7.5)
        page.text(frame.x, y + 4, shortened, size=7.5)
        page.box(start, y + 5, room * max(0, current) / largest, min(5.5, pitch - 6), colour)
        if prior > 0:
            page.box(start, y + 2.2, room * prior / largest, 2, comparison_colour)
        page.text(
            frame.right,
            y + 4,
            amount,
            size=7.5,
            colour=NEGATIVE if current < 0 else INK,
            align=Align.RIGHT,
        )


def _draw_columns(page: Page, chart: ColumnChart, frame: Frame, money: _Money) -> None:
    """Months before the first amount stay empty: nothing is known of them."""
    theme = page.theme
    rising = [sum(max(0, value) for value in values) for values in _by_label(chart.stacks)]
    falling = [sum(min(0, value) for value in values) for values in _by_label(chart.stacks)]
    levels = [*rising, *falling, *(value for line in chart.lines for value in line.values)]
    axis = _draw_axis(page, frame, min(levels), max(levels), money)
    colours = theme.steps_below_lines if chart.lines else theme.steps
    _draw_legend(
        page,
        [*zip(chart.stacks, colours, strict=False), *((line, theme.line) for line in chart.lines)],
        frame,
        lines=len(chart.lines),
    )
    slot = (frame.right - axis.left) / len(chart.labels)
    _draw_labels(page, chart.labels, frame, axis.left, slot)
    for series_number, values in enumerate(_by_label(chart.stacks)):
        x = axis.left + slot * (series_number + 0.2)
        up = down = 0
        for value, colour in zip(values, colours, strict=False):
            if value == 0:
                continue
            base = up if value > 0 else down
            page.box(x, axis.y(base), slot * 0.6, axis.y(base + value) - axis.y(base), colour)
            if base:
                page.rule(x, x + slot * 0.6, axis.y(base), width=0.4, colour=WHITE)
            if value > 0:
                up += value
            else:
                down += value
    first = _first_amount(chart)
    for line in chart.lines:
        points = [
            (axis.left + slot * (number + 0.5), axis.y(value))
            for number, value in enumerate(line.values)
        ][first:]
        if len(points) > 1:
            # a white edge keeps it apart from the columns where there are no colours
            page.line(points, width=2.8, colour=WHITE)
            page.line(points, width=1.3, colour=theme.line)
        page.dots(points, 2.2, WHITE)
        page.dots(points, 1.6, theme.line)


def _by_label(stacks: tuple[Series, ...]) -> list[tuple[int, ...]]:
    return list(zip(*(series.values for series in stacks), strict=True))


def _first_amount(chart: ColumnChart) -> int:
    """Which label is the first that has an amount."""
    values = _by_label(chart.stacks + chart.lines)
    return next(number for number, amounts in enumerate(values) if any(amounts))


def _draw_waterfall(page: Page, chart: WaterfallChart, frame: Frame, money: _Money) -> None:
    """What comes in is filled, what goes out is outlined."""
    theme = page.theme
    levels = [chart.opening]
    for step in chart.steps:
        levels.append(levels[-1] + step)
    axis = _draw_axis(page, frame, min(0, *levels), max(0, *levels), money)
    balance, inflow, outflow = theme.accent_of_charts, theme.steps[2], theme.steps[4]
    columns = [
        (0, chart.opening, balance),
        *(
            (before, step, inflow if step >= 0 else outflow)
            for before, step in zip(levels, chart.steps, strict=False)
        ),
        (0, levels[-1], balance),
    ]
    slot = (frame.right - axis.left) / len(columns)
    amounts = [money.full(height) for _, height, _ in columns]
    # all in one size, the largest in which none reaches its neighbour
    size = min(_SMALL, slot * 0.96 / max(text_width(amount, 1) for amount in amounts))
    for number, (amount, (base, height, colour)) in enumerate(zip(amounts, columns, strict=True)):
        centre = axis.left + slot * (number + 0.5)
        top, bottom = axis.y(max(base, base + height)), axis.y(min(base, base + height))
        page.box(centre - slot * 0.3, bottom, slot * 0.6, top - bottom, colour)
        if colour is outflow:
            page.frame(centre - slot * 0.3, bottom, slot * 0.6, top - bottom, balance)
        if number < len(columns) - 1:
            end = axis.y(base + height)
            page.rule(centre + slot * 0.3, centre + slot * 0.7, end, colour=MUTED)
        width = text_width(amount, size)
        page.box(centre - width / 2 - 1, top + 1.5, width + 2, size + 0.5, WHITE)
        page.text(
            centre,
            top + 3,
            amount,
            size=size,
            colour=NEGATIVE if height < 0 else INK,
            align=Align.CENTRE,
        )
    _draw_labels(page, chart.labels, frame, axis.left, slot)


def _draw_labels(page: Page, labels: Sequence[str], frame: Frame, left: float, slot: float) -> None:
    """The names under the columns, in one size; shortened where they were too small to read."""
    widest = max(text_width(label, 1) for label in labels)
    size = max(_LEGIBLE, min(_SMALL, slot * 0.96 / widest))
    for number, label in enumerate(labels):
        [shortened] = wrap(label, slot * 0.98, size)
        page.text(
            left + slot * (number + 0.5),
            frame.y + 2,
            shortened,
            size=size,
            colour=MUTED,
            align=Align.CENTRE,
        )


@dataclass(frozen=True)
class _Axis:
    """The vertical axis: where amounts lie on the page."""

    left: float
    zero: float  # y of zero
    points_per_unit: float  # per minor unit

    def y(self, amount: int) -> float:
        return self.zero + amount * self.points_per_unit


def _draw_axis(page: Page, frame: Frame, lowest: int, highest: int, money: _Money) -> _Axis:
    """Grid lines at round amounts that include zero and enclose the given ones."""
    lowest, highest = min(0, lowest), max(0, highest)
    divisor, unit = money.axis_unit(max(highest, -lowest))
    step = _round_step(max((highest - lowest) / 4, divisor))
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    ticks = [step * number for number in range(first, last + 1)]
    labels = [format_amount(tick // divisor, 0) for tick in ticks]
    left = frame.x + max(text_width(label, _SMALL) for label in labels) + 6
    bottom, top = frame.y + 14, frame.top - 18
    scale = (top - bottom) / (ticks[-1] - ticks[0])
    axis = _Axis(left, bottom - ticks[0] * scale, scale)
    page.text(frame.right, frame.top + 9, unit, size=_SMALL, colour=MUTED, align=Align.RIGHT)
    for tick, label in zip(ticks, labels, strict=True):
        y = axis.y(tick)
        page.text(left - 4, y - 2.2, label, size=_SMALL, colour=MUTED, align=Align.RIGHT)
        page.rule(
            left,
            frame.right,
            y,
            width=0.7 if tick == 0 else 0.3,
            colour=MUTED if tick == 0 else HAIRLINE,
        )
    return axis


def _round_step(length: float) -> int:
    """The next 1, 2 or 5 times a power of ten."""
    power = int(10 ** math.floor(math.log10(length)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= length)


def _draw_legend(
    page: Page,
    entries: Sequence[tuple[Series, Colour]],
    frame: Frame,
    *,
    lines: int = 0,
) -> None:
    """Names of the series, right-aligned above the plot; the longest are shortened where they do
    not fit. The last entries are `lines`."""
    swatch = 16.0
    room = frame.width - swatch * len(entries)
    names = _shortened([series.name for series, _ in entries], room)
    x = frame.right
    y = frame.top - 8
    for number, (name, (_, colour)) in enumerate(
        zip(reversed(names), reversed(entries), strict=True)
    ):
        x -= text_width(name, _SMALL)
        page.text(x, y, name, size=_SMALL, colour=MUTED)
        x -= 8
        if number < lines:
            page.rule(x - 3, x + 5, y + 2.2, width=1.3, colour=colour)
            page.dots([(x + 1, y + 2.2)], 1.6, colour)
        else:
            page.box(x, y - 0.3, 5, 5, colour)
        x -= 8


def _shortened(names: Sequence[str], room: float) -> list[str]:
    """The names in the room for all: each has an equal share, and what short ones leave of theirs
    is for the others."""
    shortened = {}
    by_width = sorted(range(len(names)), key=lambda number: text_width(names[number], _SMALL))
    for taken, number in enumerate(by_width):
        share = room / (len(names) - taken)
        [shortened[number]] = wrap(names[number], share, _SMALL)
        room -= text_width(shortened[number], _SMALL)
    return [shortened[number] for number in range(len(names))]
