"""Reports as PDF: A4 pages with a head, the table, charts and a foot."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.documents.catalogs import Catalog, catalog
from reports_pipeline.documents.charts import Frame, draw_chart
from reports_pipeline.documents.fonts import (
    REGULAR,
    Alphabet,
    printable_characters,
    report_fonts,
)
from reports_pipeline.documents.formats import (
    NEGATIVE_SIGN,
    NOTHING,
    amount_format,
    format_ratio,
)
from reports_pipeline.documents.pages import (
    ACCENT,
    INK,
    MUTED,
    NEGATIVE,
    TINT,
    WHITE,
    Align,
    Colour,
    Page,
    text_width,
    wrap,
)
from reports_pipeline.documents.tables import Cell, Highlight, Ratio, Report, Row

# Points.
_WIDTH, _HEIGHT = A4
_MARGIN = 40.0
_RIGHT = _WIDTH - _MARGIN
_BODY_TOP = _HEIGHT - 98
_BODY_BOTTOM = 52.0
_FONT_SIZE = 8.5
_INDENT = 9.0
_LINE_PITCH = 10.0
_COLUMN_GAP = 12.0
_LEAST_LABEL_WIDTH = 130.0
_ROW_HEIGHTS = {
    LineKind.HEADING: 16.0,
    LineKind.ACCOUNT: 13.6,
    LineKind.SUBTOTAL: 14.6,
    LineKind.TOTAL: 17.0,
}
_CHART_HEIGHT = 178.0
_CHART_HEIGHT_BELOW = 132.0  # on the page on which the table ends
_MOST_LABEL_WIDTH = 240.0
_LEAST_FIGURE_WIDTH = 42.0
_MOST_SPREAD = 22.0  # added to a column
# Rows may come this much closer where a table then fits on one page less.
_TIGHTEST = 0.8
# A page goes on with at least so many rows, lest a table end in one line on a page of its own.
_FEWEST_ROWS = 6


def render_pdfs(documents: Sequence[Sequence[Report]], reference: str) -> list[bytes]:
    """The documents of one tenant as PDFs, the same bytes for the same input.

    A document is one report or several, each of which begins a page. All documents share the
    embedded font subsets, so all are drawn before the first is finished.

    Raises:
        TenantFailureError: MISSING_GLYPH, a text has a character that the fonts lack.
    """
    for report in chain.from_iterable(documents):
        _require_glyphs(report)
    alphabets = [Alphabet(font.face) for font in report_fonts()]
    outputs = [io.BytesIO() for _ in documents]
    canvases = [
        _draw(parts, reference, output, alphabets)
        for parts, output in zip(documents, outputs, strict=True)
    ]
    for canvas in canvases:
        canvas.save()
    return [output.getvalue() for output in outputs]


def _require_glyphs(report: Report) -> None:
    printable = printable_characters()
    for field, text in _texts(report):
        if not printable.issuperset(text):
            missing = next(character for character in text if character not in printable)
            raise TenantFailureError(
                TenantFailure(
                    report.company.tenant_id,
                    FailureCode.MISSING_GLYPH,
                    {
                        "report": report.name,
                        "field": field,
                        "text": text,
                        "code_point": f"U+{ord(missing):04X}",
                    },
                )
            )


def _texts(report: Report) -> Iterator[tuple[str, str]]:
    """The texts that may hold a tenant's characters, each with the name of its place."""
    yield "company_name", report.company.name
    for row in report.rows:
        for cell in row.cells:
            if isinstance(cell, str):
                yield row.key, cell


def _draw(
    parts: Sequence[Report], reference: str, output: io.BytesIO, alphabets: Sequence[Alphabet]
) -> Canvas:
    # the initial font must be ours: reportlab else adds a Helvetica that is not embedded
    canvas = Canvas(
        output,
        pagesize=A4,
        pageCompression=1,
        invariant=1,
        initialFontName=REGULAR,  # type: ignore[arg-type]  # the stub says float
        lang=parts[0].company.language,
    )
    for font, alphabet in zip(report_fonts(), alphabets, strict=True):
        font.begin(canvas._doc, alphabet)  # type: ignore[attr-defined]  # no public way
    _describe(canvas, parts[0])
    texts = catalog(parts[0].company.language)
    pages = [(report, blocks) for report in parts for blocks in _paginate(report, texts)]
    for number, (report, blocks) in enumerate(pages, start=1):
        page = Page(canvas, alphabets)
        _draw_head(page, report, texts)
        y = _BODY_TOP
        for block in blocks:
            y -= block.height
            block.draw(page, y)
        _draw_foot(
            page, report, reference, texts.text("page", page=number, pages=len(pages)), texts
        )
        page.finish()
    return canvas


