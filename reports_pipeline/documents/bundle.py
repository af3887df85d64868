"""The documents of one tenant and month: what is stored, mailed and named to the reader."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports_pipeline.accounting.reports import Company, TenantReports
from reports_pipeline.documents.branding import HOUSE_BRANDING, Branding
from reports_pipeline.documents.content.contents import (
    PDFS,
    WORKBOOKS,
    editions,
    pdf_reports,
    workbook_reports,
)
from reports_pipeline.documents.formats import format_day
from reports_pipeline.documents.pdf.render import render_pdfs as _pdf_contents
from reports_pipeline.documents.tables import Report
from reports_pipeline.documents.workbook.render import render_workbook

PDF_TYPE = "application/pdf"
WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# The documents that every company gets; a copy's names have its language besides.
PDF_NAMES = tuple(f"{name}.pdf" for name in PDFS)
WORKBOOK_NAMES = tuple(f"{name}.xlsx" for name in WORKBOOKS)


@dataclass(frozen=True)
class Document:
    """A file for a tenant."""

    name: str  # whatever the company's language: income_statement.pdf; of a copy: …_en.pdf
    file_name: str  # of the attachment: 月次損益計算書_2026年10月.pdf
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


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
