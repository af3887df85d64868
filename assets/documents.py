"""The third stage: statements as documents, PDFs and workbooks, stored for ever."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg

from assets.notices import warn_of_unusable
from assets.statements import stored_statements
from assets.tenant_batch import Artefact, StageResult, StageWork, for_each_tenant
from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.delivery.states import delivery_id, reference
from reports_pipeline.documents.branding import Branding, BrandingError
from reports_pipeline.documents.catalogs import LANGUAGES
from reports_pipeline.documents.document import PDF_TYPE, WORKBOOK_TYPE
from resources.brandings import Brandings
from resources.document_renderer import DocumentRenderer, Renderer
from resources.document_store import DocumentConflictError, DocumentStore
from resources.notifier import Notifier
from resources.report_register import ReportRegister, StoredDocument


def report_pdfs(
    work: StageWork,
    *,
    document_store: DocumentStore,
    report_register: ReportRegister,
    brandings: Brandings,
    document_renderer: DocumentRenderer,
    notifier: Notifier,
) -> StageResult:
    """Four per month and tenant, as PDF: 損益計算書, 貸借対照表, 経費分析, and, in one,
    キャッシュフロー概要 and キャッシュ・フロー計算書（間接法）. A plan may add copies in a second
    language.
    """
    return _documents(
        work, document_store, report_register, brandings, notifier, document_renderer.pdfs, PDF_TYPE
    )


def report_workbooks(
    work: StageWork,
    *,
    document_store: DocumentStore,
    report_register: ReportRegister,
    brandings: Brandings,
    document_renderer: DocumentRenderer,
    notifier: Notifier,
) -> StageResult:
    """Three per month and tenant: 損益計算書, 貸借対照表 and 経費精算一覧 as Excel workbooks. A
    plan may add copies in a second language.
    """
    return _documents(
        work,
        document_store,
        report_register,
        brandings,
        notifier,
        document_renderer.workbooks,
        WORKBOOK_TYPE,
    )


def documents_folder(tenant_id: str, month: Month, revision: int) -> str:
    """Where the documents of a revision are stored."""
    return f"reports/{tenant_id}/{month}/r{revision}"


def _documents(
    work: StageWork,
    document_store: DocumentStore,
    report_register: ReportRegister,
    brandings: Brandings,
    notifier: Notifier,
    render: Renderer,
    media_type: str,
) -> StageResult:
    """Render and store the documents of each tenant, unless its revision has some already.

    What is stored may have been sent, so newer code, another branding or another plan never
    replaces it. A branding that cannot be used leaves the tenant with the house's, and
    operators with a notice.
    """
    reports = reports_by_tenant(work, document_store, report_register)
    registered = report_register.documents(work.month, work.tenant_ids)
    stored = {
        tenant_id: [
            document
            for document in registered.get((tenant_id, report.revision), [])
            if document.media_type == media_type
        ]
        for tenant_id, (report, _) in reports.items()
    }
    lacking = [tenant_id for tenant_id, documents in stored.items() if not documents]
    branding_by_tenant, faults = brandings.of(lacking, work.month)
    added: list[StoredDocument] = []
    fallen_back: dict[str, BrandingError] = {}

    def make(tenant_id: str) -> Artefact:
        report, _ = reports[tenant_id]
        documents = stored[tenant_id]
        metadata: dict[str, dg.MetadataValue] = {}
        if not documents:
            documents = _store(report, branding_by_tenant[tenant_id], render, document_store)
            added.extend(documents)
            if tenant_id in faults:
                fallen_back[tenant_id] = faults[tenant_id]
                metadata["branding_fault"] = dg.MetadataValue.text(faults[tenant_id].text("ja"))
        return Artefact(
            documents_folder(tenant_id, work.month, report.revision),
            {
                "revision": dg.MetadataValue.int(report.revision),
                "branding_version": dg.MetadataValue.int(documents[0].branding_version),
                **metadata,
                **{
                    d.name: dg.MetadataValue.url(document_store.link(d.object_key))
                    for d in documents
                },
            },
        )

    result = for_each_tenant(work, make)
    result.revisions = {tenant_id: report.revision for tenant_id, (report, _) in reports.items()}
    report_register.record(added, work.run_id)
    texts = {
        tenant_id: {language: fault.text(language) for language in LANGUAGES}
        for tenant_id, fault in fallen_back.items()
    }
    warn_of_unusable(work, notifier, "branding", texts)
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
    report: TenantReports, branding: Branding, render: Renderer, document_store: DocumentStore
) -> list[StoredDocument]:
    tenant_id = report.company.tenant_id
    footer = reference(delivery_id(tenant_id, report.month, report.revision))
    folder = documents_folder(tenant_id, report.month, report.revision)
    stored = []
    for document in render(report, footer, branding):
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
                branding_version=branding.version,
            )
        )
    return stored
