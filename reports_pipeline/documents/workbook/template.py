"""What a workbook has before its rows: its files as openpyxl makes them, page and logo.

openpyxl builds an empty workbook once for each set of sheets, and its files are kept compressed.
The logo differs by company, so it is put in afterwards: building a workbook for each company
would cost more than all its rows.
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
from dataclasses import dataclass, replace
from xml.sax.saxutils import quoteattr

from openpyxl import Workbook
from openpyxl.drawing.image import Image
from openpyxl.utils import get_column_letter
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.header_footer import HeaderFooterItem
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.table import Table, TableStyleInfo
from openpyxl.worksheet.worksheet import Worksheet
from PIL import Image as Picture

from reports_pipeline.documents.branding import Logo
from reports_pipeline.documents.workbook.sheet_xml import LINE_HEIGHT
from reports_pipeline.documents.workbook.styles import STYLES
from reports_pipeline.documents.workbook.zip_archive import ArchivedFile, deflated, stored

HEAD_ROW = 6  # the rows above it hold title, company, period, reference and mark
FIRST_ROW = HEAD_ROW + 1
TITLE_HEIGHT = 42  # points; a logo stands beside the title

SHARED_TEXTS = "xl/sharedStrings.xml"
PROPERTIES = "docProps/core.xml"
_WORKBOOK = "xl/workbook.xml"
_DRAWING = "xl/drawings/drawing1.xml"
_PICTURE = "xl/media/image1.png"
# Made for each workbook, or for each look.
_MADE_LATER = {STYLES, _DRAWING, _PICTURE, PROPERTIES, SHARED_TEXTS}
_SMALL = 9  # zlib's level for what is compressed once

_EMU_PER_PIXEL = 9_525
_PIXELS_PER_DIGIT = 7  # of the workbook's default font
_LOGO_LIMITS = (200, 46)  # pixels: a logo is no higher than the title's row
_LOGO_MARGIN = 5


@dataclass(frozen=True, slots=True)
class SheetShape:
    """What the empty sheet depends on."""

    name: str  # 31 characters at most, see workbook.py
    widths: tuple[int, ...]
    is_list: bool
    is_landscape: bool
    table: str = ""  # name of the table that the rows are; empty for none
    titles: tuple[str, ...] = ()  # of the table's columns


@dataclass(frozen=True, slots=True)
class EmptySheet:
    """A sheet's XML around its size and rows, and its table's around its range."""

    file_name: str
    before_dimension: str
    before_rows: str
    after_rows: str
    table_file_name: str = ""
    table: str = ""  # `range` stands where its range does


@dataclass(frozen=True, slots=True)
class EmptyWorkbook:
    files: tuple[ArchivedFile, ...]  # as they are in every workbook, the list of types first
    before_names: str
    after_names: str
    sheets: tuple[EmptySheet, ...]

    def workbook_xml(self, names: str) -> tuple[str, str]:
        """Name and content of the file that lists sheets and defined names."""
        return _WORKBOOK, self.before_names + names + self.after_names


@functools.lru_cache(maxsize=128)
def empty_workbook(shapes: tuple[SheetShape, ...], *, has_logo: bool) -> EmptyWorkbook:
    """The workbook of these sheets; the first may have a logo."""
    book = Workbook()
    book.remove(book.worksheets[0])
    # values are cached; programs that find an older engine than theirs compute them anew and ask
    # whether to save the file
    book.calculation.fullCalcOnLoad = False
    book.calculation.calcId = 191029
    book.defined_names["place"] = DefinedName("place", attr_text="1")
    for shape in shapes:
        _add_sheet(book, shape)
    if has_logo:
        dot = io.BytesIO()
        Picture.new("RGB", (1, 1)).save(dot, "png")
        book.worksheets[0].add_image(Image(dot), "A1")
    book.worksheets[0].sheet_view.tabSelected = True
    saved = io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    before_names, _, rest = contents.pop(_WORKBOOK).decode().partition("<definedNames>")
    sheets = tuple(
        _empty_sheet(contents, number, shape) for number, shape in enumerate(shapes, start=1)
    )
    _announce_shared_texts(contents)
    names = sorted(contents.keys() - _MADE_LATER, key=lambda name: (name[0] != "[", name))
    return EmptyWorkbook(
        files=tuple(deflated(name, contents[name], _SMALL) for name in names),
        before_names=f"{before_names}<definedNames>",
        after_names=f"</definedNames>{rest.partition('</definedNames>')[2]}",
        sheets=sheets,
    )


def _announce_shared_texts(contents: dict[str, bytes]) -> None:
    """openpyxl writes texts into their cells, so its workbooks have no file of them."""
    for name, end, entry in (
        (
            "[Content_Types].xml",
            "</Types>",
            f'<Override PartName="/{SHARED_TEXTS}" ContentType="application/'
            'vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>',
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "</Relationships>",
            '<Relationship Type="http://schemas.openxmlformats.org/officeDocument/2006/'
            f'relationships/sharedStrings" Target="/{SHARED_TEXTS}" Id="texts"/>',
        ),
    ):
        contents[name] = contents[name].decode().replace(end, entry + end).encode()


def _add_sheet(book: Workbook, shape: SheetShape) -> None:
    sheet = book.create_sheet(shape.name)
    for number, width in enumerate(shape.widths, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    _set_up_page(sheet, shape)
    if shape.table:
        for number, title in enumerate(shape.titles, start=1):
            sheet.cell(1, number, title)  # names the columns of the table
        last = get_column_letter(len(shape.titles))
        table = Table(displayName=shape.table, ref=f"A1:{last}2")
        table.tableStyleInfo = TableStyleInfo("TableStyleLight1", showRowStripes=False)
        sheet.add_table(table)


def _empty_sheet(contents: dict[str, bytes], number: int, shape: SheetShape) -> EmptySheet:
    """Takes the sheet's files out of `contents`."""
    file_name = f"xl/worksheets/sheet{number}.xml"
    before, _, rest = contents.pop(file_name).decode().partition("<sheetData")
    before_dimension, _, after_dimension = before.partition("<dimension ")
    sheet = EmptySheet(
        file_name,
        before_dimension,
        before_rows=after_dimension.partition("/>")[2],
        after_rows=re.sub(r"\A(\s*/>|.*?</sheetData>)", "", rest, flags=re.DOTALL),
    )
    if not shape.table:
        return sheet
    [table] = [name for name in contents if name.startswith("xl/tables/")]
    content = re.sub(r'\bref="[^"]*"', 'ref="range"', contents.pop(table).decode())
    return replace(sheet, table_file_name=table, table=content)


