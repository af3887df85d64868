"""Which parts of a report stand on which page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from reports_pipeline.documents.catalogs import Catalog
from reports_pipeline.documents.pdf.blocks import (
    Block,
    chart_block,
    comment_blocks,
    highlight_block,
    notes_block,
    notice_block,
    total_height,
)
from reports_pipeline.documents.pdf.head import body_height
from reports_pipeline.documents.pdf.pages import Sheet
from reports_pipeline.documents.pdf.table import Table
from reports_pipeline.documents.pdf.themes import Theme
from reports_pipeline.documents.tables import Report

# A page goes on with at least so many rows, lest a table end in one line on a page of its own;
# with some more, where a section begins there.
_FEWEST_ROWS = 6
_MORE_ROWS_FOR_A_SECTION = 9


@dataclass(frozen=True)
class _Density:
    """How close the rows are, in parts of their usual height, and how high charts are."""

    pitch: float
    chart_height: float

    def towards(self, other: _Density, share: float) -> _Density:
        return _Density(
            self.pitch + (other.pitch - self.pitch) * share,
            self.chart_height + (other.chart_height - self.chart_height) * share,
        )


_USUAL = _Density(1.0, 178.0)
# From a page with room to one that is just full: charts give way first, then the rows too.
_DENSITIES = (_Density(1.06, 228.0), _Density(1.0, 136.0), _Density(0.78, 116.0))


def paginate(report: Report, sheet: Sheet, theme: Theme, texts: Catalog) -> list[list[Block]]:
    """The blocks of each page; a table that goes on repeats its head.

    What fits one page by coming closer stands on one. Charts below a table that takes several
    pages share the last of them with some of its rows.
    """
    table = Table(report, sheet, theme) if report.columns else None
    before = [highlight_block(report, sheet)] if report.highlights else []
    if report.notice:
        before.append(notice_block(report.notice, sheet))
    notes = [notes_block(report.notes, sheet)] if report.notes else []
    comments = comment_blocks(report.comments, sheet, texts)
    room = body_height(sheet)
    fixed = total_height([*before, *([table.head] if table else []), *notes, *comments])
    density = _density(table, has_charts=bool(report.charts), room=room - fixed)
    chosen = density or _USUAL
    charts = [chart_block(report, sheet, texts, chosen.chart_height)] if report.charts else []
    rows = table.row_blocks(chosen.pitch) if table else []
    head = [table.head] if table else []
    first, last = (charts, []) if report.charts_first else ([], charts)
    blocks = [*before, *first, *head, *rows, *comments, *notes, *last]
    if density is not None:
        return [blocks]
    return _flow(blocks, head, room, end_of_table=len(blocks) - len(last))


def _density(table: Table | None, *, has_charts: bool, room: float) -> _Density | None:
    """The loosest in which rows and charts fit; None where none does."""

    def needed(density: _Density) -> float:
        rows = table.height_of_rows(density.pitch) if table else 0
        return rows + (density.chart_height if has_charts else 0)

    if needed(_DENSITIES[0]) <= room:
        return _DENSITIES[0]
    for loose, tight in pairwise(_DENSITIES):
        least = needed(tight)
        if least <= room:
            # heights shrink in proportion
            return tight.towards(loose, (room - least) / (needed(loose) - least))
    return None


def _flow(
    blocks: Sequence[Block], head: Sequence[Block], room: float, *, end_of_table: int
) -> list[list[Block]]:
    """The blocks on as many pages as they take; the table ends before block `end_of_table`."""
    last_break = end_of_table - _FEWEST_ROWS
    pages: list[list[Block]] = [[]]
    left = room
    for number, block in enumerate(blocks):
        if _kept_height(blocks, number) > left and pages[-1]:
            of_table = block.of_table or number == end_of_table
            moved = _rows_at_end(pages[-1], number - last_break) if of_table else []
            del pages[-1][len(pages[-1]) - len(moved) :]
            pages.append([*head, *moved] if block.of_table or moved else [])
            left = room - total_height(pages[-1])
        pages[-1].append(block)
        left -= block.height
    return pages


def _kept_height(blocks: Sequence[Block], number: int) -> float:
    """Of a block and those that it is kept with."""
    height = blocks[number].height
    while blocks[number].keep_with_next and number + 1 < len(blocks):
        number += 1
        height += blocks[number].height
    return height


def _rows_at_end(page: Sequence[Block], count: int) -> list[Block]:
    """At least so many rows from the end of a page, and the headings above them."""
    if count <= 0:
        start = len(page)
    else:
        start = len(page) - count
        for earlier in range(start, max(0, start - _MORE_ROWS_FOR_A_SECTION), -1):
            if page[earlier].begins_section:
                start = earlier
                break
    while start and page[start - 1].keep_with_next:
        start -= 1
    return [block for block in page[start:] if block.of_table]
