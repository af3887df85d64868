"""Reports as PDF: A4 pages with a head, the table, charts and a foot."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator, Sequence
from itertools import chain

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.documents.branding import HOUSE_BRANDING, Branding
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.fonts import Alphabet, DocumentKind, tenant_alphabets
from reports_pipeline.documents.glyphs import REGULAR, printable_characters
from reports_pipeline.documents.pdf import archive
from reports_pipeline.documents.pdf.head import body_top, draw_foot, draw_head
from reports_pipeline.documents.pdf.logo import logo_image
from reports_pipeline.documents.pdf.pages import LANDSCAPE, PORTRAIT, Page
from reports_pipeline.documents.pdf.pagination import paginate
from reports_pipeline.documents.pdf.structure import add_structure
from reports_pipeline.documents.pdf.themes import theme_of
from reports_pipeline.documents.tables import BarChart, Chart, ColumnChart, Report


def render_pdfs(
    documents: Sequence[Sequence[Report]], reference: str, branding: Branding = HOUSE_BRANDING
) -> list[bytes]:
    """The documents of one tenant as PDFs, the same bytes for the same input.

    A document is one report or several, each of which begins a page. All documents share the
    embedded font subsets, so all are drawn before the first is finished.

    Raises:
        TenantFailureError: MISSING_GLYPH, a text has a character that the fonts lack.
    """
    for report in chain.from_iterable(documents):
        _require_glyphs(report)
    kinds = [DocumentKind(parts[0].name, parts[0].company.language) for parts in documents]
    outputs = [io.BytesIO() for _ in documents]
    canvases = [
        _draw(parts, reference, branding, output, pair)
        for parts, output, pair in zip(documents, outputs, tenant_alphabets(kinds), strict=True)
    ]
    for canvas in canvases:
        add_structure(canvas)
        archive.save(canvas)
    return [output.getvalue() for output in outputs]


def _require_glyphs(report: Report) -> None:
    printable = printable_characters()
    for field, text in _texts(report):
        if not printable.issuperset(text):
            missing = next(character for character in text if character not in printable)
            raise TenantFailureError(
                TenantFailure(
                    report.company.tenant_id,
                    FailureCode.MISSING_GLYPH,
                    {
                        "report": report.name,
                        "field": field,
                        "text": text,
                        "code_point": f"U+{ord(missing):04X}",
                    },
                )
            )


def _texts(report: Report) -> Iterator[tuple[str, str]]:
    """The texts that may hold a tenant's characters, each with the name of its place."""
    yield "company_name", report.company.name
    for row in report.rows:
        for cell in row.cells:
            if isinstance(cell, str):
                yield row.key, cell
    for highlight in report.highlights:
        yield "highlight", highlight.label
    for chart in report.charts:
        for text in _chart_texts(chart):
            yield "chart", text
    for comment in report.comments:
        yield "comment", comment.title
        yield "comment", comment.text


def _chart_texts(chart: Chart) -> Iterator[str]:
    """Names of accounts; a chart may have one that the month's rows lack."""
    if isinstance(chart, BarChart):
        yield from chart.labels
    elif isinstance(chart, ColumnChart):
        for series in chart.stacks + chart.lines:
            yield series.name


def _draw(
    parts: Sequence[Report],
    reference: str,
    branding: Branding,
    output: io.BytesIO,
    alphabets: Sequence[Alphabet],
) -> Canvas:
    # the initial font must be ours: reportlab else adds a Helvetica that is not embedded
    canvas = Canvas(
        output,
        pagesize=A4,
        pageCompression=1,
        invariant=1,
        pdfVersion=archive.PDF_VERSION,
        initialFontName=REGULAR,  # type: ignore[arg-type]  # the stub says float
    )
    for alphabet in alphabets:
        alphabet.font.begin(canvas._doc, alphabet)  # type: ignore[attr-defined]  # no public way
    _describe(canvas, parts[0])
    if len(parts) > 1:
        canvas.showOutline()
    texts = catalog(parts[0].company.language)
    theme = theme_of(branding)
    logo = None if branding.logo is None else logo_image(branding.logo, theme)
    pages = [
        (report, sheet, blocks)
        for report in parts
        for sheet in [LANDSCAPE if report.is_landscape else PORTRAIT]
        for blocks in paginate(report, sheet, theme, texts)
    ]
    begun = None
    for number, (report, sheet, blocks) in enumerate(pages, start=1):
        page = Page(canvas, sheet, theme, alphabets)
        if report is not begun:
            archive.begin_part(canvas, report.title)
            begun = report
        draw_head(page, report, texts, logo)
        y = body_top(sheet)
        for block in blocks:
            y -= block.height
            block.draw(page, y)
        draw_foot(page, report, reference, texts.text("page", page=number, pages=len(pages)), texts)
        page.finish()
    return canvas


def _describe(canvas: Canvas, report: Report) -> None:
    """The document's properties. It is dated at the end of its month, not by a clock."""
    company = report.company
    properties = archive.Properties(
        title=f"{report.title} {report.period}",
        author="FinanceFlow",
        subject=f"{company.name} {report.title}",
        keywords=(company.tenant_id, str(report.month)),
        creator="FinanceFlow",
        language=company.language,
        date=datetime.date.fromisoformat(company.month_end),
    )
    archive.describe(canvas, properties)
