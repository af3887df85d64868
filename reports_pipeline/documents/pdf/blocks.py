"""What stands on a page between head and foot, beside the table: highlights, charts, comments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from reports_pipeline.documents.branding import Template
from reports_pipeline.documents.catalogs import Catalog
from reports_pipeline.documents.formats import (
    NEGATIVE_SIGN,
    NOTHING,
    amount_format,
    format_ratio,
)
from reports_pipeline.documents.pdf.chart_descriptions import describe_chart
from reports_pipeline.documents.pdf.charts import Frame, draw_chart
from reports_pipeline.documents.pdf.pages import Align, Page, Sheet, text_width, wrap
from reports_pipeline.documents.pdf.themes import HAIRLINE, INK, MUTED, NEGATIVE, Colour
from reports_pipeline.documents.tables import Cell, Comment, Highlight, Ratio, Report

# Points.
_COMMENT_SIZE = 9.5
_COMMENT_PITCH = 15.0
_COMMENT_INDENT = 14.0
_COMMENT_TITLE_HEIGHT = 22.0
_COMMENT_GAP = 14.0


@dataclass(frozen=True, slots=True)
class Block:
    """What stays together on a page. `draw` gets the y of the block's bottom."""

    height: float
    draw: Callable[[Page, float], None]
    of_table: bool = False  # a row or the notes
    keep_with_next: bool = False
    begins_section: bool = False


def total_height(blocks: Sequence[Block]) -> float:
    return sum(block.height for block in blocks)


def _space(height: float) -> Block:
    def draw(page: Page, y: float) -> None:
        """Nothing."""

    return Block(height, draw)


def highlight_block(report: Report, sheet: Sheet) -> Block:
    """All highlights of the report, side by side."""
    written = amount_format(report.company)
    gap = 8.0
    count = max(4, len(report.highlights))
    width = (sheet.inner_width - gap * (count - 1)) / count

    def draw(page: Page, y: float) -> None:
        for number, highlight in enumerate(report.highlights):
            x = sheet.left + number * (width + gap)
            _draw_card(page, x, y + 14, width, 46)
            _draw_highlight(page, highlight, x + 10, y, width - 18, written)

    return Block(66, draw)


def _draw_card(page: Page, x: float, y: float, width: float, height: float) -> None:
    theme = page.theme
    if theme.tint is None:
        page.frame(x, y, width, height, theme.rule, stroke=0.4)
        return
    page.box(x, y, width, height, theme.tint)
    if theme.template is Template.BOLD:
        page.box(x, y + height - 2.5, width, 2.5, theme.accent)
    else:
        page.box(x, y, 2.5, height, theme.accent)


def _draw_highlight(
    page: Page,
    highlight: Highlight,
    x: float,
    y: float,
    width: float,
    written: Callable[[int], str],
) -> None:
    label_size = max(6.5, min(7.5, 7.5 * width / max(1.0, text_width(highlight.label, 7.5))))
    [label] = wrap(highlight.label, width, label_size)
    figure = figure_text(highlight.value, written)
    size = min(13.0, 13.0 * width / text_width(figure, 13, bold=True))
    page.text(x, y + 47.5, label, size=label_size, colour=MUTED)
    page.text(x, y + 32, figure, size=size, bold=True, colour=figure_colour(figure))
    [remark] = wrap(highlight.remark, width, 7)
    page.text(x, y + 20, remark, size=7, colour=MUTED)


def chart_block(report: Report, sheet: Sheet, texts: Catalog, height: float) -> Block:
    """All charts of the report, side by side."""
    gap = 22.0
    count = len(report.charts)
    width = (sheet.inner_width - gap * (count - 1)) / count

    def draw(page: Page, y: float) -> None:
        for number, chart in enumerate(report.charts):
            frame = Frame(sheet.left + number * (width + gap), y + 8, width, height - 18)
            with page.picture(describe_chart(chart, report.company)):
                draw_chart(page, chart, frame, texts, report.company)

    return Block(height, draw)


