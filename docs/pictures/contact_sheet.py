"""Draws the documents of one company and month into one picture, for the README.

    python docs/pictures/contact_sheet.py FOLDER PICTURE

FOLDER is where `reports demo` stored the documents. Shown are the first pages of each, workbooks as
they print. Needs pdftoppm (poppler) and soffice (LibreOffice).
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

# The documents in the order in which they are sent, and how many pages of each are shown.
_DOCUMENTS = {
    "income_statement.pdf": 5,
    "balance_sheet.pdf": 2,
    "expense_analysis.pdf": 1,
    "cash_flow.pdf": 2,
    "income_statement.xlsx": 2,
    "balance_sheet.xlsx": 1,
    "expense_claims.xlsx": 1,
}
_DOTS_PER_INCH = 100
_PAGE_HEIGHT = 420  # pixels
_ROW_WIDTH = 1960
_GAP = 18
_GROUND = "#D9DEE3"
_COLOURS = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pages = [
            page
            for name, count in _DOCUMENTS.items()
            for page in _first_pages(arguments.folder / name, count, Path(folder))
        ]
    # the usual method would find too little red in the figures to keep it
    method = Image.Quantize.MAXCOVERAGE
    sheet = _arranged(pages).quantize(_COLOURS, method, dither=Image.Dither.NONE)
    sheet.save(arguments.picture, optimize=True)


def _first_pages(document: Path, count: int, folder: Path) -> list[Image.Image]:
    pdf = document
    if document.suffix != ".pdf":
        profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
        command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder)]
        subprocess.run([*command, str(document)], check=True, capture_output=True)
        pdf = folder / f"{document.stem}.pdf"
    prefix = folder / f"{document.name}-page"
    options = ["-r", str(_DOTS_PER_INCH), "-l", str(count), "-png"]
    subprocess.run(["pdftoppm", *options, str(pdf), str(prefix)], check=True)
    return [_shown(Image.open(path)) for path in sorted(folder.glob(f"{prefix.name}-*.png"))]


def _shown(page: Image.Image) -> Image.Image:
    width = round(page.width * _PAGE_HEIGHT / page.height)
    scaled = page.convert("RGB").resize((width, _PAGE_HEIGHT), Image.Resampling.LANCZOS)
    return ImageOps.expand(scaled, border=1, fill="#B9C2CA")


def _arranged(pages: Sequence[Image.Image]) -> Image.Image:
    """The pages in rows, like words."""
    places, x, y = [], _GAP, _GAP
    height = pages[0].height + _GAP
    for page in pages:
        if x + page.width + _GAP > _ROW_WIDTH:
            x, y = _GAP, y + height
        places.append((x, y))
        x += page.width + _GAP
    sheet = Image.new("RGB", (_ROW_WIDTH, y + height), _GROUND)
    for page, place in zip(pages, places, strict=True):
        sheet.paste(page, place)
    return sheet


if __name__ == "__main__":
    main()
