"""A company's logo as PDFs carry it: decoded, laid on its ground and deflated once per company."""

from __future__ import annotations

import functools
import io
import zlib
from dataclasses import dataclass

from PIL import Image

from reports_pipeline.documents.branding import Logo
from reports_pipeline.documents.logo_ground import needs_accent_ground
from reports_pipeline.documents.pdf.archive import WrittenObject, deflated
from reports_pipeline.documents.pdf.themes import WHITE, Colour, Theme

# Points.
_MOST_WIDTH, _MOST_HEIGHT = 110.0, 24.0
_PIXELS_PER_POINT = 4


@dataclass(frozen=True)
class LogoImage:
    """An opaque picture, its size on the page in points, and the ground it must stand on."""

    content: bytes  # red, green and blue of each pixel, deflated
    columns: int
    rows: int
    width: float
    height: float
    ground: Colour

    def stream(self) -> WrittenObject:
        """The picture as an object of a PDF; each PDF needs one of its own."""
        return deflated(
            self.content,
            f"/Type /XObject /Subtype /Image /Width {self.columns} /Height {self.rows}"
            " /BitsPerComponent 8 /ColorSpace /DeviceRGB",
        )


@functools.lru_cache(maxsize=16)
def logo_image(logo: Logo, theme: Theme) -> LogoImage:
    """The logo, at most 110 × 24 points in its own proportions.

    A transparent picture is laid on white, or on the accent colour where it is light itself:
    documents for archiving are simpler without transparency.
    """
    picture: Image.Image = Image.open(io.BytesIO(logo.png))
    scale = min(_MOST_WIDTH / picture.width, _MOST_HEIGHT / picture.height)
    width, height = picture.width * scale, picture.height * scale
    ground = theme.accent if needs_accent_ground(logo) else WHITE
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        laid = Image.new("RGBA", picture.size, _bytes(ground))
        laid.alpha_composite(picture)
        picture = laid
    picture = picture.convert("RGB")
    # never larger than it is
    picture.thumbnail((round(width * _PIXELS_PER_POINT), round(height * _PIXELS_PER_POINT)))
    content = zlib.compress(picture.tobytes())
    return LogoImage(content, *picture.size, width, height, ground)


def _bytes(colour: Colour) -> tuple[int, int, int]:
    return round(colour.red * 255), round(colour.green * 255), round(colour.blue * 255)