def _describe(canvas: Canvas, report: Report) -> None:
    """The document's properties. It is dated at the end of its month, not by a clock."""
    canvas.setTitle(f"{report.title} {report.period}")
    canvas.setAuthor("FinanceFlow")
    canvas.setCreator("FinanceFlow")
    canvas.setSubject(f"{report.company.name} {report.title}")
    canvas.setKeywords(f"{report.company.tenant_id}, {report.month}")
    date = report.company.month_end.replace("-", "")
    canvas.setDateFormatter(lambda *_: f"D:{date}000000Z")
    canvas.setViewerPreference("DisplayDocTitle", "true")


def _draw_head(page: Page, report: Report, texts: Catalog) -> None:
    page.box(0, _HEIGHT - 6, _WIDTH, 6, ACCENT)
    top = _HEIGHT - 46
    mark = "" if report.company.closed else texts.text("provisional")
    mark_width = text_width(mark, 9, bold=True) + 14
    room = _RIGHT - _MARGIN - text_width(report.period, 11, bold=True) - 12
    if mark:
        room -= mark_width + 12
    size = min(18.0, 18.0 * room / text_width(report.title, 18, bold=True))
    page.text(_MARGIN, top, report.title, size=size, bold=True, colour=ACCENT)
    if mark:
        x = _MARGIN + text_width(report.title, size, bold=True) + 12
        page.box(x, top - 3, mark_width, 16, NEGATIVE, radius=3)
        page.text(x + 7, top + 2, mark, size=9, bold=True, colour=WHITE)
    page.text(_RIGHT, top + 1, report.period, size=11, bold=True, align=Align.RIGHT)
    facts = ["　".join(report.facts[:2]), "　".join(report.facts[2:])]
    for number, line in enumerate(facts):
        page.text(_RIGHT, top - 16 - 12 * number, line, size=8, colour=MUTED, align=Align.RIGHT)
    room = _RIGHT - _MARGIN - max(text_width(line, 8) for line in facts) - 20
    for number, line in enumerate(wrap(report.company.name, room, 11, bold=True, lines=2)):
        page.text(_MARGIN, top - 20 - 13 * number, line, size=11, bold=True)
    page.rule(_MARGIN, _RIGHT, top - 42, width=0.8, colour=ACCENT)


def _draw_foot(page: Page, report: Report, reference: str, number: str, texts: Catalog) -> None:
    page.rule(_MARGIN, _RIGHT, 40)
    marks = ["FinanceFlow", texts.text("reference", reference=reference), report.edition]
    page.text(_MARGIN, 28, "　".join(marks), size=7, colour=MUTED)
    page.text(_RIGHT, 28, number, size=7, colour=MUTED, align=Align.RIGHT)


@dataclass(frozen=True)
class _Block:
    """What stays together on a page. `draw` gets the y of the block's bottom."""

    height: float
    draw: Callable[[Page, float], None]
    of_table: bool = False  # a row or the notes
    keep_with_next: bool = False


def _paginate(report: Report, texts: Catalog) -> list[list[_Block]]:
    """The blocks of each page; a table that goes on repeats its head.

    Rows come closer where that puts them on one page with the charts, or at least on one page;
    charts that find no room there are higher.
    """
    table = _Table(report)
    before = [_highlight_block(report)] if report.highlights else []
    notes = [_notes_block(report.notes)] if report.notes else []
    after: list[_Block] = []
    if report.charts and report.charts_first:
        before.append(_chart_block(report, texts, _CHART_HEIGHT))
    elif report.charts:
        after.append(_chart_block(report, texts, _CHART_HEIGHT_BELOW))
    room = _BODY_TOP - _BODY_BOTTOM
    room_for_rows = room - _height([*before, table.head, *notes])
    rows = table.row_blocks([room_for_rows - _height(after), room_for_rows])
    if after and _height([*rows, *after]) > room_for_rows:
        after = [_chart_block(report, texts, _CHART_HEIGHT)]
    blocks = [*before, table.head, *rows, *notes, *after]
    last_break = len(blocks) - len(after) - _FEWEST_ROWS
    pages: list[list[_Block]] = [[]]
    left = room
    for number, block in enumerate(blocks):
        following = blocks[number + 1].height if block.keep_with_next else 0
        if block.height + following > left and pages[-1]:
            moved = _rows_at_end(pages[-1], number - last_break) if block.of_table else []
            del pages[-1][len(pages[-1]) - len(moved) :]
            pages.append([table.head, *moved] if block.of_table else [])
            left = room - _height(pages[-1])
        pages[-1].append(block)
        left -= block.height
    return pages


