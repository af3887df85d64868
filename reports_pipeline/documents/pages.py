"""A page to draw on: text, rules, boxes and lines in points, origin at the bottom left.

Text is drawn as plain strings, never as reportlab's markup, in which a tenant's `<img src>` would
open files and `P&L` would lose letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from reportlab.pdfgen.canvas import Canvas

from reports_pipeline.documents.fonts import Alphabet, report_fonts


class Colour(NamedTuple):
    red: float
    green: float
    blue: float

    @classmethod
    def of(cls, code: str) -> Colour:
        """From six hexadecimal digits."""
        return cls(*(int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)))


INK = Colour.of("22303C")
MUTED = Colour.of("6B7A88")
ACCENT = Colour.of("1F4E79")
TINT = Colour.of("EDF3F8")
HAIRLINE = Colour.of("C9D3DC")
NEGATIVE = Colour.of("C0392B")
WHITE = Colour.of("FFFFFF")


class Align(float, Enum):
    """Which part of a text's width lies left of its x."""

    LEFT = 0.0
    CENTRE = 0.5
    RIGHT = 1.0


class Page:
    """The page of a canvas that is being drawn. Shapes lie below all text."""

    def __init__(self, canvas: Canvas, alphabets: Sequence[Alphabet]) -> None:
        """`alphabets`: of the regular and of the bold font, begun for the canvas' document."""
        self._canvas = canvas
        self._alphabets = alphabets
        self._text: list[str] = []  # PDF operators
        self._font: tuple[int, bool, float] | None = None
        self._colour: Colour | None = None
        self._stroke: tuple[float, Colour] | None = None

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float,
        bold: bool = False,
        colour: Colour = INK,
        align: Align = Align.LEFT,
    ) -> None:
        """One line of text with its baseline at `y`."""
        # written as operators, for a fifth of the time that reportlab's text object takes
        operators = self._text
        if colour is not self._colour:
            operators.append(f"{colour.red:.3f} {colour.green:.3f} {colour.blue:.3f} rg")
            self._colour = colour
        if align is not Align.LEFT:
            x -= align * text_width(text, size, bold=bold)
        operators.append(f"1 0 0 1 {x:.2f} {y:.2f} Tm")
        alphabet = self._alphabets[bold]
        for subset, codes in alphabet.encode(text):
            if self._font != (font := (subset, bold, size)):
                operators.append(f"/{alphabet.subset_name(subset)} {size:.2f} Tf")
                self._font = font
            operators.append(f"<{codes.hex()}> Tj")

    def rule(
        self, x: float, right: float, y: float, *, width: float = 0.5, colour: Colour = HAIRLINE
    ) -> None:
        self._set_stroke(width, colour)
        self._canvas.line(x, y, right, y)

    def line(self, points: Sequence[tuple[float, float]], *, width: float, colour: Colour) -> None:
        self._set_stroke(width, colour)
        path = self._canvas.beginPath()
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        self._canvas.drawPath(path)

    def box(
        self, x: float, y: float, width: float, height: float, colour: Colour, *, radius: float = 0
    ) -> None:
        """A filled rectangle; negative extents point left and down."""
        self._canvas.setFillColorRGB(*colour)
        if radius:
            self._canvas.roundRect(x, y, width, height, radius, stroke=0, fill=1)
        else:
            self._canvas.rect(x, y, width, height, stroke=0, fill=1)

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self._canvas.setFillColorRGB(*colour)
        self._canvas.circle(x, y, radius, stroke=0, fill=1)

    def _set_stroke(self, width: float, colour: Colour) -> None:
        if self._stroke != (stroke := (width, colour)):
            self._canvas.setStrokeColorRGB(*colour)
            self._canvas.setLineWidth(width)
            self._stroke = stroke

    def finish(self) -> None:
        self._canvas.addLiteral(" ".join(["BT", *self._text, "ET"]))
        self._canvas.showPage()


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Points a line of text takes."""
    return report_fonts()[bold].stringWidth(text, size)


def wrap(text: str, width: float, size: float, *, bold: bool = False, lines: int = 1) -> list[str]:
    """The text in at most so many lines of a width, cut with … where it does not fit.

    Lines break at a space where one is near, else between any two characters, as Japanese does.
    """
    wrapped: list[str] = []
    rest = text
    while text_width(rest, size, bold=bold) > width:
        last = len(wrapped) == lines - 1
        end = _fitting(rest, width, size, bold=bold, suffix="…" if last else "")
        if last:
            return [*wrapped, rest[:end].rstrip() + "…"]
        space = rest.rfind(" ", end // 2, end + 1)
        if space > 0:
            end = space
        wrapped.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*wrapped, rest]


def _fitting(text: str, width: float, size: float, *, bold: bool, suffix: str) -> int:
    """How many characters fit, at least one."""
    room = width - text_width(suffix, size, bold=bold)
    end = 0
    while end < len(text) and room >= 0:
        room -= text_width(text[end], size, bold=bold)
        end += 1
    return max(1, end - 1 if room < 0 else end)
