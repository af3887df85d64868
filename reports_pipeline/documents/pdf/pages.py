"""A page to draw on: text, rules, boxes and lines in points, origin at the bottom left.

Text is drawn as plain strings, never as reportlab's markup, in which a tenant's `<img src>` would
open files and `P&L` would lose letters. What is drawn is written as PDF operators (ISO 32000-1,
annex A), for a fifth of the time that reportlab's canvas takes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfdoc import BasicFonts, PDFDictionary, PDFObjectReference, PDFPage
from reportlab.pdfgen.canvas import Canvas

from reports_pipeline.documents.fonts import Alphabet, report_fonts
from reports_pipeline.documents.pdf.logo import LogoImage
from reports_pipeline.documents.pdf.structure import BEGIN_DECORATION, END, PageStructure
from reports_pipeline.documents.pdf.themes import HAIRLINE, INK, Colour, Theme

_LOGO = "Logo"
_IN_NUMBERS = frozenset("0123456789,.△%")
# A line of text must not begin with one of these (行頭禁則).
_NEVER_FIRST = frozenset(
    "、。，．・：；？！ー）］｝」』】〉》”’),.:;?!]}%％々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
)


@dataclass(frozen=True)
class Sheet:
    """A sheet of paper, in points."""

    width: float
    height: float
    margin: float = 40.0

    @property
    def left(self) -> float:
        return self.margin

    @property
    def right(self) -> float:
        return self.width - self.margin

    @property
    def inner_width(self) -> float:
        return self.width - 2 * self.margin


PORTRAIT = Sheet(*A4)
LANDSCAPE = Sheet(A4[1], A4[0])


class Align(float, Enum):
    """Which part of a text's width lies left of its x."""

    LEFT = 0.0
    CENTRE = 0.5
    RIGHT = 1.0


class Page:
    """The page of a document that is being drawn. Shapes lie below all text."""

    def __init__(
        self, canvas: Canvas, sheet: Sheet, theme: Theme, alphabets: Sequence[Alphabet]
    ) -> None:
        """`alphabets`: of the regular and of the bold font, begun for the canvas' document."""
        self.sheet = sheet
        self.theme = theme
        self._canvas = canvas
        self._alphabets = alphabets
        # PDF operators, and what the last of them set
        self._structure = PageStructure()
        self._shapes: list[str] = [BEGIN_DECORATION]
        self._text: list[str] = [self._structure.begin_text()]
        self._font: tuple[int, bool, float] | None = None
        self._text_colour: Colour | None = None
        self._fill: Colour | None = None
        self._stroke: tuple[float, Colour] | None = None
        self._logo: LogoImage | None = None

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
        if not text:
            return
        operators = self._text
        if colour is not self._text_colour:
            operators.append(f"{colour.operands} rg")
            self._text_colour = colour
        if align is not Align.LEFT:
            x -= align * size * _ems(text, bold)
        position = "1 0 0 1 %.2f %.2f Tm " % (x, y)  # noqa: UP031 - faster than f-strings
        alphabet = self._alphabets[bold]
        for subset, digits in alphabet.encode(text):
            if self._font != (font := (subset, bold, size)):
                operators.append(f"/{alphabet.subset_name(subset)} {size:.2f} Tf")
                self._font = font
            operators.append(f"{position}<{digits}> Tj")
            position = ""

    def rule(
        self, x: float, right: float, y: float, *, width: float = 0.5, colour: Colour = HAIRLINE
    ) -> None:
        self._set_stroke(width, colour)
        self._shapes.append(f"{x:.2f} {y:.2f} m {right:.2f} {y:.2f} l S")

    def uprights(
        self,
        xs: Sequence[float],
        y: float,
        top: float,
        *,
        width: float = 0.25,
        colour: Colour = HAIRLINE,
    ) -> None:
        """Vertical rules."""
        self._set_stroke(width, colour)
        self._shapes += [f"{x:.2f} {y:.2f} m {x:.2f} {top:.2f} l" for x in xs]
        self._shapes.append("S")

    def line(self, points: Sequence[tuple[float, float]], *, width: float, colour: Colour) -> None:
        self._set_stroke(width, colour)
        path = " l ".join(f"{x:.2f} {y:.2f}" for x, y in points).replace(" l ", " m ", 1)
        self._shapes.append(f"1 j {path} l S 0 j")

    def box(
        self, x: float, y: float, width: float, height: float, colour: Colour, *, radius: float = 0
    ) -> None:
        """A filled rectangle; negative extents point left and down."""
        self._set_fill(colour)
        path = _rounded(x, y, width, height, radius) if radius else _rectangle(x, y, width, height)
        self._shapes.append(f"{path} f")

    def frame(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: Colour,
        *,
        stroke: float = 0.5,
        radius: float = 0,
    ) -> None:
        """The outline of a rectangle."""
        self._set_stroke(stroke, colour)
        path = _rounded(x, y, width, height, radius) if radius else _rectangle(x, y, width, height)
        self._shapes.append(f"{path} S")

    def dots(self, points: Sequence[tuple[float, float]], radius: float, colour: Colour) -> None:
        """Discs: lines without length that have round ends."""
        self._set_stroke(2 * radius, colour)
        path = " ".join([f"{x:.2f} {y:.2f} m {x:.2f} {y:.2f} l" for x, y in points])
        self._shapes.append(f"1 J {path} S 0 J")

    def logo(self, x: float, y: float, width: float, height: float, logo: LogoImage) -> None:
        """The logo in the rectangle that begins at x and y. A page has at most one."""
        self._logo = logo
        self._shapes.append(f"q {width:.2f} 0 0 {height:.2f} {x:.2f} {y:.2f} cm /{_LOGO} Do Q")

    @contextmanager
    def picture(self, description: str) -> Iterator[None]:
        """What is drawn meanwhile is a picture; who cannot see it is read the description."""
        begin_shapes, begin_text = self._structure.begin_picture(description)
        self._shapes += [END, begin_shapes]
        self._text += [END, begin_text]
        yield
        self._shapes += [END, BEGIN_DECORATION]
        self._text += [END, self._structure.begin_text()]

    def _set_fill(self, colour: Colour) -> None:
        if colour is not self._fill:
            self._shapes.append(f"{colour.operands} rg")
            self._fill = colour

    def _set_stroke(self, width: float, colour: Colour) -> None:
        if self._stroke != (stroke := (width, colour)):
            self._shapes.append(f"{colour.operands} RG {width:.2f} w")
            self._stroke = stroke

    def finish(self) -> None:
        """Add the page to its document."""
        canvas: Any = self._canvas  # reportlab has no public way to add a page written elsewhere
        document = canvas._doc
        resources: dict[str, Any] = {"Font": PDFObjectReference(BasicFonts)}
        if self._logo is not None:
            if _LOGO not in document.idToObject:
                document.Reference(self._logo.stream(), _LOGO)
            resources["XObject"] = PDFDictionary({_LOGO: PDFObjectReference(_LOGO)})
        page: Any = PDFPage()  # its attributes are untyped
        page.pagewidth, page.pageheight = self.sheet.width, self.sheet.height
        page.Resources = PDFDictionary(resources)
        page.stream = "\n".join([*self._shapes, END, "BT", *self._text, END, "ET"])
        page.structure = self._structure
        document.addPage(page)
        canvas._startPage()


