"""What a reader sees on the pages of a PDF: words and where they stand, as pdftotext finds them."""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from reports_pipeline.accounting.money import from_minor_units
from reports_pipeline.accounting.reports import Company
from reports_pipeline.documents.tables import Cell, Ratio
from tests.programs import require_program

_PAGE = re.compile(r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', re.DOTALL)
_WORD = re.compile(
    r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)</word>',
    re.DOTALL,
)
_SAME_LINE = 2.0  # points between the middles of words on one line
_COLUMN_TOLERANCE = 1.5  # points; figures end where the title of their column does


@dataclass(frozen=True)
class Word:
    """Points from the top left of the page."""

    text: str
    left: float
    right: float
    middle: float


Line = list[Word]  # from left to right


@dataclass(frozen=True)
class PrintedPage:
    width: float
    height: float
    lines: Sequence[Line]  # from top to bottom

    def text(self, *, above: float = float("inf"), below: float = 0) -> str:
        """All words without the spaces between them, of the lines within a part of the page."""
        return "".join(joined(line) for line in self.lines if below <= line[0].middle <= above)


@dataclass(frozen=True)
class PrintedRow:
    """A row of a table as it was printed; a label may have been broken into lines."""

    label: str  # without spaces
    figures: tuple[str, ...]


def printed_pages(pdf: Path) -> list[PrintedPage]:
    """The pages of a file."""
    completed = subprocess.run(
        [require_program("pdftotext"), "-bbox", str(pdf), "-"], capture_output=True, check=True
    )
    assert completed.stderr == b""
    # pdftotext writes a broken 𠮷 in the title, not in the text
    boxes = completed.stdout.decode(errors="replace")
    return [
        PrintedPage(float(width), float(height), _lines(content))
        for width, height, content in _PAGE.findall(boxes)
    ]


def _lines(content: str) -> list[Line]:
    words = [
        Word(html.unescape(text), float(left), float(right), (float(top) + float(bottom)) / 2)
        for left, top, right, bottom, text in _WORD.findall(content)
    ]
    lines: list[Line] = []
    for word in sorted(words, key=lambda word: word.middle):
        if lines and word.middle - lines[-1][0].middle < _SAME_LINE:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [sorted(line, key=lambda word: word.left) for line in lines]


def joined(line: Sequence[Word]) -> str:
    return without_spaces("".join(word.text for word in line))


def without_spaces(text: str) -> str:
    return "".join(text.split())


def is_printed_as(printed: str, text: str) -> bool:
    """Whether that is the text, without spaces; long ones may have been cut, with … at the end."""
    text = without_spaces(text)
    if printed.endswith("…") and not text.endswith("…"):
        return len(printed) > 15 and text.startswith(printed[:-1])
    return printed == text


def column_edges(page: PrintedPage, titles: Sequence[str]) -> tuple[int, list[float]] | None:
    """The number of the line with the titles of a table, and where its columns of figures end;
    None where the page has no such line."""
    for number, line in enumerate(page.lines):
        if joined(line) == without_spaces("".join(titles)):
            return number, list(_title_edges(line, titles))[1:]
    return None


def _title_edges(line: Line, titles: Sequence[str]) -> Iterator[float]:
    words = iter(line)
    for title in titles:
        text = ""
        while text != without_spaces(title):
            word = next(words)
            text += word.text
        yield word.right


def split_line(line: Line, edges: Sequence[float]) -> tuple[str, tuple[str, ...]]:
    """The label on a line of a table, and the figures at the ends of the columns."""
    label, figures = [], [""] * len(edges)
    for word in line:
        column = next(
            (i for i, edge in enumerate(edges) if abs(word.right - edge) < _COLUMN_TOLERANCE), None
        )
        if column is None:
            label.append(word)
        else:
            figures[column] += word.text
    return joined(label), tuple(figures)


def written(cell: Cell, company: Company) -> str:
    """A figure as a reader expects it on a page, written without the code under test."""
    if cell is None:
        return "—"
    if isinstance(cell, Ratio):
        percent = Decimal(cell.numerator) * 100 / Decimal(cell.denominator)
        rounded = percent.copy_abs().quantize(Decimal("0.1"), "ROUND_HALF_UP")
        return f"{'△' if percent < 0 and rounded else ''}{rounded:,}%"
    assert isinstance(cell, int)
    amount = from_minor_units(cell, company.currency)
    if company.display_unit == "thousand":
        amount = Decimal(int(amount / 1000))  # toward zero, and without a sign of its own
    return f"{amount:,}".replace("-", "△")