def _set_up_page(sheet: Worksheet, shape: SheetShape) -> None:
    sheet.sheet_format.defaultRowHeight = LINE_HEIGHT
    sheet.sheet_format.customHeight = True
    sheet.sheet_view.showGridLines = False
    sheet.freeze_panes = f"{'A' if shape.is_list else 'B'}{FIRST_ROW}"
    sheet.page_setup.paperSize = 9  # A4
    sheet.page_setup.orientation = "landscape" if shape.is_landscape else "portrait"
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_margins = PageMargins(left=0.5, right=0.5, top=0.55, bottom=0.65)
    footer = HeaderFooterItem()
    footer.left.text = "FinanceFlow"
    footer.right.text = "&P / &N"
    sheet.oddFooter = footer


@functools.lru_cache(maxsize=8)
def picture_file(logo: Logo) -> ArchivedFile:
    """The logo's picture; few are kept, since a company's workbooks follow one another."""
    return stored(_PICTURE, logo.png)


@functools.lru_cache(maxsize=32)
def drawing_file(
    width: int, height: int, ground: str, column_widths: tuple[int, ...], description: str
) -> ArchivedFile:
    """Puts a logo of so many pixels at the right of the title's row, where cells are empty.

    `ground`: six hexadecimal digits, the colour behind a logo that is transparent.
    """
    most_width, most_height = _LOGO_LIMITS
    scale = min(1.0, most_width / width, most_height / height)
    shown = [max(1, round(side * scale)) for side in (width, height)]
    column, offset = _place_from_right(column_widths, shown[0] + _LOGO_MARGIN)
    cx, cy = (side * _EMU_PER_PIXEL for side in shown)
    xml = (
        '<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" '
        'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><xdr:oneCellAnchor>'
        f"<xdr:from><xdr:col>{column}</xdr:col><xdr:colOff>{offset * _EMU_PER_PIXEL}</xdr:colOff>"
        f"<xdr:row>0</xdr:row><xdr:rowOff>{_LOGO_MARGIN * _EMU_PER_PIXEL}</xdr:rowOff></xdr:from>"
        f'<xdr:ext cx="{cx}" cy="{cy}"/><xdr:pic><xdr:nvPicPr>'
        f'<xdr:cNvPr id="2" name="Logo" descr={quoteattr(description)}/>'
        '<xdr:cNvPicPr><a:picLocks noChangeAspect="1"/></xdr:cNvPicPr></xdr:nvPicPr>'
        '<xdr:blipFill><a:blip xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships" r:embed="rId1"/><a:stretch><a:fillRect/></a:stretch></xdr:blipFill>'
        f'<xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="{cx}" cy="{cy}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom>'
        f'<a:solidFill><a:srgbClr val="{ground}"/></a:solidFill></xdr:spPr></xdr:pic>'
        "<xdr:clientData/></xdr:oneCellAnchor></xdr:wsDr>"
    )
    return deflated(_DRAWING, xml.encode(), _SMALL)


def _place_from_right(column_widths: tuple[int, ...], pixels: int) -> tuple[int, int]:
    """The column that is so many pixels left of the sheet's right edge, and how far into it."""
    left = max(0, sum(column_widths) * _PIXELS_PER_DIGIT - pixels)
    for column, width in enumerate(column_widths):
        if left < width * _PIXELS_PER_DIGIT:
            return column, left
        left -= width * _PIXELS_PER_DIGIT
    return len(column_widths) - 1, 0
