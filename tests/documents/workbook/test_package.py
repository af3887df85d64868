"""What Excel insists on before it opens a file without offering to repair it, and its look."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from xml.etree import ElementTree

import openpyxl
import pytest
from PIL import Image

from reports_pipeline.documents.branding import HOUSE_BRANDING, Branding, Logo, Template
from reports_pipeline.documents.content.contents import WORKBOOKS, workbook_reports
from reports_pipeline.documents.tables import Report
from reports_pipeline.documents.workbook.render import render_workbook
from tests.documents.samples import COMPANY, empty, english, reports

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
TYPES = "{http://schemas.openxmlformats.org/package/2006/content-types}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
# ECMA-376 part 1, 18.3.1.99: the elements of a worksheet, as far as ours have them.
ELEMENTS = [
    "sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "pageMargins",
    "pageSetup", "headerFooter", "drawing", "tableParts",
]  # fmt: skip


def logo(width: int = 600, height: int = 200) -> Logo:
    picture = io.BytesIO()
    Image.new("RGBA", (width, height), (180, 30, 30, 128)).save(picture, "png")
    return Logo(picture.getvalue(), width, height)


def branding(template: Template = Template.MODERN, accent: str = "7A1F2B") -> Branding:
    return Branding(3, template, accent, logo())


LOOKS = [HOUSE_BRANDING, *(branding(template) for template in Template)]
TENANTS = [reports(), english(), empty()]
ALL = [(tenant, name, look) for tenant in TENANTS for name in WORKBOOKS for look in LOOKS]


def sheets_of(name: str, language: str = "ja") -> list[Report]:
    tenant = reports(company=replace(COMPANY, language=language))
    return dict(zip(WORKBOOKS, workbook_reports(tenant), strict=True))[name]


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names))
        return {name: archive.read(name) for name in names}


@pytest.fixture(scope="module")
def packages() -> list[dict[str, bytes]]:
    """The files of every workbook of every tenant in every look."""
    return [
        parts_of(render_workbook(sheets, "8f14e45fceea167a", look))
        for tenant in TENANTS
        for sheets in workbook_reports(tenant)
        for look in LOOKS
    ]


def sheet_names(package: dict[str, bytes]) -> list[str]:
    return sorted(name for name in package if name.startswith("xl/worksheets/sheet"))


def test_list_of_types_comes_first_and_names_every_part(packages: list[dict[str, bytes]]) -> None:
    for package in packages:
        assert next(iter(package)) == "[Content_Types].xml"
        types = ElementTree.fromstring(package["[Content_Types].xml"])  # noqa: S314
        parts = {str(each.get("PartName")) for each in types.iter(f"{TYPES}Override")}
        endings = {each.get("Extension") for each in types.iter(f"{TYPES}Default")}
        assert {part.removeprefix("/") for part in parts} <= package.keys()
        for name in package.keys() - {"[Content_Types].xml"}:
            ending = name.rpartition(".")[2]
            assert f"/{name}" in parts or (ending in endings and ending in {"rels", "png"}), name


def test_relationships_lead_to_parts(packages: list[dict[str, bytes]]) -> None:
    for package in packages:
        for name in package:
            if not name.endswith(".rels"):
                continue
            folder = name.partition("_rels/")[0]
            relations = ElementTree.fromstring(package[name])  # noqa: S314
            identities = [each.get("Id") for each in relations]
            assert len(identities) == len(set(identities))
            for relation in relations.iter(f"{RELATIONS}Relationship"):
                target = str(relation.get("Target"))
                place = target.removeprefix("/") if target.startswith("/") else folder + target
                assert place in package


def test_elements_of_sheets_are_in_their_order(packages: list[dict[str, bytes]]) -> None:
    for package in packages:
        for name in sheet_names(package):
            sheet = ElementTree.fromstring(package[name])  # noqa: S314
            found = [element.tag.removeprefix(MAIN) for element in sheet]
            assert found == [element for element in ELEMENTS if element in found]


def test_rows_and_cells_ascend_within_the_dimension(packages: list[dict[str, bytes]]) -> None:
    for package in packages:
        for name in sheet_names(package):
            sheet = ElementTree.fromstring(package[name])  # noqa: S314
            rows = [int(str(row.get("r"))) for row in sheet.iter(f"{MAIN}row")]
            places = [str(cell.get("r")) for cell in sheet.iter(f"{MAIN}c")]
            coordinates = [openpyxl.utils.cell.coordinate_to_tuple(place) for place in places]
            dimension = sheet.find(f"{MAIN}dimension")
            assert dimension is not None
            last = openpyxl.utils.cell.range_boundaries(str(dimension.get("ref")))[:1:-1]
            assert rows == sorted(set(rows))
            assert coordinates == sorted(set(coordinates))
            assert (max(rows), max(column for _, column in coordinates)) == last


def test_cells_name_texts_and_styles_that_are_there(packages: list[dict[str, bytes]]) -> None:
    for package in packages:
        texts = ElementTree.fromstring(package["xl/sharedStrings.xml"])  # noqa: S314
        styles = ElementTree.fromstring(package["xl/styles.xml"])  # noqa: S314
        formats = styles.find(f"{MAIN}cellXfs")
        assert formats is not None
        assert texts.get("uniqueCount") == str(len(texts))
        for name in sheet_names(package):
            for cell in ElementTree.fromstring(package[name]).iter(f"{MAIN}c"):  # noqa: S314
                assert int(str(cell.get("s"))) < len(formats)
                if cell.get("t") == "s":
                    assert int(str(cell.findtext(f"{MAIN}v"))) < len(texts)


def test_workbook_opens_on_its_first_sheet(packages: list[dict[str, bytes]]) -> None:
    for package in packages:
        selected = [b'tabSelected="1"' in package[name] for name in sheet_names(package)]
        assert selected == [True, *[False] * (len(selected) - 1)]
        assert b'activeTab="0"' in package["xl/workbook.xml"]


def test_defined_names_are_names(packages: list[dict[str, bytes]]) -> None:
    for package in packages:
        book = ElementTree.fromstring(package["xl/workbook.xml"])  # noqa: S314
        names = [
            (name.get("name"), name.get("localSheetId")) for name in book.iter(f"{MAIN}definedName")
        ]
        own = [str(name) for name, sheet in names if sheet is None]
        assert own
        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in own)
        assert len([name for name, _ in names if name == "_xlnm.Print_Area"]) == len(
            sheet_names(package)
        )


def test_sheets_are_named_as_excel_allows() -> None:
    title = "損益: [実績/予算]* どちらも? 長い名前は切り詰める必要があります"
    statement, *_ = sheets_of("income_statement")
    alike = [replace(statement, title=title), replace(statement, title=title)]

    names = openpyxl.load_workbook(io.BytesIO(render_workbook(alike, "r"))).sheetnames

    assert len(names) == len({name.casefold() for name in names}) == 3
    for name in names:
        assert 0 < len(name) <= 31
        assert not re.search(r"[\[\]:*?/\\]|^'|'$", name)


def test_further_reports_follow_the_summary() -> None:
    statement, *_ = sheets_of("balance_sheet")
    further = replace(statement, title="別の表")

    book = openpyxl.load_workbook(io.BytesIO(render_workbook([statement, further], "r")))

    assert book.sheetnames == ["月次貸借対照表", "サマリー", "別の表"]
    shown = [[cell.value for row in sheet["A7:B20"] for cell in row] for sheet in book.worksheets]
    assert shown[2] == shown[0]


def test_only_a_list_is_a_table_and_has_filters(packages: list[dict[str, bytes]]) -> None:
    for package in packages:
        tables = [name for name in package if name.startswith("xl/tables/")]
        sheets = b"".join(package[name] for name in sheet_names(package))
        assert b"<autoFilter" not in sheets  # a table has its own
        assert sheets.count(b"<tablePart ") == len(tables)
        for name in tables:
            table = ElementTree.fromstring(package[name])  # noqa: S314
            filters = table.find(f"{MAIN}autoFilter")
            assert filters is not None
            assert filters.get("ref") == table.get("ref")
            assert table.get("name") == "expense_claims"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_title_row_of_table_says_what_its_columns_are_called(language: str) -> None:
    content = render_workbook(sheets_of("expense_claims", language), "r")
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]

    [table] = sheet.tables.values()

    assert [column.name for column in table.tableColumns] == [cell.value for cell in sheet[6]]


def test_logo_stands_at_the_right_of_the_title_over_empty_cells() -> None:
    content = render_workbook(sheets_of("income_statement"), "r", branding())
    package = parts_of(content)
    drawing = ElementTree.fromstring(package["xl/drawings/drawing1.xml"])  # noqa: S314

    [row], [column], [extent] = (
        list(drawing.iter(f"{DRAWING}{name}")) for name in ("row", "col", "ext")
    )

    assert package["xl/media/image1.png"] == logo().png
    assert [b"<drawing " in package[name] for name in sheet_names(package)][:2] == [True, False]
    assert row.text == "0"
    title_row = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0][1]
    assert int(str(column.text)) >= 4
    assert all(cell.value is None for cell in title_row[int(str(column.text)) :])
    width, height = (int(str(extent.get(side))) for side in ("cx", "cy"))
    assert height <= 46 * 9_525  # the title's row has 56 pixels
    assert width / height == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize(
    ("colour", "ground"), [((255, 255, 255, 255), "7A1F2B"), ((180, 30, 30, 128), "FFFFFF")]
)
def test_logo_is_seen_on_its_ground(
    template: Template, colour: tuple[int, ...], ground: str
) -> None:
    picture = Image.new("RGBA", (600, 200))
    picture.paste(colour, (100, 50, 500, 150))
    encoded = io.BytesIO()
    picture.save(encoded, "png")
    look = replace(branding(template), logo=Logo(encoded.getvalue(), 600, 200))

    package = parts_of(render_workbook(sheets_of("income_statement"), "r", look))
    drawing = ElementTree.fromstring(package["xl/drawings/drawing1.xml"])  # noqa: S314

    [filled] = drawing.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}srgbClr")
    assert filled.get("val") == ground


def test_logo_has_a_text_for_those_who_do_not_see_it() -> None:
    company = replace(COMPANY, name='"A" & <B>')
    sheets, *_ = workbook_reports(reports(company=company))

    package = parts_of(render_workbook(sheets, "r", branding()))
    drawing = ElementTree.fromstring(package["xl/drawings/drawing1.xml"])  # noqa: S314

    [properties] = drawing.iter(f"{DRAWING}cNvPr")
    assert properties.get("descr") == '"A" & <B>のロゴ'


def test_workbook_without_logo_has_no_drawing() -> None:
    package = parts_of(render_workbook(sheets_of("income_statement"), "r"))

    assert not [name for name in package if "drawing" in name or "media" in name]


def fills(look: Branding) -> dict[str, str]:
    """Colours of the grounds of title, head and total; empty for none."""
    content = render_workbook(sheets_of("income_statement"), "r", look)
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    cells = {"title": sheet["A1"], "head": sheet["A6"], "total": sheet["A17"]}
    return {
        name: str(cell.fill.fgColor.rgb)[2:] if cell.fill.fill_type else ""
        for name, cell in cells.items()
    }


def test_templates_fill_different_grounds() -> None:
    assert fills(branding(Template.MODERN)) == {"title": "", "head": "7A1F2B", "total": "F4EDEE"}
    assert fills(branding(Template.BOLD)) == {
        "title": "7A1F2B", "head": "F4EDEE", "total": "F4EDEE"
    }  # fmt: skip
    assert fills(branding(Template.CLASSIC)) == {"title": "", "head": "", "total": ""}


def test_two_companies_with_different_colours_share_nothing_visible() -> None:
    assert fills(branding(accent="005A3C"))["head"] == "005A3C"
    assert fills(branding(accent="3B2A78"))["head"] == "3B2A78"
