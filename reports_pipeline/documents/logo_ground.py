"""What a logo stands on: paper, or where it was drawn for a dark ground, the company's colour."""

from __future__ import annotations

import functools
import io

from PIL import Image, ImageStat

from reports_pipeline.documents.branding import Logo

# Of 255. Lettering this light cannot be read on white.
_LIGHT = 200


@functools.lru_cache(maxsize=16)
def needs_accent_ground(logo: Logo) -> bool:
    """Whether the logo is transparent and what it shows is light: it would not be seen on white."""
    picture: Image.Image = Image.open(io.BytesIO(logo.png))
    if not picture.has_transparency_data:
        return False
    picture = picture.convert("RGBA")
    opacity = picture.getchannel("A")
    if opacity.getbbox() is None:
        return False
    return ImageStat.Stat(picture.convert("L"), opacity).mean[0] > _LIGHT
