"""PDFs the plain way: platypus stories, with charts of reportlab.graphics."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from itertools import pairwise
from typing import Any

from reportlab.graphics.charts.barcharts import HorizontalBarChart, VerticalBarChart
from reportlab.graphics.charts.legends import Legend
from reportlab.graphics.charts.linecharts import HorizontalLineChart
from reportlab.graphics.shapes import Drawing, String
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.documents.catalogs import Catalog, catalog
from reports_pipeline.documents.formats import (
    NEGATIVE_SIGN,
    NOTHING,
    amount_format,
    currency_name,
    format_ratio,
)
from reports_pipeline.documents.tables import (
    BarChart,
    Cell,
    Chart,
    ColumnChart,
    Ratio,
    Report,
    WaterfallChart,
)

_REGULAR, _BOLD = "PlainNotoSansJP", "PlainNotoSansJP-Bold"
_ACCENT, _TINT, _INK = HexColor("#1F4E79"), HexColor("#EDF3F8"), HexColor("#22303C")
_MUTED, _HAIRLINE, _NEGATIVE = HexColor("#6B7A88"), HexColor("#C9D3DC"), HexColor("#C0392B")
_SERIES = [HexColor(f"#{code}") for code in ("2F6690", "81A4CD", "6BA292", "D9A441", "B9C2CA")]
_LINE = HexColor("#D1792B")
_MARGIN = 40  # points


@functools.cache
def _register_fonts() -> None:
    folder = files("reports_pipeline.documents").joinpath("fonts")
    for name, file in ((_REGULAR, "NotoSansJP-Regular.ttf"), (_BOLD, "NotoSansJP-Bold.ttf")):
        font = TTFont(name, io.BytesIO(folder.joinpath(file).read_bytes()))
        # reportlab keeps one font for each face, and ours have the same faces
        font.face.name = name.encode()
        pdfmetrics.registerFont(font)


class _NumberedCanvas(Canvas):
    """Writes "page n of m" when all pages are known: the usual recipe for platypus."""

    def __init__(self, *arguments: Any, texts: Catalog, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._texts = texts
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        self._pages.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]

    def save(self) -> None:
        for number, page in enumerate(self._pages, start=1):
            self.__dict__.update(page)
            self.setFont(_REGULAR, 7)
            self.setFillColor(_MUTED)
            text = self._texts.text("page", page=number, pages=len(self._pages))
            self.drawRightString(self._pagesize[0] - _MARGIN, 28, text)  # type: ignore[attr-defined]
            super().showPage()
        super().save()


def render_pdf(parts: Sequence[Report], reference: str) -> bytes:
    """A document of one report or several, each of which begins a page."""
    _register_fonts()
    output = io.BytesIO()
    first = parts[0]
    texts = catalog(first.company.language)
    document = BaseDocTemplate(
        output,
        title=f"{first.title} {first.period}",
        author="FinanceFlow",
        creator="FinanceFlow",
        subject=f"{first.company.name} {first.title}",
        keywords=[first.company.tenant_id, str(first.month)],
        lang=first.company.language,
    )
    story: list[Flowable] = []
    for number, report in enumerate(parts):
        document.addPageTemplates(_page_template(f"part{number}", report, reference, texts))
        if number:
            story += [NextPageTemplate(f"part{number}"), PageBreak()]
        story += _story(report, texts)
    document.build(
        story, canvasmaker=partial(_NumberedCanvas, texts=texts, initialFontName=_REGULAR)
    )
    return output.getvalue()


def _page_size(report: Report) -> tuple[float, float]:
    return landscape(A4) if report.is_landscape else A4


def _page_template(name: str, report: Report, reference: str, texts: Catalog) -> PageTemplate:
    width, height = _page_size(report)
    frame = Frame(_MARGIN, 44, width - 2 * _MARGIN, height - 144, 0, 0, 0, 0)
    head = partial(_draw_head_and_foot, report=report, reference=reference, texts=texts)
    return PageTemplate(name, [frame], onPage=head, pagesize=(width, height))


def _draw_head_and_foot(
    canvas: Canvas, _document: object, *, report: Report, reference: str, texts: Catalog
) -> None:
    width, height = _page_size(report)
    right, top = width - _MARGIN, height - 46
    canvas.saveState()
    canvas.setFillColor(_ACCENT)
    canvas.rect(0, height - 6, width, 6, stroke=0, fill=1)
    canvas.setFont(_BOLD, 16)
    canvas.drawString(_MARGIN, top, report.title)
    if not report.company.closed:
        canvas.setFont(_BOLD, 9)
        canvas.setFillColor(_NEGATIVE)
        x = _MARGIN + pdfmetrics.stringWidth(report.title, _BOLD, 16) + 12
        canvas.drawString(x, top, texts.text("provisional"))
    canvas.setFillColor(_INK)
    canvas.setFont(_BOLD, 11)
    canvas.drawRightString(right, top + 1, report.period)
    name = Paragraph(_escaped(report.company.name), _style(11, bold=True))
    taken = name.wrap((right - _MARGIN) * 0.6, 30)[1]
    name.drawOn(canvas, _MARGIN, top - 8 - taken)
    canvas.setFont(_REGULAR, 8)
    canvas.setFillColor(_MUTED)
    canvas.drawRightString(right, top - 16, "　".join(report.facts[:2]))
    canvas.drawRightString(right, top - 28, "　".join(report.facts[2:]))
    canvas.setStrokeColor(_ACCENT)
    canvas.line(_MARGIN, top - 42, right, top - 42)
    canvas.setStrokeColor(_HAIRLINE)
    canvas.line(_MARGIN, 40, right, 40)
    canvas.setFont(_REGULAR, 7)
    marks = ["FinanceFlow", texts.text("reference", reference=reference), report.edition]
    canvas.drawString(_MARGIN, 28, "　".join(marks))
    canvas.restoreState()


def _style(
    size: float,
    *,
    bold: bool = False,
    colour: Color = _INK,
    indent: float = 0,
) -> ParagraphStyle:
    return ParagraphStyle(
        "text",
        fontName=_BOLD if bold else _REGULAR,
        fontSize=size,
        leading=size * 1.2,
        textColor=colour,
        leftIndent=indent,
        wordWrap="CJK",
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _written(cell: Cell, report: Report) -> str:
    if cell is None:
        return NOTHING
    if isinstance(cell, int):
        return amount_format(report.company)(cell)
    if isinstance(cell, Ratio):
        return format_ratio(cell)
    return str(cell)


def _story(report: Report, texts: Catalog) -> list[Flowable]:
    width = _page_size(report)[0] - 2 * _MARGIN
    charts = [_chart_table(report, width, texts)] if report.charts else []
    story: list[Flowable] = []
    if report.highlights:
        story += [_highlight_table(report, width), Spacer(0, 8)]
    if report.charts_first:
        story += charts
    if report.columns:
        story.append(_statement_table(report, width))
    for comment in report.comments:
        colour = _NEGATIVE if comment.is_warning else _ACCENT
        story.append(Paragraph(_escaped(comment.title), _style(10, bold=True, colour=colour)))
        story += [Paragraph(_escaped(comment.text), _style(9)), Spacer(0, 8)]
    if report.remarks:
        story.append(Spacer(0, 4))
    story += [Paragraph(_escaped(note), _style(7.5, colour=_MUTED)) for note in report.remarks]
    if not report.charts_first:
        story += charts
    return story


def _highlight_table(report: Report, width: float) -> Table:
    boxes = []
    for highlight in report.highlights:
        figure = _written(highlight.value, report)
        boxes.append(
            [
                Paragraph(_escaped(highlight.label), _style(7, colour=_MUTED)),
                Paragraph(figure, _style(12, bold=True, colour=_figure_colour(figure))),
                Paragraph(_escaped(highlight.remark), _style(7, colour=_MUTED)),
            ]
        )
    count = max(4, len(boxes))
    table = Table([boxes], colWidths=[width / count] * len(boxes), hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, -1), _TINT),
                ("INNERGRID", (0, 0), (-1, -1), 6, white),
                ("LINEBEFORE", (0, 0), (0, -1), 2.5, _ACCENT),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
    )
    return table


def _figure_colour(figure: str) -> Color:
    return _NEGATIVE if figure.startswith(NEGATIVE_SIGN) else _INK


def _statement_table(report: Report, width: float) -> Table:
    figures = len(report.columns) - 1
    size, padding = (8, 0.8) if figures <= 7 else (6.5, 1.8)
    figure_width = min(62.0, (width - 110) / figures)
    head = [column.title for column in report.columns]
    rows: list[list[Any]] = [head]
    commands: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), _REGULAR, size),
        ("FONT", (0, 0), (-1, 0), _BOLD, size),
        ("BACKGROUND", (0, 0), (-1, 0), _ACCENT),
        ("TEXTCOLOR", (0, 0), (-1, 0), white),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("TOPPADDING", (0, 0), (-1, -1), padding),
        ("BOTTOMPADDING", (0, 0), (-1, -1), padding + 0.4),
        ("RIGHTPADDING", (1, 0), (-1, -1), 3),
        ("LEFTPADDING", (1, 0), (-1, -1), 0),
    ]
    for number, row in enumerate(report.rows, start=1):
        is_bold = row.kind is not LineKind.ACCOUNT
        colour = _ACCENT if row.kind is LineKind.HEADING else _INK
        label = _style(size, bold=is_bold, colour=colour, indent=9 * row.level)
        written = [_written(cell, report) for cell in row.cells[1:]]
        rows.append([Paragraph(_escaped(str(row.cells[0])), label), *written])
        if not written:
            commands.append(("SPAN", (0, number), (-1, number)))
            rows[-1] += [""] * figures
        if is_bold:
            commands.append(("FONT", (1, number), (-1, number), _BOLD, size))
        if row.kind is LineKind.TOTAL:
            commands.append(("BACKGROUND", (0, number), (-1, number), _TINT))
            commands.append(("LINEABOVE", (0, number), (-1, number), 0.7, _ACCENT))
            commands.append(("LINEBELOW", (0, number), (-1, number), 0.7, _ACCENT))
        elif row.kind is LineKind.SUBTOTAL:
            commands.append(("LINEABOVE", (1, number), (-1, number), 0.5, _MUTED))
        elif row.kind is LineKind.ACCOUNT:
            commands.append(("LINEBELOW", (0, number), (-1, number), 0.25, _HAIRLINE))
        for column, figure in enumerate(written, start=1):
            if figure.startswith(NEGATIVE_SIGN):
                commands.append(("TEXTCOLOR", (column, number), (column, number), _NEGATIVE))
    widths = [width - figure_width * figures, *[figure_width] * figures]
    table = Table(rows, colWidths=widths, repeatRows=1)
    table.setStyle(TableStyle(commands))
    return table


def _chart_table(report: Report, width: float, texts: Catalog) -> Table:
    each = width / len(report.charts)
    height = 120 if report.charts_first else 118
    drawings = [_drawing(chart, report, each - 14, height, texts) for chart in report.charts]
    return Table([drawings], colWidths=[each] * len(drawings))


def _drawing(chart: Chart, report: Report, width: float, height: float, texts: Catalog) -> Drawing:
    drawing = Drawing(width, height)
    title = String(0, height - 9, chart.title, fontName=_BOLD, fontSize=9, fillColor=_ACCENT)
    drawing.add(title)
    if not chart.has_amounts:
        empty = String(width / 2, height / 2, texts.text("chart.empty"), textAnchor="middle")
        empty.fontName, empty.fontSize, empty.fillColor = _REGULAR, 8.5, _MUTED
        drawing.add(empty)
    elif isinstance(chart, BarChart):
        _add_bars(drawing, chart, report)
    elif isinstance(chart, ColumnChart):
        _add_columns(drawing, chart, report, texts)
    else:
        _add_waterfall(drawing, chart, report, texts)
    return drawing


def _add_bars(drawing: Drawing, chart: BarChart, report: Report) -> None:
    bars = HorizontalBarChart()
    _place(bars, drawing.width * 0.36, 4, drawing.width * 0.42, drawing.height - 34)
    # reportlab draws the first category lowest
    bars.data = [chart.bars.values[::-1], chart.comparison.values[::-1]]
    bars.categoryAxis.categoryNames = list(chart.labels[::-1])
    bars.categoryAxis.labels.fontName, bars.categoryAxis.labels.fontSize = _REGULAR, 7
    bars.valueAxis.visible = False
    bars.valueAxis.valueMin = 0
    written = [_written(value, report) for value in chart.bars.values[::-1]]
    bars.barLabelFormat = "values"
    bars.barLabelArray = [written, [""] * len(written)]
    bars.barLabels.fontName, bars.barLabels.fontSize = _REGULAR, 7
    bars.barLabels.boxAnchor = "w"
    bars.barLabels.dx = 3
    for number, colour in enumerate((_SERIES[0], _SERIES[4])):
        bars.bars[number].fillColor = colour
        bars.bars[number].strokeColor = None
    drawing.add(bars)
    _add_legend(drawing, [(chart.bars.name, _SERIES[0]), (chart.comparison.name, _SERIES[4])])


def _add_columns(drawing: Drawing, chart: ColumnChart, report: Report, texts: Catalog) -> None:
    months = list(zip(*(series.values for series in chart.stacks), strict=True))
    levels = [sum(max(0, value) for value in values) for values in months]
    levels += [sum(min(0, value) for value in values) for values in months]
    levels += [value for line in chart.lines for value in line.values]
    columns = _vertical_bars(drawing, chart.labels, levels, report, texts)
    columns.data = [series.values for series in chart.stacks]
    for number, _ in enumerate(chart.stacks):
        columns.bars[number].fillColor = _SERIES[number % len(_SERIES)]
        columns.bars[number].strokeColor = None
    if chart.lines:
        lines = HorizontalLineChart()
        _place(lines, 40, 14, drawing.width - 44, drawing.height - 54)
        lines.data = [line.values for line in chart.lines]
        lines.categoryAxis.categoryNames = list(chart.labels)
        lines.categoryAxis.visible = lines.valueAxis.visible = False
        lines.valueAxis.valueMin = columns.valueAxis.valueMin
        lines.valueAxis.valueMax = columns.valueAxis.valueMax
        for number, _ in enumerate(chart.lines):
            lines.lines[number].strokeColor = _LINE
            lines.lines[number].strokeWidth = 1.4
        drawing.add(lines)
    colours = [(stack.name, colour) for stack, colour in zip(chart.stacks, _SERIES, strict=False)]
    _add_legend(drawing, [*colours, *((line.name, _LINE) for line in chart.lines)])


def _add_waterfall(drawing: Drawing, chart: WaterfallChart, report: Report, texts: Catalog) -> None:
    levels = [chart.opening]
    for step in chart.steps:
        levels.append(levels[-1] + step)
    shown = [chart.opening, *chart.steps, levels[-1]]
    hidden = [0, *(min(pair) for pair in pairwise(levels)), 0]
    columns = _vertical_bars(drawing, chart.labels, levels, report, texts)
    columns.data = [hidden, [abs(amount) for amount in shown]]
    columns.bars[0].fillColor = columns.bars[0].strokeColor = None
    columns.bars[1].fillColor, columns.bars[1].strokeColor = _SERIES[0], None
    for number, step in enumerate(chart.steps, start=1):
        columns.bars[1, number].fillColor = _SERIES[2] if step >= 0 else _LINE
    columns.barLabelFormat = "values"
    columns.barLabelArray = [[""] * len(shown), [_written(amount, report) for amount in shown]]
    columns.barLabels.fontName, columns.barLabels.fontSize = _REGULAR, 6.5
    columns.barLabels.dy = 5


def _place(chart: Any, x: float, y: float, width: float, height: float) -> None:
    chart.x, chart.y, chart.width, chart.height = x, y, width, height


def _vertical_bars(
    drawing: Drawing, labels: Sequence[str], levels: Sequence[int], report: Report, texts: Catalog
) -> Any:
    """A stacked chart with axes that enclose the levels, in a unit that suits them."""
    low, high = min(0, *levels), max(0, *levels)
    divisor, unit = _axis_unit(max(high, -low), report, texts)
    step = 10 ** (len(str(max(high - low, divisor) // 4)) - 1)
    step = next(factor * step for factor in (1, 2, 5, 10) if factor * step * 4 >= high - low)
    chart = VerticalBarChart()
    _place(chart, 40, 14, drawing.width - 44, drawing.height - 54)
    chart.categoryAxis.style = "stacked"
    chart.categoryAxis.categoryNames = list(labels)
    chart.categoryAxis.labels.fontName, chart.categoryAxis.labels.fontSize = _REGULAR, 6.5
    chart.categoryAxis.labelAxisMode = "low"
    chart.valueAxis.valueMin = low // step * step
    chart.valueAxis.valueMax = -(-high // step) * step
    chart.valueAxis.valueStep = step
    chart.valueAxis.labelTextFormat = lambda tick: f"{int(tick) // divisor:,}".replace("-", "△")
    chart.valueAxis.labels.fontName, chart.valueAxis.labels.fontSize = _REGULAR, 6.5
    chart.valueAxis.visibleGrid = True
    chart.valueAxis.gridStrokeColor, chart.valueAxis.gridStrokeWidth = _HAIRLINE, 0.3
    drawing.add(chart)
    name = String(drawing.width, drawing.height - 9, unit, textAnchor="end")
    name.fontName, name.fontSize, name.fillColor = _REGULAR, 6.5, _MUTED
    drawing.add(name)
    return chart


def _axis_unit(largest: int, report: Report, texts: Catalog) -> tuple[int, str]:
    """Minor units in the axis' unit, and its name."""
    main = 10 ** minor_unit_exponent(report.company.currency)
    currency = currency_name(report.company.currency, texts.language)
    if largest < 100_000 * main and report.company.display_unit == "one":
        return main, texts.text("unit", currency=currency)
    if largest < 100_000_000 * main:
        return 1_000 * main, texts.text("unit.thousand", currency=currency)
    return 1_000_000 * main, texts.text("unit.million", currency=currency)


def _add_legend(drawing: Drawing, series: Sequence[tuple[str, Color]]) -> None:
    legend: Any = Legend()  # its stubs take whole points only
    legend.colorNamePairs = [(colour, name) for name, colour in series]
    legend.fontName, legend.fontSize, legend.fillColor = _REGULAR, 6.5, _MUTED
    legend.columnMaximum = 1
    legend.dx = legend.dy = 5
    legend.dxTextSpace = 3
    legend.deltax = 8
    legend.variColumn = True
    legend.alignment = "right"
    legend.boxAnchor = "ne"
    legend.x, legend.y = drawing.width, drawing.height - 18
    drawing.add(legend)
