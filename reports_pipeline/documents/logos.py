"""Makes a logo of a picture that somebody uploaded, and recognizes one that was made before.

Nothing of the upload gets into a document but its pixels: a PNG or JPEG is decoded, an SVG is
drawn, and the result is written as a new PNG, the same bytes for the same upload.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from typing import NoReturn

from PIL import Image, ImageCms, ImageOps, ImageStat

from reports_pipeline.documents.branding import BrandingCode, BrandingError, Logo
from reports_pipeline.documents.svg import draw_svg, require_safe_svg

MOST_UPLOADED_BYTES = 2 * 1024 * 1024
_MOST_UPLOADED_PIXELS = 25_000_000
# Of a logo: 51 by 17 mm at 300 dots an inch.
_MOST_WIDTH = 600
_MOST_HEIGHT = 200
_NEARLY_WHITE = 250  # of 255
_FORMATS = ("PNG", "JPEG")
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def read_logo(content: bytes) -> Logo:
    """The logo that a PNG, a JPEG or an SVG shows, made smaller if it exceeds 600 by 200 pixels.

    What the file is called does not matter. Of several pictures in a file the first counts. Text in
    an SVG is set in the font of the documents.

    Raises:
        BrandingError: LOGO_TOO_LARGE, LOGO_TOO_MANY_PIXELS, LOGO_TOO_COMPLEX, LOGO_UNREADABLE,
            LOGO_UNSAFE, LOGO_DOCTYPE or LOGO_EMPTY.
    """
    if len(content) > MOST_UPLOADED_BYTES:
        raise BrandingError(
            BrandingCode.LOGO_TOO_LARGE, most_megabytes=MOST_UPLOADED_BYTES // 1024**2
        )
    if not content.startswith(_SIGNATURES):
        if not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
            _unreadable("neither PNG nor JPEG nor SVG")
        content = draw_svg(require_safe_svg(content), _MOST_WIDTH, _MOST_HEIGHT)
    image = _decoded(content)
    image.thumbnail((_MOST_WIDTH, _MOST_HEIGHT), Image.Resampling.LANCZOS)
    if image.mode == "RGBA":
        least, most = image.getchannel("A").getextrema()
        if most == 0:
            raise BrandingError(BrandingCode.LOGO_EMPTY)
        if least == 255:
            image = image.convert("RGB")
    # an opaque picture stands on white
    if image.mode == "RGB" and ImageStat.Stat(image.convert("L")).extrema[0][0] >= _NEARLY_WHITE:
        raise BrandingError(BrandingCode.LOGO_EMPTY)
    return Logo(_png(image), image.width, image.height)


def stored_logo(png: bytes, sha256: str) -> Logo:
    """A logo that was stored with the hash of its PNG, if it still is one.

    Raises:
        BrandingError: LOGO_ALTERED.
    """
    if hashlib.sha256(png).hexdigest() != sha256:
        raise BrandingError(BrandingCode.LOGO_ALTERED)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(png), formats=("PNG",))
        if image.width > _MOST_WIDTH or image.height > _MOST_HEIGHT:
            raise BrandingError(BrandingCode.LOGO_ALTERED)
        # Whoever wrote the row wrote the hash too, and a picture that breaks off would break the
        # documents.
        image.load()
    except BrandingError:
        raise
    except Exception:  # of many kinds: see _decoded
        raise BrandingError(BrandingCode.LOGO_ALTERED) from None
    if image.mode not in ("RGB", "RGBA"):
        raise BrandingError(BrandingCode.LOGO_ALTERED)
    return Logo(png, image.width, image.height)


def _decoded(content: bytes) -> Image.Image:
    """The picture upright in sRGB: RGB, or RGBA where it is transparent somewhere."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(content), formats=_FORMATS)
        # The head says how large it is; nothing has been decoded yet.
        if image.width * image.height > _MOST_UPLOADED_PIXELS:
            _too_many_pixels()
        image = ImageOps.exif_transpose(image)
        if image.mode == "I;16":  # 16 bits of grey, which convert() would cut off at 255
            image = image.point(lambda value: value / 256).convert("L")
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        colours = _in_srgb(image)
    except BrandingError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        _too_many_pixels()
    except Exception as error:
        # A broken file makes decoders raise nearly anything: OSError, SyntaxError, struct.error,
        # zlib.error, IndexError …
        _unreadable(str(error) or type(error).__name__)
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def _in_srgb(image: Image.Image) -> Image.Image:
    """The colours without transparency; a profile that cannot be used counts for nothing."""
    profile = image.info.get("icc_profile")
    colours = image
    if image.mode not in ("RGB", "L", "CMYK"):
        colours = image.convert("RGBA").convert("RGB")  # of a palette, not all at once
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            converted = ImageCms.profileToProfile(
                colours,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
            if converted is not None:
                return converted
    return colours.convert("RGB")


def _png(image: Image.Image) -> bytes:
    image.info = {}  # of the upload: a profile would be written
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=9)
    return written.getvalue()


def _unreadable(reason: str) -> NoReturn:
    raise BrandingError(BrandingCode.LOGO_UNREADABLE, reason=ascii(reason)[1:-1][:200]) from None


def _too_many_pixels() -> NoReturn:
    most = _MOST_UPLOADED_PIXELS // 1_000_000
    raise BrandingError(BrandingCode.LOGO_TOO_MANY_PIXELS, most_megapixels=most) from None
