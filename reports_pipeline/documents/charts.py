"""Charts, drawn with the few shapes a page has.

Lengths are drawn from floats; every printed figure comes from exact integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.reports import Company
from reports_pipeline.documents.catalogs import Catalog
from reports_pipeline.documents.formats import amount_format, currency_name, format_amount
from reports_pipeline.documents.pages import (
    ACCENT,
    HAIRLINE,
    INK,
    MUTED,
    NEGATIVE,
    WHITE,
    Align,
    Colour,
    Page,
    text_width,
    wrap,
)
from reports_pipeline.documents.tables import (
    BarChart,
    Chart,
    ColumnChart,
    Series,
    WaterfallChart,
)

_STACK_COLOURS = [Colour.of(c) for c in ("2F6690", "81A4CD", "6BA292", "D9A441", "B9C2CA")]
_LINE_COLOUR = Colour.of("D1792B")
_COMPARISON = Colour.of("B9C2CA")
_INFLOW = Colour.of("6BA292")
_SMALL = 6.5  # points


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
        name = currency_name(self.company.currency, self.texts.language)
        main = 10 ** minor_unit_exponent(self.company.currency)
        if largest < 100_000 * main and self.company.display_unit == "one":
            return main, self.texts.text("unit", currency=name)
        if largest < 100_000_000 * main:
            return 1_000 * main, self.texts.text("unit.thousand", currency=name)
        return 1_000_000 * main, self.texts.text("unit.million", currency=name)


def draw_chart(page: Page, chart: Chart, frame: Frame, texts: Catalog, company: Company) -> None:
    """Draw a chart with its title; one without amounts says so."""
    money = _Money(texts, company)
    page.text(frame.x, frame.top - 9, chart.title, size=9, bold=True, colour=ACCENT)
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
    _draw_legend(
        page,
        [(chart.bars, _STACK_COLOURS[0]), (chart.comparison, _COMPARISON)],
        frame,
    )
    amounts = [money.full(amount) for amount in chart.bars.values]
    amount_width = max(text_width(amount, 7.5) for amount in amounts) + 6
    label_width = frame.width * 0.34
    start = frame.x + label_width + 6
    room = frame.right - amount_width - start
    largest = max(*chart.bars.values, *chart.comparison.values)
    pitch = min(17.0, (frame.height - 14) / len(amounts))
    for number, (label, amount, current, prior) in enumerate(
        zip(chart.labels, amounts, chart.bars.values, chart.comparison.values, strict=True)
    ):
        y = frame.top - 14 - pitch * (number + 1)
        [shortened] = wrap(label, label_width, 7.5)
        page.text(frame.x, y + 4, shortened, size=7.5)
        page.box(start, y + 5, room * current / largest, 5.5, _STACK_COLOURS[0])
        if prior > 0:
            page.box(start, y + 2.2, room * prior / largest, 2, _COMPARISON)
        page.text(frame.right, y + 4, amount, size=7.5, align=Align.RIGHT)


def _draw_columns(page: Page, chart: ColumnChart, frame: Frame, money: _Money) -> None:
    rising = [sum(max(0, value) for value in values) for values in _by_label(chart.stacks)]
    falling = [sum(min(0, value) for value in values) for values in _by_label(chart.stacks)]
    levels = [*rising, *falling, *(value for line in chart.lines for value in line.values)]
    axis = _draw_axis(page, frame, min(levels), max(levels), money)
    coloured = [
        *zip(chart.stacks, _STACK_COLOURS, strict=False),
        *((line, _LINE_COLOUR) for line in chart.lines),
    ]
    _draw_legend(page, coloured, frame)
    slot = (frame.right - axis.left) / len(chart.labels)
    for number, label in enumerate(chart.labels):
        centre = axis.left + slot * (number + 0.5)
        page.text(centre, frame.y + 2, label, size=_SMALL, colour=MUTED, align=Align.CENTRE)
        up = down = 0
        for series, colour in zip(chart.stacks, _STACK_COLOURS, strict=False):
            value = series.values[number]
            base = up if value > 0 else down
            if value:
                page.box(
                    centre - slot * 0.31,
                    axis.y(base),
                    slot * 0.62,
                    axis.y(base + value) - axis.y(base),
                    colour,
                )
            if value > 0:
                up += value
            else:
                down += value
    for line in chart.lines:
        points = [
            (axis.left + slot * (number + 0.5), axis.y(value))
            for number, value in enumerate(line.values)
        ]
        page.line(points, width=1.4, colour=_LINE_COLOUR)
        for x, y in points:
            page.dot(x, y, 1.7, _LINE_COLOUR)


def _by_label(stacks: tuple[Series, ...]) -> list[tuple[int, ...]]:
    return list(zip(*(series.values for series in stacks), strict=True))


def _draw_waterfall(page: Page, chart: WaterfallChart, frame: Frame, money: _Money) -> None:
    levels = [chart.opening]
    for step in chart.steps:
        levels.append(levels[-1] + step)
    axis = _draw_axis(page, frame, min(0, *levels), max(0, *levels), money)
    columns = [
        (0, chart.opening, _STACK_COLOURS[0]),
        *(
            (before, step, _INFLOW if step >= 0 else _LINE_COLOUR)
            for before, step in zip(levels, chart.steps, strict=False)
        ),
        (0, levels[-1], _STACK_COLOURS[0]),
    ]
    slot = (frame.right - axis.left) / len(columns)
    for number, (label, (base, height, colour)) in enumerate(
        zip(chart.labels, columns, strict=True)
    ):
        centre = axis.left + slot * (number + 0.5)
        top, bottom = axis.y(max(base, base + height)), axis.y(min(base, base + height))
        page.box(centre - slot * 0.3, bottom, slot * 0.6, top - bottom, colour)
        if number < len(columns) - 1:
            end = axis.y(base + height)
            page.rule(centre + slot * 0.3, centre + slot * 0.7, end, colour=MUTED)
        amount = money.full(height)
        width = text_width(amount, _SMALL)
        size = min(_SMALL, _SMALL * slot * 0.98 / width)
        page.box(centre - width / 2, top + 2, width, _SMALL, WHITE)
        page.text(
            centre,
            top + 3,
            amount,
            size=size,
            colour=NEGATIVE if height < 0 else INK,
            align=Align.CENTRE,
        )
        page.text(centre, frame.y + 2, label, size=_SMALL, colour=MUTED, align=Align.CENTRE)


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
    bottom, top = frame.y + 14, frame.top - 24
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


def _draw_legend(page: Page, entries: list[tuple[Series, Colour]], frame: Frame) -> None:
    """Names of the series, right-aligned above the plot; shortened where they do not fit."""
    swatch = 16.0
    share = frame.width / len(entries) - swatch
    names = [series.name for series, _ in entries]
    if sum(text_width(name, _SMALL) + swatch for name in names) > frame.width:
        names = [wrap(name, share, _SMALL)[0] for name in names]
    x = frame.right
    for name, (_, colour) in zip(reversed(names), reversed(entries), strict=True):
        x -= text_width(name, _SMALL)
        page.text(x, frame.top - 8, name, size=_SMALL, colour=MUTED)
        x -= 8
        page.box(x, frame.top - 8, 5, 5, colour)
        x -= 8
