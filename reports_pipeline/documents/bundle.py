"""The documents of one tenant and month: what is stored, mailed and named to the reader."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents.formats import format_day
from reports_pipeline.documents.layouts import (
    PDF_REPORTS,
    WORKBOOK_REPORTS,
    statement_report,
)
from reports_pipeline.documents.pdf import render_pdfs as _pdf_contents
from reports_pipeline.documents.tables import Report
from reports_pipeline.documents.workbook import render_workbook

_PDF = "application/pdf"
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

PDF_NAMES = tuple(f"{name}.pdf" for name in PDF_REPORTS)
WORKBOOK_NAMES = tuple(f"{name}.xlsx" for name in WORKBOOK_REPORTS)


@dataclass(frozen=True)
class Document:
    """A file for a tenant."""

    name: str  # the same in every language: income_statement.pdf
    file_name: str  # of the attachment: 月次損益計算書_2026年10月.pdf
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def render_pdfs(reports: TenantReports, reference: str) -> list[Document]:
    """The PDFs of a tenant's month; `reference` (管理番号) is printed on every page.

    Raises:
        TenantFailureError: MISSING_GLYPH.
    """
    documents = [
        [statement_report(layout, reports) for layout in layouts]
        for layouts in PDF_REPORTS.values()
    ]
    contents = _pdf_contents(documents, reference)
    return [
        _document(parts[0], "pdf", _PDF, content)
        for parts, content in zip(documents, contents, strict=True)
    ]


def render_workbooks(reports: TenantReports, reference: str) -> list[Document]:
    """The workbooks of a tenant's month; `reference` (管理番号) stands on every sheet.

    Raises:
        TenantFailureError: TOO_LARGE or BAD_TEXT.
    """
    models = [layout(reports) for layout in WORKBOOK_REPORTS.values()]
    return [
        _document(model, "xlsx", _WORKBOOK, render_workbook(model, reference)) for model in models
    ]


def _document(report: Report, extension: str, media_type: str, content: bytes) -> Document:
    month = format_day(report.month.start, "pattern.file_month", report.company.language)
    stem = f"{report.title}_{month}".replace(" ", "_")
    return Document(f"{report.name}.{extension}", f"{stem}.{extension}", media_type, content)
