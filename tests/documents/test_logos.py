"""What becomes of a picture that is uploaded as a logo."""

from __future__ import annotations

import hashlib
import io
import struct

import pytest
from PIL import Image, ImageCms

from reports_pipeline.documents.branding import BrandingCode, BrandingError, Logo
from reports_pipeline.documents.logos import MOST_UPLOADED_BYTES, read_logo, stored_logo
from tests.documents.pictures import PNG_LOGO, SVG_LOGO, chunk, encoded, plain, png_of_rows

RED, BLUE = (255, 0, 0), (0, 0, 255)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(logo: Logo) -> Image.Image:
    image = Image.open(io.BytesIO(logo.png))
    image.load()
    assert image.size == (logo.width, logo.height)
    return image


def refusal(content: bytes) -> BrandingError:
    with pytest.raises(BrandingError) as refused:
        read_logo(content)
    return refused.value


@pytest.mark.parametrize(
    ("uploaded", "size"),
    [
        ((120, 30), (120, 30)), ((600, 200), (600, 200)), ((1200, 300), (600, 150)),
        ((1000, 1000), (200, 200)), ((6000, 20), (600, 2)), ((5000, 5000), (200, 200)),
    ],
)  # fmt: skip
def test_a_logo_is_made_to_fit(uploaded: tuple[int, int], size: tuple[int, int]) -> None:
    logo = read_logo(encoded(Image.new("1", uploaded)))
    assert (logo.width, logo.height) == size
    assert picture(logo).mode == "RGB"


def colour_near(image: Image.Image, colour: tuple[int, ...]) -> bool:
    """JPEG and colour profiles shift colours a little."""
    pixel = image.getpixel((1, 1))
    assert isinstance(pixel, tuple)
    return len(pixel) == len(colour) and all(
        abs(a - b) <= 3 for a, b in zip(pixel, colour, strict=True)
    )


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        (encoded(plain(colour=RED)), RED),
        (encoded(plain(colour=RED), "JPEG"), RED),
        (encoded(plain(colour=RED).convert("P")), RED),
        (encoded(Image.new("RGBA", (9, 9), (*RED, 255))), RED),
        (encoded(Image.new("RGBA", (9, 9), (*RED, 100))), (*RED, 100)),
        (encoded(Image.new("P", (9, 9)), transparency=1), (0, 0, 0)),
        (encoded(Image.new("L", (9, 9), 77)), (77, 77, 77)),
        (encoded(Image.new("LA", (9, 9), (77, 50))), (77, 77, 77, 50)),
        (encoded(Image.new("I;16", (9, 9), 40_000)), (156, 156, 156)),
        (encoded(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "JPEG"), RED),
        (encoded(plain(colour=BLUE), icc_profile=SRGB), BLUE),
        (encoded(plain(colour=BLUE), "JPEG", icc_profile=SRGB), BLUE),
        (encoded(plain(colour=BLUE), "JPEG", icc_profile=b"no profile" * 20), BLUE),
        (encoded(Image.new("RGBA", (9, 9), (*BLUE, 9)), icc_profile=SRGB), (*BLUE, 9)),
        # a profile of another kind of colours than those of the picture
        (encoded(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "JPEG", icc_profile=SRGB), RED),
        (encoded(plain(colour=RED), save_all=True, append_images=[plain(colour=BLUE)]), RED),
        (encoded(plain(colour=RED), "MPO", save_all=True, append_images=[plain(colour=BLUE)]), RED),
        (png_of_rows(b"\0" + struct.pack(">HHH", 0xFF12, 0x34, 0x56), 1, 1, bits=16) , RED),
    ],
)  # fmt: skip
def test_every_kind_of_picture_keeps_its_colours(content: bytes, colour: tuple[int, ...]) -> None:
    image = picture(read_logo(content))
    image = image.resize((9, 9))
    assert colour_near(image, colour)


def test_a_picture_taken_on_its_side_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    logo = read_logo(encoded(plain(120, 30), "JPEG", exif=exif))
    assert (logo.width, logo.height) == (30, 120)


def test_transparency_of_a_palette_is_kept() -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((3, 3), 1)
    made = picture(read_logo(encoded(image, transparency=0)))
    assert made.getpixel((0, 0)) == (10, 20, 30, 0)
    assert made.getpixel((3, 3)) == (40, 50, 60, 255)


def test_an_svg_is_drawn() -> None:
    logo = read_logo(b"\xef\xbb\xbf \n" + SVG_LOGO)
    assert (logo.width, logo.height) == (600, 100)
    image = picture(logo)
    assert image.getpixel((0, 0)) == (0x7A, 0x1F, 0x3D, 255)
    assert image.getpixel((599, 99)) == (0, 0, 0, 0)


