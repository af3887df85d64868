"""PDF/A-2b and the properties of our PDFs, read back from outside."""

from __future__ import annotations

import datetime
import io
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents.branding import Branding, Logo, Template
from reports_pipeline.documents.content.contents import pdf_reports
from reports_pipeline.documents.fonts import DocumentKind, tenant_alphabets
from reports_pipeline.documents.glyphs import REGULAR
from reports_pipeline.documents.pdf import archive
from reports_pipeline.documents.pdf.render import render_pdfs
from reports_pipeline.documents.tables import Report
from tests.documents.pdf.archive_rules import violations
from tests.documents.samples import COMPANY, SAMPLES, reports
from tests.programs import require_program

REFERENCE = "8f14e45fceea167a"
PROPERTIES = archive.Properties(
    title="月次損益計算書 <P&L>",
    author="FinanceFlow",
    subject="髙﨑𠮷商店",
    keywords=("t0001", "2026-10"),
    creator="FinanceFlow",
    language="ja",
    date=datetime.date(2026, 11, 1),
)


def models(sample: TenantReports) -> list[list[Report]]:
    return pdf_reports(sample)


def drawn(draw: Callable[[Canvas], None], *, archived: bool = True) -> bytes:
    """One page with our font and whatever `draw` adds."""
    output = io.BytesIO()
    canvas = Canvas(
        output,
        pagesize=A4,
        invariant=1,
        pdfVersion=archive.PDF_VERSION,
        initialFontName=REGULAR,  # type: ignore[arg-type]  # the stub says float
    )
    [[alphabet, _]] = tenant_alphabets([DocumentKind("none", "ja")])
    alphabet.font.begin(canvas._doc, alphabet)  # type: ignore[attr-defined]
    [(subset, digits)] = alphabet.encode("合計")
    canvas.addLiteral(f"BT /{alphabet.subset_name(subset)} 9 Tf <{digits}> Tj ET")
    draw(canvas)
    canvas.showPage()
    if archived:
        archive.describe(canvas, PROPERTIES)
        archive.save(canvas)
    else:
        canvas.save()
    return output.getvalue()


def nothing(canvas: Canvas) -> None:
    """No more than the text."""


@pytest.mark.parametrize("name", SAMPLES)
def test_every_document_keeps_the_rules_of_pdf_a_2b(name: str) -> None:
    for pdf in render_pdfs(models(SAMPLES[name]()), REFERENCE):
        assert violations(pdf) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_qpdf_finds_no_fault(name: str, tmp_path: Path) -> None:
    qpdf = require_program("qpdf")
    for number, pdf in enumerate(render_pdfs(models(SAMPLES[name]()), REFERENCE)):
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(pdf)
        checked = subprocess.run([qpdf, "--check", path], capture_output=True, text=True)
        assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout


@pytest.mark.parametrize("template", Template)
def test_logo_keeps_the_rules(template: Template) -> None:
    """Also one with transparency."""
    picture = io.BytesIO()
    Image.new("RGBA", (40, 20), (31, 78, 121, 128)).save(picture, "PNG")
    branding = Branding(1, template, "1F4E79", Logo(picture.getvalue(), 40, 20))

    for pdf in render_pdfs(models(reports()), REFERENCE, branding):
        assert violations(pdf) == []
        assert len(PdfReader(io.BytesIO(pdf)).pages[0].images) == 1


def test_document_of_the_canvas_alone_breaks_the_rules() -> None:
    broken = {fault.split()[0] for fault in violations(drawn(nothing, archived=False))}

    assert broken == {"6.1.7.1", "6.2.3", "6.6.2.1"}


@pytest.mark.parametrize(
    ("draw", "clause"),
    [
        (lambda canvas: canvas.drawString(40, 40, "x"), "6.2.11.4.1"),
        (lambda canvas: canvas.setFillColorCMYK(0, 0, 0, 1), "6.2.4"),
        (lambda canvas: canvas.linkURL("https://example.com", (0, 0, 9, 9)), "6.3"),
        (lambda canvas: canvas.addLiteral("BT <00> Tj ET"), "6.2.11.8"),
        (lambda canvas: canvas.addLiteral("BT <42> Tj ET"), "6.2.11.8"),
        (lambda canvas: canvas.addLiteral("q " * 40 + "Q " * 40), "6.1.13"),
        (lambda canvas: canvas.addLiteral("0 0 9 9 rect"), "6.2.2"),
    ],
)
def test_what_is_not_allowed_is_found(draw: Callable[[Canvas], None], clause: str) -> None:
    def drawing(canvas: Canvas) -> None:
        if clause == "6.2.11.4.1":
            canvas.setFont("Helvetica", 9)
        draw(canvas)

    assert clause in {fault.split()[0] for fault in violations(drawn(drawing))}


