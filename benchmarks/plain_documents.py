"""The documents as one writes them without a thought to speed: what ours are compared with.

They show what ours show, from the same model, on the same pages and sheets, in the house's look;
`tests/benchmarks/test_plain_documents.py` keeps it so, since to be faster than something that says
less would mean nothing. What plain documents lack (PDF/A, alternative text, cached values) only
makes them cheaper.
"""

from __future__ import annotations

from benchmarks.plain_pdf import render_pdf
from benchmarks.plain_workbook import render_workbook
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents.content.contents import editions, pdf_reports, workbook_reports


def render_pdfs(reports: TenantReports, reference: str) -> list[bytes]:
    """The PDFs of a tenant's month, in the order of the bundle."""
    return [
        render_pdf(parts, reference)
        for edition in editions(reports)
        for parts in pdf_reports(edition)
    ]


def render_workbooks(
    reports: TenantReports, reference: str, *, shares_styles: bool = False
) -> list[bytes]:
    """The workbooks of a tenant's month, in the order of the bundle."""
    return [
        render_workbook(sheets, reference, shares_styles=shares_styles)
        for edition in editions(reports)
        for sheets in workbook_reports(edition)
    ]