def _height(blocks: Sequence[_Block]) -> float:
    return sum(block.height for block in blocks)


def _rows_at_end(page: Sequence[_Block], count: int) -> list[_Block]:
    """At least so many rows from the end of a page, and the headings above them."""
    start = len(page) - max(0, count)
    while page[start - 1].keep_with_next:
        start -= 1
    return [block for block in page[start:] if block.of_table]


def _highlight_block(report: Report) -> _Block:
    written = amount_format(report.company)
    gap = 8.0
    count = max(4, len(report.highlights))
    width = (_RIGHT - _MARGIN - gap * (count - 1)) / count

    def draw(page: Page, y: float) -> None:
        for number, highlight in enumerate(report.highlights):
            x = _MARGIN + number * (width + gap)
            page.box(x, y + 14, width, 46, TINT, radius=3)
            page.box(x, y + 14, 2.5, 46, ACCENT)
            _draw_highlight(page, highlight, x + 10, y, width - 18, written)

    return _Block(66, draw)


def _draw_highlight(
    page: Page,
    highlight: Highlight,
    x: float,
    y: float,
    width: float,
    written: Callable[[int], str],
) -> None:
    label_size = max(6.5, min(7.5, 7.5 * width / text_width(highlight.label, 7.5)))
    [label] = wrap(highlight.label, width, label_size)
    figure = _figure_text(highlight.value, written)
    size = min(13.0, 13.0 * width / text_width(figure, 13, bold=True))
    page.text(x, y + 48, label, size=label_size, colour=MUTED)
    page.text(x, y + 32, figure, size=size, bold=True, colour=_figure_colour(figure))
    page.text(x, y + 20, highlight.remark, size=7, colour=MUTED)


def _chart_block(report: Report, texts: Catalog, height: float) -> _Block:
    """All charts of the report, side by side."""
    gap = 22.0
    count = len(report.charts)
    width = (_RIGHT - _MARGIN - gap * (count - 1)) / count

    def draw(page: Page, y: float) -> None:
        for number, chart in enumerate(report.charts):
            frame = Frame(_MARGIN + number * (width + gap), y + 14, width, height - 22)
            draw_chart(page, chart, frame, texts, report.company)

    return _Block(height, draw)


def _notes_block(notes: Sequence[str]) -> _Block:
    def draw(page: Page, y: float) -> None:
        for number, note in enumerate(reversed(notes)):
            page.text(_MARGIN, y + 2 + 11 * number, note, size=7.5, colour=MUTED)

    return _Block(8 + 11 * len(notes), draw, of_table=True)


def _figure_text(cell: Cell, written: Callable[[int], str]) -> str:
    if cell is None:
        return NOTHING
    if isinstance(cell, int):
        return written(cell)
    if isinstance(cell, Ratio):
        return format_ratio(cell)
    return str(cell)


def _figure_colour(figure: str) -> Colour:
    return NEGATIVE if figure.startswith(NEGATIVE_SIGN) else INK


