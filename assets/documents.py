"""The third stage: statements as documents, PDFs and workbooks, stored for ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import dagster as dg

from assets.statements import stored_statements
from assets.tenant_batch import Artefact, StageResult, StageWork, for_each_tenant
from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.delivery.states import delivery_id, reference
from reports_pipeline.documents.bundle import (
    PDF_NAMES,
    WORKBOOK_NAMES,
    Document,
    render_pdfs,
    render_workbooks,
)
from resources.document_store import DocumentConflictError, DocumentStore
from resources.report_register import ReportRegister, StoredDocument

Renderer = Callable[[TenantReports, str], Sequence[Document]]


def report_pdfs(
    work: StageWork, *, document_store: DocumentStore, report_register: ReportRegister
) -> StageResult:
    """Four per month and tenant, as PDF: 損益計算書, 貸借対照表, 経費分析, and, in one,
    キャッシュフロー概要 and キャッシュ・フロー計算書（間接法）.
    """
    return _documents(work, document_store, report_register, render_pdfs, PDF_NAMES)


def report_workbooks(
    work: StageWork, *, document_store: DocumentStore, report_register: ReportRegister
) -> StageResult:
    """Three per month and tenant: 損益計算書, 貸借対照表 and 経費精算一覧 as Excel workbooks."""
    return _documents(work, document_store, report_register, render_workbooks, WORKBOOK_NAMES)


def documents_folder(tenant_id: str, month: Month, revision: int) -> str:
    """Where the documents of a revision are stored."""
    return f"reports/{tenant_id}/{month}/r{revision}"


def _documents(
    work: StageWork,
    document_store: DocumentStore,
    report_register: ReportRegister,
    render: Renderer,
    names: Sequence[str],
) -> StageResult:
    """Render and store the documents of each tenant, unless its revision has them already."""
    reports = reports_by_tenant(work, document_store, report_register)
    stored = report_register.documents(work.month, work.tenant_ids)
    added: list[StoredDocument] = []

    def make(tenant_id: str) -> Artefact:
        report, _ = reports[tenant_id]
        of_revision = stored.get((tenant_id, report.revision), [])
        documents = [document for document in of_revision if document.name in names]
        # What is stored may have been sent, so newer rendering code never replaces it.
        if len(documents) < len(names):
            documents = _store(report, render, document_store)
            added.extend(documents)
        return Artefact(
            documents_folder(tenant_id, work.month, report.revision),
            {
                "revision": dg.MetadataValue.int(report.revision),
                **{
                    d.name: dg.MetadataValue.url(document_store.link(d.object_key))
                    for d in documents
                },
            },
        )

    result = for_each_tenant(work, make)
    report_register.record(added, work.run_id)
    return result


def reports_by_tenant(
    work: StageWork, document_store: DocumentStore, report_register: ReportRegister
) -> dict[str, tuple[TenantReports, str]]:
    """The reports that the statements stage left for the tenants of the work, as the revisions that
    they are, and the hash of their numbers."""
    found = list(stored_statements(document_store, work.month, work.inputs["statements"]))
    hashes = {reports.company.tenant_id: numbers_hash for reports, numbers_hash in found}
    revisions = report_register.revisions(work.month, hashes)
    by_tenant = {}
    for reports, numbers_hash in found:
        tenant_id = reports.company.tenant_id
        revision = revisions[tenant_id]
        numbered = replace(
            reports,
            revision=revision.number,
            corrects=revision.corrects,
            changes=revision.changes,
        )
        by_tenant[tenant_id] = numbered, numbers_hash
    return by_tenant


def _store(
    report: TenantReports, render: Renderer, document_store: DocumentStore
) -> list[StoredDocument]:
    tenant_id = report.company.tenant_id
    footer = reference(delivery_id(tenant_id, report.month, report.revision))
    folder = documents_folder(tenant_id, report.month, report.revision)
    stored = []
    for document in render(report, footer):
        key = f"{folder}/{document.name}"
        try:
            document_store.put(key, document.content)
        except DocumentConflictError:
            # Nothing says what the stored bytes show: a process may have died before it registered
            # them, or the register may be older than the documents.
            details: dict[str, str | int | float | None] = {"what": "stored otherwise", "key": key}
            raise TenantFailureError(
                TenantFailure(tenant_id, FailureCode.DOCUMENT_MISMATCH, details)
            ) from None
        stored.append(
            StoredDocument(
                tenant_id=tenant_id,
                month=report.month,
                revision=report.revision,
                name=document.name,
                file_name=document.file_name,
                object_key=key,
                media_type=document.media_type,
                sha256=document.sha256,
                bytes=len(document.content),
            )
        )
    return stored
