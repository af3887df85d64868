"""A company's branding: the template its documents follow, its colour and its logo.

Here stand the values and their rules; `logos.py` makes a logo of what was uploaded.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from reports_pipeline.documents.catalogs import catalog

# WCAG 2.2, success criterion 1.4.3: text of ordinary size.
_LEAST_CONTRAST = 4.5
_ACCENT = re.compile(r"#?([0-9A-Fa-f]{6})")


class Template(StrEnum):
    """A way of setting out documents, whatever the colour."""

    MODERN = "modern"  # tinted boxes, a band of the accent colour above the page and over tables
    CLASSIC = "classic"  # black on white, ruled like a printed statement, no filled areas
    BOLD = "bold"  # the head of a page on a ground of the accent colour


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that is safe and small: what was uploaded was decoded and written anew."""

    png: bytes  # 8 bits a channel, RGB or RGBA in sRGB, no metadata
    width: int  # pixels
    height: int


@dataclass(frozen=True, slots=True)
class Branding:
    version: int  # of the company's brandings, from 1; 0 is the house's
    template: Template
    accent: str  # six hexadecimal digits; white text on it is readable
    logo: Logo | None


HOUSE_BRANDING = Branding(0, Template.MODERN, "1F4E79", None)


class BrandingCode(StrEnum):
    """Why a branding cannot be used; `branding.<code>` in the catalogs says it to an operator."""

    TEMPLATE_UNKNOWN = "TEMPLATE_UNKNOWN"
    ACCENT_MALFORMED = "ACCENT_MALFORMED"
    ACCENT_UNREADABLE = "ACCENT_UNREADABLE"  # white text on it has too little contrast
    LOGO_TOO_LARGE = "LOGO_TOO_LARGE"
    LOGO_TOO_MANY_PIXELS = "LOGO_TOO_MANY_PIXELS"
    LOGO_TOO_COMPLEX = "LOGO_TOO_COMPLEX"
    LOGO_UNREADABLE = "LOGO_UNREADABLE"
    LOGO_UNSAFE = "LOGO_UNSAFE"
    LOGO_DOCTYPE = "LOGO_DOCTYPE"  # of an SVG: drawing programs write it, and it may hold entities
    LOGO_EMPTY = "LOGO_EMPTY"
    LOGO_ALTERED = "LOGO_ALTERED"  # what is stored is not what was made of the upload


class BrandingError(ValueError):
    """A branding cannot be used; `facts` are the values of its message."""

    def __init__(self, code: BrandingCode, **facts: str | int) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.code} {self.facts}"

    def text(self, language: str) -> str:
        """What an operator reads: what is wrong, where, and what to do, in one line."""
        return catalog(language).text(f"branding.{self.code}", **self.facts)


def usable_branding(version: int, template: str, accent: str, logo: Logo | None) -> Branding:
    """A branding of values that somebody entered; `accent` may begin with #.

    Raises:
        BrandingError: TEMPLATE_UNKNOWN, ACCENT_MALFORMED or ACCENT_UNREADABLE.
    """
    if template not in set(Template):
        raise BrandingError(
            BrandingCode.TEMPLATE_UNKNOWN, template=ascii(template), templates=", ".join(Template)
        )
    digits = _ACCENT.fullmatch(accent)
    if digits is None:
        raise BrandingError(BrandingCode.ACCENT_MALFORMED, accent=ascii(accent))
    accent = digits[1].upper()
    contrast = contrast_with_white(accent)
    if contrast < _LEAST_CONTRAST:
        raise BrandingError(
            BrandingCode.ACCENT_UNREADABLE,
            accent=f"#{accent}",
            # cut, not rounded: 4.499 must not read 4.50
            contrast=f"{math.floor(contrast * 100) / 100:.2f}",
            least=f"{_LEAST_CONTRAST}",
        )
    return Branding(version, Template(template), accent, logo)


def contrast_with_white(accent: str) -> float:
    """The contrast ratio of white and six hexadecimal digits of sRGB, 1 to 21, as WCAG 2.2 defines
    it by relative luminance."""
    red, green, blue = (_linear(int(accent[at : at + 2], 16) / 255) for at in (0, 2, 4))
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
