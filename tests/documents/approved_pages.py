"""How pages of each template are to look: pictures that a person has looked at and approved.

    python -m tests.documents.approved_pages

draws them anew into `approved/`, to be looked at before they are committed. A picture shows all
pages of one tenant's PDFs side by side, small and grey: enough to see a column that moved, not
enough to notice how a version of poppler smooths letters.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from reports_pipeline.documents.branding import Branding, Logo, Template
from reports_pipeline.documents.bundle import render_pdfs
from tests.documents.samples import COMPANY, reports
from tests.programs import require_program

APPROVED = Path(__file__).parent / "approved"
DOTS_PER_INCH = 50
_REFERENCE = "8f14e45fceea167a"
_ACCENTS = {Template.MODERN: "1F4E79", Template.CLASSIC: "5B2333", Template.BOLD: "0B5D4E"}
_PAGES_PER_ROW = 5
_GREYS = 8
_BLUR = 2  # pixels; wider than what smoothing differs by
# Of 255, after blurring: pages drawn with four times the dots and made smaller differ by up to 51,
# a column that moved by 3 mm by 61 and more.
MOST_ANYWHERE = 55
MOST_ON_AVERAGE = 3.0


def drawn_pages(template: Template) -> Image.Image:
    """All pages of a premium tenant's PDFs in this template, as one grey picture."""
    branding = Branding(1, template, _ACCENTS[template], _logo())
    tenant = reports(company=replace(COMPANY, plan="premium"))
    with tempfile.TemporaryDirectory() as folder:
        pages = []
        for document in render_pdfs(tenant, _REFERENCE, branding):
            pages += _pictures(document.content, Path(folder))
    return _contact_sheet(pages)


def _logo() -> Logo:
    picture = Image.new("RGB", (240, 80), "white")
    drawing = ImageDraw.Draw(picture)
    drawing.ellipse((4, 4, 76, 76), fill="#1F4E79")
    drawing.rectangle((92, 28, 236, 52), fill="#444444")
    png = io.BytesIO()
    picture.save(png, "png")
    return Logo(png.getvalue(), picture.width, picture.height)


def _pictures(pdf: bytes, folder: Path) -> list[Image.Image]:
    for old in folder.iterdir():
        old.unlink()
    subprocess.run(
        [require_program("pdftoppm"), "-r", str(DOTS_PER_INCH), "-gray", "-", str(folder / "page")],
        input=pdf,
        check=True,
        capture_output=True,
    )
    return [Image.open(io.BytesIO(path.read_bytes())) for path in sorted(folder.iterdir())]


def _contact_sheet(pages: list[Image.Image]) -> Image.Image:
    width = max(page.width for page in pages)
    height = max(page.height for page in pages)
    columns = min(_PAGES_PER_ROW, len(pages))
    rows = -(-len(pages) // columns)
    sheet = Image.new("L", (width * columns, height * rows), 200)
    for number, page in enumerate(pages):
        row, column = divmod(number, columns)
        sheet.paste(page, (column * width, row * height))
    return sheet


def approved_pages(template: Template) -> Image.Image:
    return Image.open(APPROVED / f"{template}.png").convert("L")


def write_approved(template: Template) -> None:
    palette = drawn_pages(template).quantize(_GREYS, dither=Image.Dither.NONE)
    palette.save(APPROVED / f"{template}.png", optimize=True)


def differences(drawn: Image.Image, approved: Image.Image) -> tuple[int, float, tuple[int, int]]:
    """The largest difference anywhere, the mean one, and where the largest is (pixels)."""
    blur = ImageFilter.GaussianBlur(_BLUR)
    difference = ImageChops.difference(drawn.filter(blur), approved.filter(blur))
    statistics = ImageStat.Stat(difference)
    largest = max(value for value, count in enumerate(difference.histogram()) if count)
    place = difference.point(lambda value: 255 * (value == largest)).getbbox() or (0, 0, 0, 0)
    return largest, statistics.mean[0], place[:2]


if __name__ == "__main__":
    APPROVED.mkdir(exist_ok=True)
    for each in Template:
        write_approved(each)
