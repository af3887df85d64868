"""The colours of a document, derived from its branding: what is inked, tinted and filled.

Colours that carry a meaning (a negative figure) are the same in every theme.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from reports_pipeline.documents.branding import Branding, Template


@dataclass(frozen=True)
class Colour:
    """A colour by its red, green and blue parts, each from 0 to 1."""

    red: float
    green: float
    blue: float
    operands: str = field(init=False, repr=False, compare=False)  # in a PDF's content

    def __post_init__(self) -> None:
        operands = f"{self.red:.3f} {self.green:.3f} {self.blue:.3f}"
        object.__setattr__(self, "operands", operands)

    @classmethod
    def of(cls, code: str) -> Colour:
        """From six hexadecimal digits."""
        return cls(*(int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)))

    def mixed(self, other: Colour, share: float) -> Colour:
        """So much of the way to another colour."""
        return Colour(
            self.red + (other.red - self.red) * share,
            self.green + (other.green - self.green) * share,
            self.blue + (other.blue - self.blue) * share,
        )

    @property
    def grey(self) -> float:
        """How light it is where it is printed without colour (ITU-R BT.601)."""
        return 0.299 * self.red + 0.587 * self.green + 0.114 * self.blue


INK = Colour.of("22303C")
BLACK = Colour.of("111111")
MUTED = Colour.of("5F6D7A")
HAIRLINE = Colour.of("C9D3DC")
NEGATIVE = Colour.of("C0392B")
WHITE = Colour.of("FFFFFF")

# Shares of white. Steps of one hue differ in lightness, so readers who see no colours, or have
# none in print, tell them apart.
_LADDER = (0.0, 0.3, 0.52, 0.7, 0.85)
_LADDER_BELOW_LINES = (0.42, 0.64, 0.82)


@dataclass(frozen=True)
class Theme:
    """What a template makes of a company's accent colour."""

    template: Template
    accent: Colour  # white text on it is readable
    heading: Colour  # text of headings and titles within a page
    rule: Colour  # around totals
    tint: Colour | None  # ground of totals and highlights; None where nothing is filled
    accent_of_charts: Colour
    steps: tuple[Colour, ...]  # of a chart's colours, from dark to light
    steps_below_lines: tuple[Colour, ...]  # where lines of `line` cross them
    line: Colour
    comparison: Colour


@functools.lru_cache(maxsize=256)
def _theme(template: Template, accent_code: str) -> Theme:
    accent = Colour.of(accent_code)
    is_classic = template is Template.CLASSIC
    base = Colour.of("333333") if is_classic else accent
    return Theme(
        template=template,
        accent=accent,
        heading=BLACK if is_classic else accent,
        rule=BLACK if is_classic else accent,
        tint=None if is_classic else accent.mixed(WHITE, 0.92),
        accent_of_charts=base,
        steps=tuple(base.mixed(WHITE, share) for share in _LADDER),
        steps_below_lines=tuple(base.mixed(WHITE, share) for share in _LADDER_BELOW_LINES),
        line=base.mixed(BLACK, 0.3),
        comparison=base.mixed(WHITE, 0.7),
    )


def theme_of(branding: Branding) -> Theme:
    """The theme of a branding; the same object, with the same colours, for the same look."""
    return _theme(branding.template, branding.accent)