@pytest.mark.parametrize("content", [PNG_LOGO, SVG_LOGO, encoded(plain(), "JPEG")])
def test_the_same_upload_is_the_same_logo(content: bytes) -> None:
    assert read_logo(content) == read_logo(content)


def test_nothing_but_pixels_is_kept() -> None:
    notes = chunk(b"tEXt", b"Author\0Sato") + chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0\0\0\0\0")
    png = png_of_rows(b"\0\xff\0\0", 1, 1, extra=notes)
    made = read_logo(png).png
    kinds = []
    at = 8
    while at < len(made):
        kinds.append(made[at + 4 : at + 8])
        at += 12 + int.from_bytes(made[at : at + 4], "big")
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    assert made == read_logo(png_of_rows(b"\0\xff\0\0", 1, 1)).png


def test_an_upload_of_two_megabytes_is_the_largest() -> None:
    padding = chunk(b"teSt", b"\0" * (MOST_UPLOADED_BYTES - len(PNG_LOGO) - 12))
    largest = PNG_LOGO[:-12] + padding + PNG_LOGO[-12:]
    assert len(largest) == MOST_UPLOADED_BYTES
    assert read_logo(largest) == read_logo(PNG_LOGO)
    error = refusal(largest + b"\0")
    assert error.code is BrandingCode.LOGO_TOO_LARGE
    assert error.facts == {"most_megabytes": 2}


@pytest.mark.parametrize(
    ("width", "height"),
    [(5000, 5001), (10_000, 10_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)],
)
def test_a_picture_that_would_unpack_to_gigabytes_is_not_unpacked(width: int, height: int) -> None:
    error = refusal(png_of_rows(b"", width, height))
    assert error.code is BrandingCode.LOGO_TOO_MANY_PIXELS
    assert error.facts == {"most_megapixels": 25}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a logo",
        encoded(plain(), "GIF"),
        encoded(plain(), "BMP"),
        PNG_LOGO[:8],
        PNG_LOGO[:60],
        encoded(Image.effect_noise((90, 90), 50), "JPEG")[:900],
        encoded(Image.effect_noise((90, 90), 50))[:900],
        PNG_LOGO.replace(b"IDAT", b"IDAU"),
        png_of_rows(b"\0\xff\0\0", 1, 1, colour_type=5),
        png_of_rows(b"", 0, 0),
        b"\xff\xd8\xff\xe0" + b"\0" * 100,
    ],
)
def test_what_is_no_picture_or_breaks_off_is_refused(content: bytes) -> None:
    error = refusal(content)
    assert error.code is BrandingCode.LOGO_UNREADABLE
    reason = error.facts["reason"]
    assert isinstance(reason, str)
    assert reason
    assert reason.isascii()
    assert reason.isprintable()


def test_a_picture_of_nothing_is_refused() -> None:
    assert refusal(encoded(Image.new("RGBA", (9, 9)))).code is BrandingCode.LOGO_EMPTY
    for file_format in ("PNG", "JPEG"):
        white = encoded(plain(colour="white"), file_format)
        assert refusal(white).code is BrandingCode.LOGO_EMPTY
    empty = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    assert refusal(empty).code is BrandingCode.LOGO_EMPTY


def test_a_dangerous_svg_is_refused_whatever_it_is_called() -> None:
    error = refusal(SVG_LOGO.replace(b"<rect", b'<rect onload="alert(1)"'))
    assert error.code is BrandingCode.LOGO_UNSAFE
    assert error.facts == {"what": "onload=", "line": 1}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_stored_logo_is_known_by_its_hash() -> None:
    logo = read_logo(SVG_LOGO)
    assert stored_logo(logo.png, sha256(logo.png)) == logo
    with pytest.raises(BrandingError) as refused:
        stored_logo(read_logo(PNG_LOGO).png, sha256(logo.png))
    assert refused.value.code is BrandingCode.LOGO_ALTERED


@pytest.mark.parametrize(
    "png",
    [
        b"",
        b"a logo",
        SVG_LOGO,
        encoded(plain(), "JPEG"),
        encoded(plain(601, 1)),
        encoded(plain(1, 201)),
        encoded(Image.new("L", (9, 9))),
        png_of_rows(b"", 20_000, 20_000),
        png_of_rows(b"\0\xff", 100, 100),
        PNG_LOGO[:-30],
    ],
)
def test_what_was_stored_by_other_means_is_no_logo_though_its_hash_fits(png: bytes) -> None:
    with pytest.raises(BrandingError) as refused:
        stored_logo(png, sha256(png))
    assert refused.value.code is BrandingCode.LOGO_ALTERED
