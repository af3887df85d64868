"""The table of a report: where its columns stand, and its rows as blocks."""

from __future__ import annotations

from functools import partial
from itertools import zip_longest

from reports_pipeline.accounting.reports import LineKind
from reports_pipeline.documents.branding import Template
from reports_pipeline.documents.formats import amount_format
from reports_pipeline.documents.pdf.blocks import Block, figure_colour, figure_text
from reports_pipeline.documents.pdf.pages import Align, Page, Sheet, text_width, wrap
from reports_pipeline.documents.pdf.themes import HAIRLINE, INK, MUTED, WHITE, Theme
from reports_pipeline.documents.tables import Report, Row

# Points.
_FONT_SIZE = 8.5
_HEAD_SIZE = 8.0
_INDENT = 9.0
_LINE_PITCH = 10.0
_ROW_HEIGHTS = {
    LineKind.HEADING: 16.0,
    LineKind.ACCOUNT: 13.6,
    LineKind.SUBTOTAL: 14.6,
    LineKind.TOTAL: 17.0,
}
_MOST_LABEL_WIDTH = 240.0
_MOST_LABEL_LINES = 4  # accounts with a common beginning must not look alike
_MOST_SPREAD = 22.0  # added to a column
# Of tables with few columns, and with as many as a year has months.
_MANY_COLUMNS = 9
_COLUMN_GAPS = (12.0, 5.5)
_LEAST_LABEL_WIDTHS = (130.0, 122.0)
_LEAST_FIGURE_WIDTHS = (42.0, 30.0)
_ROW_SCALES = (1.0, 0.84)