class _Table:
    """The table of a report: where its columns stand, and its rows as blocks.

    Columns of figures are as wide as their widest figure; the label has the rest, and labels longer
    than that are wrapped to two lines. Figures too wide for the page make all text of the table
    smaller.
    """

    def __init__(self, report: Report) -> None:
        written = amount_format(report.company)
        self._rows = report.rows
        self._columns = report.columns
        self._figures = [
            [_figure_text(cell, written) for cell in row.cells[1:]] for row in report.rows
        ]
        widths = self._figure_widths()
        room = _RIGHT - _MARGIN - _LEAST_LABEL_WIDTH
        scale = min(1.0, room / sum(widths))
        # spread narrow figures instead of leaving one wide gap beside the labels
        room = _RIGHT - _MARGIN - self._wanted_label_width()
        spread = min(_MOST_SPREAD, max(0.0, room - sum(widths)) * 0.8 / len(widths))
        self._size = _FONT_SIZE * scale
        self._head_size = 8.0 * scale
        self._edges: list[float] = []
        self._label_right = _RIGHT - 4
        for width in reversed(widths):
            self._edges.insert(0, self._label_right)
            self._label_right -= width * scale + spread
        self._labels = [
            wrap(
                str(row.cells[0]),
                (self._label_right if figures else _RIGHT) - _label_left(row),
                self._size,
                bold=row.kind is not LineKind.ACCOUNT,
                lines=2,
            )
            for row, figures in zip(report.rows, self._figures, strict=True)
        ]
        self.head = _Block(20, self._draw_head, keep_with_next=True)

    def _wanted_label_width(self) -> float:
        widest = max(
            (
                _label_left(row) - _MARGIN + text_width(str(row.cells[0]), _FONT_SIZE, bold=True)
                for row, figures in zip(self._rows, self._figures, strict=True)
                if figures
            ),
            default=0.0,
        )
        return min(_MOST_LABEL_WIDTH, max(_LEAST_LABEL_WIDTH, widest))

    def _figure_widths(self) -> list[float]:
        rows = [figures for figures in self._figures if figures]
        return [
            _COLUMN_GAP
            + max(
                _LEAST_FIGURE_WIDTH,
                text_width(column.title, _FONT_SIZE, bold=True),
                # totals are bold
                *(text_width(figures[number], _FONT_SIZE, bold=True) for figures in rows),
            )
            for number, column in enumerate(self._columns[1:])
        ]

    def row_blocks(self, rooms: Sequence[float]) -> list[_Block]:
        """The rows; closer together where that makes them fit into the first room, or the next."""
        heights = [_ROW_HEIGHTS[row.kind] for row in self._rows]
        further_lines = [_LINE_PITCH * (len(label) - 1) for label in self._labels]
        pitches = (
            min(1.0, (room - sum(further_lines)) / sum(heights, start=0.1)) for room in rooms
        )
        pitch = next((pitch for pitch in pitches if pitch >= _TIGHTEST), 1.0)
        return [
            _Block(
                height * pitch + further,
                partial(self._draw_row, number, height * pitch + further),
                of_table=True,
                keep_with_next=row.kind is LineKind.HEADING,
            )
            for number, (row, height, further) in enumerate(
                zip(self._rows, heights, further_lines, strict=True)
            )
        ]

    def _draw_head(self, page: Page, y: float) -> None:
        label, *titles = self._columns
        page.box(_MARGIN, y + 2, _RIGHT - _MARGIN, 17, ACCENT)
        draw = partial(page.text, size=self._head_size, bold=True, colour=WHITE)
        draw(_MARGIN + 6, y + 7.5, label.title)
        for column, edge in zip(titles, self._edges, strict=True):
            draw(edge, y + 7.5, column.title, align=Align.RIGHT)

    def _draw_row(self, number: int, height: float, page: Page, y: float) -> None:
        row, label, figures = self._rows[number], self._labels[number], self._figures[number]
        self._draw_ground(page, row, y, height, is_last=number == len(self._rows) - 1)
        bold = row.kind is not LineKind.ACCOUNT
        is_heading = row.kind is LineKind.HEADING
        # a heading keeps its distance from the rule above it
        text_height = height - _LINE_PITCH * (len(label) - 1) - (3 if is_heading else 0)
        base = y + text_height / 2 - self._size * 0.36
        for line_number, line in enumerate(reversed(label)):
            page.text(
                _label_left(row),
                base + _LINE_PITCH * line_number,
                line,
                size=self._size,
                bold=bold,
                colour=ACCENT if is_heading else INK,
            )
        for figure, edge in zip(figures, self._edges, strict=not is_heading):
            page.text(
                edge,
                base,
                figure,
                size=self._size,
                bold=bold,
                colour=_figure_colour(figure),
                align=Align.RIGHT,
            )

    def _draw_ground(self, page: Page, row: Row, y: float, height: float, *, is_last: bool) -> None:
        """Rules and tint: a subtotal is ruled above its figures, a total across the table."""
        if row.kind is LineKind.TOTAL:
            page.box(_MARGIN, y, _RIGHT - _MARGIN, height, TINT)
            page.rule(_MARGIN, _RIGHT, y + height, width=0.7, colour=ACCENT)
            page.rule(_MARGIN, _RIGHT, y, width=0.7, colour=ACCENT)
            if is_last:
                page.rule(_MARGIN, _RIGHT, y - 2, width=0.7, colour=ACCENT)
        elif row.kind is LineKind.SUBTOTAL:
            page.rule(self._label_right, _RIGHT, y + height, width=0.5, colour=MUTED)
        elif row.kind is LineKind.ACCOUNT:
            page.rule(_MARGIN + 6, _RIGHT, y, width=0.25)


def _label_left(row: Row) -> float:
    return _MARGIN + 6 + _INDENT * row.level
