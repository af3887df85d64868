"""The structure of our PDFs: everything drawn is text, a described picture, or decoration."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from pypdf import PdfReader
from pypdf.generic import ContentStream

from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents.content.contents import pdf_reports
from reports_pipeline.documents.pdf.render import render_pdfs
from reports_pipeline.documents.tables import Report
from tests.documents.samples import SAMPLES, reports

REFERENCE = "8f14e45fceea167a"
_DRAWING = {"Tj", "S", "f", "B", "Do", "l", "re", "c"}


def models(sample: TenantReports) -> list[list[Report]]:
    return pdf_reports(sample)


def marked(page: Any, reader: PdfReader) -> Iterator[tuple[str, int | None, str]]:
    """Each operator that draws, and the tag and number of the marked sequence it stands in."""
    tag, number = "", None
    for operands, operator in ContentStream(page["/Contents"], reader).operations:
        if operator in (b"BDC", b"BMC"):
            assert tag == "", "marked sequences do not nest"
            tag = str(operands[0])
            number = int(operands[1]["/MCID"]) if operator == b"BDC" else None
        elif operator == b"EMC":
            assert tag != "", "no marked sequence to end"
            tag, number = "", None
        elif operator.decode() in _DRAWING:
            yield tag, number, operator.decode()
    assert tag == ""


@pytest.mark.parametrize("name", SAMPLES)
def test_all_that_is_drawn_belongs_to_the_structure_or_is_decoration(name: str) -> None:
    for pdf in render_pdfs(models(SAMPLES[name]()), REFERENCE):
        reader = PdfReader(io.BytesIO(pdf))
        root: Any = reader.root_object
        parents = root["/StructTreeRoot"]["/ParentTree"]["/Nums"]
        assert root["/MarkInfo"]["/Marked"]
        pages: list[Any] = list(reader.pages)
        for index, page in enumerate(pages):
            assert parents[2 * index] == page["/StructParents"] == index
            elements = [element.get_object() for element in parents[2 * index + 1].get_object()]
            for tag, number, operator in marked(page, reader):
                if tag == "/Artifact":
                    assert operator != "Tj"
                    continue
                assert number is not None
                assert elements[number]["/S"] == tag
                assert number in elements[number]["/K"]
                assert elements[number]["/Pg"].get_object() == page


def test_each_chart_is_a_picture_with_its_title_and_largest_figures() -> None:
    *_, pdf = render_pdfs(models(reports()), REFERENCE)[:3]
    root: Any = PdfReader(io.BytesIO(pdf)).root_object

    whole = root["/StructTreeRoot"]["/K"]
    kinds = [element["/S"] for element in whole["/K"]]
    bars, columns = [element["/Alt"] for element in whole["/K"] if element["/S"] == "/Figure"]

    assert whole["/S"] == "/Document"
    assert kinds == ["/P", "/Figure", "/Figure"]
    assert bars == ("当月の主な経費: 給料手当 5,640,000, 役員報酬 1,800,000, 法定福利費 1,098,420")
    assert columns.startswith("カテゴリ別経費の推移（12か月）: 10月 給料手当 5,640,000, 10月 ")