class Table:
    """Columns of figures are as wide as their widest figure; the label has the rest, and labels
    longer than that are wrapped to four lines. Figures too wide for the page make all text of the
    table smaller.
    """

    def __init__(self, report: Report, sheet: Sheet, theme: Theme) -> None:
        written = amount_format(report.company)
        self._sheet = sheet
        self._theme = theme
        self._rows = report.rows
        self._columns = report.columns
        self._figures = [
            [figure_text(cell, written) for cell in row.cells[1:]] for row in report.rows
        ]
        is_broad = len(report.columns) >= _MANY_COLUMNS
        self._least_label_width = _LEAST_LABEL_WIDTHS[is_broad]
        widths = self._figure_widths(_COLUMN_GAPS[is_broad], _LEAST_FIGURE_WIDTHS[is_broad])
        scale = min(1.0, (sheet.inner_width - self._least_label_width) / sum(widths))
        # spread narrow figures instead of leaving one wide gap beside the labels
        room = sheet.inner_width - self._wanted_label_width()
        spread = min(_MOST_SPREAD, max(0.0, room - sum(widths)) * 0.8 / len(widths))
        self._size = _FONT_SIZE * scale
        self._line_pitch = _LINE_PITCH * self._size / _FONT_SIZE
        self._row_scale = _ROW_SCALES[is_broad]
        self._head_size = min(_HEAD_SIZE, self._size)
        self._edges: list[float] = []
        self._label_right = sheet.right - 4
        for width in reversed(widths):
            self._edges.insert(0, self._label_right)
            self._label_right -= width * scale + spread
        beside = min(4.0, _COLUMN_GAPS[is_broad] * scale / 2)
        self._uprights = [
            sheet.left,
            *(x + beside for x in (self._label_right, *self._edges[:-1])),
            sheet.right,
        ]
        self._labels = [
            wrap(
                str(row.cells[0]),
                (self._label_right if figures else sheet.right) - self._label_left(row),
                self._size,
                bold=row.kind is not LineKind.ACCOUNT,
                lines=_MOST_LABEL_LINES,
            )
            for row, figures in zip(report.rows, self._figures, strict=True)
        ]
        self.head = Block(20, self._draw_head, keep_with_next=True)

    def _label_left(self, row: Row) -> float:
        return self._sheet.left + 6 + _INDENT * row.level

    def _wanted_label_width(self) -> float:
        widest = max(
            (
                6 + _INDENT * row.level + text_width(str(row.cells[0]), _FONT_SIZE, bold=True)
                for row, figures in zip(self._rows, self._figures, strict=True)
                if figures
            ),
            default=0.0,
        )
        return min(_MOST_LABEL_WIDTH, max(self._least_label_width, widest))

    def _figure_widths(self, gap: float, least: float) -> list[float]:
        """At the table's usual size."""
        widths = [
            max(least, text_width(column.title, _FONT_SIZE, bold=True))
            for column in self._columns[1:]
        ]
        for row, figures in zip(self._rows, self._figures, strict=True):
            bold = row.kind is not LineKind.ACCOUNT
            for number, figure in enumerate(figures):
                if (width := text_width(figure, _FONT_SIZE, bold=bold)) > widths[number]:
                    widths[number] = width
        return [width + gap for width in widths]

    def height_of_rows(self, pitch: float) -> float:
        return (
            sum(_ROW_HEIGHTS[row.kind] for row in self._rows) * self._row_scale * pitch
            + sum(len(label) - 1 for label in self._labels) * self._line_pitch
        )

    def row_blocks(self, pitch: float = 1.0) -> list[Block]:
        """The rows; `pitch` below 1 brings them closer together."""
        pitch *= self._row_scale
        following = [row.kind for row in self._rows[1:]]
        return [
            Block(
                height := _ROW_HEIGHTS[row.kind] * pitch + self._line_pitch * (len(label) - 1),
                partial(self._draw_row, number, height),
                of_table=True,
                # no heading ends a page, and no subtotal begins one
                keep_with_next=row.kind is LineKind.HEADING or next_kind is LineKind.SUBTOTAL,
                begins_section=row.kind is LineKind.HEADING,
            )
            for number, (row, label, next_kind) in enumerate(
                zip_longest(self._rows, self._labels, following)
            )
        ]

    def _draw_head(self, page: Page, y: float) -> None:
        left, right, theme = self._sheet.left, self._sheet.right, self._theme
        if theme.template is Template.MODERN:
            page.box(left, y + 2, right - left, 17, theme.accent)
        elif theme.template is Template.BOLD:
            page.rule(left, right, y + 2, width=1.5, colour=theme.accent)
        else:
            page.rule(left, right, y + 19, width=1, colour=theme.rule)
            page.rule(left, right, y + 2, width=0.5, colour=theme.rule)
            page.uprights(self._uprights, y, y + 19, colour=MUTED)
        colour = WHITE if theme.template is Template.MODERN else theme.heading
        draw = partial(page.text, size=self._head_size, bold=True, colour=colour)
        label, *titles = self._columns
        draw(left + 6, y + 7.5, label.title)
        for column, edge in zip(titles, self._edges, strict=True):
            draw(edge, y + 7.5, column.title, align=Align.RIGHT)

    def _draw_row(self, number: int, height: float, page: Page, y: float) -> None:
        row, label, figures = self._rows[number], self._labels[number], self._figures[number]
        self._draw_ground(page, row, y, height, is_last=number == len(self._rows) - 1)
        size, bold = self._size, row.kind is not LineKind.ACCOUNT
        is_heading = row.kind is LineKind.HEADING
        # a heading keeps its distance from the rule above it
        text_height = height - self._line_pitch * (len(label) - 1) - (3 if is_heading else 0)
        base = y + text_height / 2 - size * 0.36
        colour = self._theme.heading if is_heading else INK
        x = self._label_left(row)
        for line_number, line in enumerate(reversed(label)):
            page.text(
                x, base + self._line_pitch * line_number, line, size=size, bold=bold, colour=colour
            )
        for figure, edge in zip(figures, self._edges, strict=not is_heading):
            page.text(
                edge,
                base,
                figure,
                size=size,
                bold=bold,
                colour=figure_colour(figure),
                align=Align.RIGHT,
            )

    def _draw_ground(self, page: Page, row: Row, y: float, height: float, *, is_last: bool) -> None:
        """Rules and tint: a subtotal is ruled above its figures, a total across the table."""
        left, right, theme = self._sheet.left, self._sheet.right, self._theme
        if row.kind is LineKind.TOTAL:
            if theme.tint is not None:
                page.box(left, y, right - left, height, theme.tint)
            page.rule(left, right, y + height, width=0.7, colour=theme.rule)
            page.rule(left, right, y, width=0.7, colour=theme.rule)
            if is_last:
                page.rule(left, right, y - 2, width=0.7, colour=theme.rule)
        elif row.kind is LineKind.SUBTOTAL:
            page.rule(self._label_right, right, y + height, width=0.5, colour=MUTED)
            if is_last:
                page.rule(left, right, y, colour=MUTED)
        elif row.kind is LineKind.ACCOUNT:
            page.rule(left + 6, right, y, width=0.25, colour=HAIRLINE)
        if theme.template is Template.CLASSIC:
            # a heading may be longer than the column of labels
            uprights = [left, right] if row.kind is LineKind.HEADING else self._uprights
            page.uprights(uprights, y, y + height, colour=MUTED)