@pytest.mark.parametrize(
    ("old", "new", "clause"),
    [
        (b"%PDF-1.7\n%\x93\x8c\x8b\x9e", b"%PDF-1.7\n%abcd", "6.1.2"),
        (b"<pdfaid:part>2<", b"<pdfaid:part>1<", "6.6.4"),
        (b"<pdf:Keywords>t0001", b"<pdf:Keywords>t0002", "6.6.2.3"),
        (b"<xmp:CreateDate>2026", b"<xmp:CreateDate>2025", "6.6.2.3"),
        (b" 1000 1000]", b" 1000 1004]", "6.2.11.5"),
        (b"/Flags 4", b"/Flags 0", "6.2.11.6"),
        (b"/Length1", b"/Length2", "6.2.11.2"),
        (b"%%EOF\n", b"%%EOF\n\n\nmore", "6.1.3"),
        (b"/GTS_PDFA1", b"/GTS_PDFX ", "6.2.3"),
        (b"\nendstream", b" endstream", "6.1.7.1"),
    ],
)
def test_altered_document_breaks_the_rule(old: bytes, new: bytes, clause: str) -> None:
    pdf = drawn(nothing)

    assert old in pdf
    found = {fault.split()[0] for fault in violations(pdf.replace(old, new))}
    assert found == {clause}


def test_metadata_says_what_the_properties_say() -> None:
    """Also what XML would take for markup, and characters beyond U+FFFF."""
    reader = PdfReader(io.BytesIO(drawn(nothing)))

    assert reader.metadata is not None
    xmp = reader.xmp_metadata
    assert xmp is not None
    assert reader.metadata.title == "月次損益計算書 <P&L>"
    assert xmp.dc_title == {"x-default": "月次損益計算書 <P&L>"}
    assert reader.metadata.subject == "髙﨑𠮷商店"
    assert xmp.dc_description == {"x-default": "髙﨑𠮷商店"}
    assert xmp.dc_subject == ["t0001", "2026-10"]
    assert xmp.dc_language == ["ja"]


def test_metadata_is_not_compressed() -> None:
    """So that a program that knows no PDF finds it."""
    assert b"<pdfaid:part>2</pdfaid:part>" in drawn(nothing)


def test_readers_show_the_title_and_know_the_language() -> None:
    catalog: Any = PdfReader(io.BytesIO(drawn(nothing))).root_object

    assert catalog["/ViewerPreferences"]["/DisplayDocTitle"]
    assert catalog["/Lang"] == "ja"


def outline(pdf: bytes) -> list[tuple[str, int]]:
    """Titles and the numbers of their pages, from 1."""
    reader = PdfReader(io.BytesIO(pdf))
    return [
        (str(entry["/Title"]), (reader.get_destination_page_number(entry) or 0) + 1)
        for entry in reader.outline
        if not isinstance(entry, Sequence)
    ]


def test_outline_names_each_part_and_its_page() -> None:
    *_, cash_flow = render_pdfs(models(reports()), REFERENCE)

    assert outline(cash_flow) == [
        ("キャッシュフロー概要", 1),
        ("キャッシュ・フロー計算書（間接法）", 2),
    ]


def test_only_a_document_of_several_parts_opens_with_its_outline() -> None:
    modes = [
        str(PdfReader(io.BytesIO(pdf)).root_object["/PageMode"])
        for pdf in render_pdfs(models(reports()), REFERENCE)
    ]

    assert modes == ["/UseOutlines", "/UseOutlines", "/UseNone", "/UseOutlines"]


def identifier(pdf: bytes) -> bytes:
    trailer: Any = PdfReader(io.BytesIO(pdf)).trailer
    return bytes(trailer["/ID"][0].original_bytes)


def test_identifier_follows_the_content() -> None:
    [first, *others] = render_pdfs(models(reports()), REFERENCE)
    [renamed, *_] = render_pdfs(models(reports(company=replace(COMPANY, name="東海"))), REFERENCE)
    [again, *_] = render_pdfs(models(reports()), REFERENCE)

    identifiers = [identifier(pdf) for pdf in [first, *others, renamed]]
    assert len(set(identifiers)) == len(identifiers)
    assert identifier(again) == identifiers[0]
