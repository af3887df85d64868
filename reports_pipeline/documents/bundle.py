"""Draws the documents of one tenant and month, and names them to the reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports_pipeline.accounting.reports import Company, TenantReports
from reports_pipeline.documents.branding import HOUSE_BRANDING, Branding
from reports_pipeline.documents.content.contents import (
    editions,
    pdf_reports,
    workbook_reports,
)
from reports_pipeline.documents.document import PDF_TYPE, WORKBOOK_TYPE, Document
from reports_pipeline.documents.formats import format_day
from reports_pipeline.documents.pdf.render import render_pdfs as _pdf_contents
from reports_pipeline.documents.tables import Report
from reports_pipeline.documents.workbook.render import render_workbook


def render_pdfs(
    reports: TenantReports, reference: str, branding: Branding = HOUSE_BRANDING
) -> list[Document]:
    """The PDFs of a tenant's month, then those of its copy in another language.

    `reference` (管理番号) is printed on every page.

    Raises:
        TenantFailureError: MISSING_GLYPH.
    """
    documents = [parts for edition in editions(reports) for parts in pdf_reports(edition)]
    contents = _pdf_contents(documents, reference, branding)
    return list(_named(documents, contents, reports.company, "pdf", PDF_TYPE))


def render_workbooks(
    reports: TenantReports, reference: str, branding: Branding = HOUSE_BRANDING
) -> list[Document]:
    """The workbooks of a tenant's month, then those of its copy in another language.

    `reference` (管理番号) stands on every sheet.

    Raises:
        TenantFailureError: TOO_LARGE or BAD_TEXT.
    """
    documents = [sheets for edition in editions(reports) for sheets in workbook_reports(edition)]
    contents = [render_workbook(sheets, reference, branding) for sheets in documents]
    return list(_named(documents, contents, reports.company, "xlsx", WORKBOOK_TYPE))


def _named(
    documents: Sequence[Sequence[Report]],
    contents: Sequence[bytes],
    company: Company,
    extension: str,
    media_type: str,
) -> Iterator[Document]:
    for (report, *_), content in zip(documents, contents, strict=True):
        language = report.company.language
        name = report.name if language == company.language else f"{report.name}_{language}"
        month = format_day(report.month.start, "pattern.file_month", language)
        stem = f"{report.title}_{month}".replace(" ", "_")
        yield Document(f"{name}.{extension}", f"{stem}.{extension}", media_type, content)