def _rectangle(x: float, y: float, width: float, height: float) -> str:
    return f"{x:.2f} {y:.2f} {width:.2f} {height:.2f} re"


def _rounded(x: float, y: float, width: float, height: float, radius: float) -> str:
    right, top = x + width, y + height
    bend = radius * 0.4477  # from the corner to the control point of a quarter of a circle
    return (
        f"{x + radius:.2f} {y:.2f} m {right - radius:.2f} {y:.2f} l"
        f" {right - bend:.2f} {y:.2f} {right:.2f} {y + bend:.2f} {right:.2f} {y + radius:.2f} c"
        f" {right:.2f} {top - radius:.2f} l"
        f" {right:.2f} {top - bend:.2f} {right - bend:.2f} {top:.2f} {right - radius:.2f} {top:.2f}"
        f" c {x + radius:.2f} {top:.2f} l"
        f" {x + bend:.2f} {top:.2f} {x:.2f} {top - bend:.2f} {x:.2f} {top - radius:.2f} c"
        f" {x:.2f} {y + radius:.2f} l"
        f" {x:.2f} {y + bend:.2f} {x + bend:.2f} {y:.2f} {x + radius:.2f} {y:.2f} c h"
    )


class _Advances(dict[str, float]):
    """How far a character of one font moves on, in ems."""

    def __init__(self, *, bold: bool) -> None:
        super().__init__()
        self._face = report_fonts()[bold].face

    def __missing__(self, character: str) -> float:
        face = self._face
        advance = float(face.charWidths.get(ord(character), face.defaultWidth)) / 1000
        self[character] = advance
        return advance


@functools.cache
def _advances() -> tuple[_Advances, _Advances]:
    return _Advances(bold=False), _Advances(bold=True)


@functools.lru_cache(maxsize=16_384)
def _ems(text: str, bold: bool) -> float:
    return sum(map(_advances()[bold].__getitem__, text))


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Points a line of text takes."""
    return _ems(text, bold) * size


def wrap(text: str, width: float, size: float, *, bold: bool = False, lines: int = 1) -> list[str]:
    """The text in at most so many lines of a width, cut with … where it does not fit.

    Lines break at a space where one is near, else between any two characters, as Japanese does, but
    within no number.
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
        else:
            number = end
            while number > 0 and {rest[number - 1], rest[number]} <= _IN_NUMBERS:
                number -= 1
            end = number or end
            if end > 1 and rest[end] in _NEVER_FIRST and rest[end - 1] not in _NEVER_FIRST:
                end -= 1
        wrapped.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*wrapped, rest]


def _fitting(text: str, width: float, size: float, *, bold: bool, suffix: str) -> int:
    """How many characters fit, at least one."""
    advances = _advances()[bold]
    room = width / size - _ems(suffix, bold)
    end = 0
    while end < len(text) and room >= 0:
        room -= advances[text[end]]
        end += 1
    return max(1, end - 1 if room < 0 else end)