def notice_block(text: str, sheet: Sheet) -> Block:
    """A statement on the whole report, above its table."""

    def draw(page: Page, y: float) -> None:
        theme = page.theme
        if theme.tint is not None:
            page.box(sheet.left, y + 14, sheet.inner_width, 40, theme.tint)
        page.frame(sheet.left, y + 14, sheet.inner_width, 40, theme.rule, stroke=0.4)
        page.text(
            sheet.left + sheet.inner_width / 2,
            y + 30,
            text,
            size=11,
            bold=True,
            colour=theme.heading,
            align=Align.CENTRE,
        )

    return Block(60, draw)


def notes_block(notes: Sequence[str], sheet: Sheet) -> Block:
    lines = [line for note in notes for line in wrap(note, sheet.inner_width, 7.5, lines=3)]

    def draw(page: Page, y: float) -> None:
        for number, line in enumerate(reversed(lines)):
            page.text(sheet.left, y + 2 + 11 * number, line, size=7.5, colour=MUTED)

    return Block(8 + 11 * len(lines), draw, of_table=True)


def comment_blocks(comments: Sequence[Comment], sheet: Sheet, texts: Catalog) -> list[Block]:
    """Each comment as its title and its text; the text may go on on the next page."""
    room = sheet.inner_width - _COMMENT_INDENT - 8
    blocks = [_space(6)] if comments else []  # apart from the head
    for comment in comments:
        # so many lines that none is cut
        lines = wrap(comment.text, room, _COMMENT_SIZE, lines=len(comment.text) + 1)
        blocks.append(
            Block(
                _COMMENT_TITLE_HEIGHT,
                partial(_draw_comment_title, comment, room, texts.text("comment.warning")),
                keep_with_next=True,
            )
        )
        for number, line in enumerate(lines, start=1):
            is_last = number == len(lines)
            blocks.append(
                Block(
                    _COMMENT_PITCH + (_COMMENT_GAP if is_last else 0),
                    partial(_draw_comment_line, comment, line, _COMMENT_GAP if is_last else 0),
                    # no line alone at the end of a page, or at the beginning of the next
                    keep_with_next=number in (1, len(lines) - 1) and not is_last,
                )
            )
    return blocks


def _draw_comment_bar(page: Page, comment: Comment, y: float, height: float) -> None:
    colour = NEGATIVE if comment.is_warning else page.theme.rule
    page.box(page.sheet.left, y, 3 if comment.is_warning else 1, height, colour)


def _draw_comment_title(comment: Comment, room: float, warning: str, page: Page, y: float) -> None:
    """A warning has a broader bar, and says that it is one."""
    x = page.sheet.left + _COMMENT_INDENT
    _draw_comment_bar(page, comment, y, _COMMENT_TITLE_HEIGHT - 2)
    if comment.is_warning:
        width = text_width(warning, 8, bold=True) + 10
        page.frame(x, y + 5, width, 13, NEGATIVE, stroke=0.8, radius=2)
        page.text(x + 5, y + 8.6, warning, size=8, bold=True, colour=NEGATIVE)
        x += width + 7
        room -= width + 7
    [title] = wrap(comment.title, room, 11, bold=True)
    page.text(x, y + 8, title, size=11, bold=True, colour=page.theme.heading)


def _draw_comment_line(comment: Comment, line: str, below: float, page: Page, y: float) -> None:
    _draw_comment_bar(page, comment, y + below, _COMMENT_PITCH)
    page.text(page.sheet.left + _COMMENT_INDENT, y + below + 4.5, line, size=_COMMENT_SIZE)
    if below:
        page.rule(
            page.sheet.left + _COMMENT_INDENT, page.sheet.right, y + below / 2, colour=HAIRLINE
        )


def figure_text(cell: Cell, written: Callable[[int], str]) -> str:
    """A cell as it prints; `written` writes amounts."""
    if cell is None:
        return NOTHING
    if isinstance(cell, int):
        return written(cell)
    if isinstance(cell, Ratio):
        return format_ratio(cell)
    return str(cell)


def figure_colour(figure: str) -> Colour:
    return NEGATIVE if figure.startswith(NEGATIVE_SIGN) else INK
