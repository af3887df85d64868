"""The last stage: one mail to every contact of a tenant, at most once."""

from __future__ import annotations

import datetime

import dagster as dg

from assets.documents import reports_by_tenant
from assets.tenant_batch import Artefact, StageResult, StageWork, for_each_tenant
from reports_pipeline.accounting.assembly import numbers_hash
from reports_pipeline.accounting.corrections import most_telling
from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.delivery.deliveries import (
    ChangedFigure,
    Delivery,
    DocumentReference,
    KeyFigure,
    Letter,
    LetterCorrection,
    Recipient,
)
from reports_pipeline.delivery.messages import MailSettings
from reports_pipeline.delivery.states import SENT, reference
from reports_pipeline.documents.bundle import PDF_NAMES, WORKBOOK_NAMES
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.changes import change_text
from reports_pipeline.documents.formats import currency_name, format_amount
from reports_pipeline.documents.layouts import INCOME_STATEMENT, statement_report
from resources.delivery_register import DeliveryRegister
from resources.dispatch import deliver
from resources.document_store import DocumentStore
from resources.mailer import Mailer
from resources.report_register import ReportRegister, StoredDocument
from resources.tenants import Contact, Tenants

# In a mail; the documents have them all.
_MOST_CHANGES = 10


def report_deliveries(
    work: StageWork,
    *,
    document_store: DocumentStore,
    report_register: ReportRegister,
    delivery_register: DeliveryRegister,
    tenants: Tenants,
    mailer: Mailer,
    mail_settings: MailSettings,
) -> StageResult:
    """One per month and tenant: a mail with all documents to each contact, sent at most once.

    A tenant whose mail has gone out already is done; one without a contact fails here, and is
    resumed without a rebuild once it has one.
    """
    reports = reports_by_tenant(work, document_store, report_register)
    documents = report_register.documents(work.month, work.tenant_ids)
    contacts = tenants.contacts(work.tenant_ids)
    now = datetime.datetime.now(datetime.UTC)

    def make(tenant_id: str) -> Artefact:
        report = reports[tenant_id]
        delivery = _delivery(
            report, documents.get((tenant_id, report.revision), []), contacts.get(tenant_id, [])
        )
        registered = deliver(
            delivery_register,
            mailer,
            document_store.get,
            delivery,
            settings=mail_settings,
            now=now,
        )
        return Artefact(
            registered.delivery_id,
            {
                "reference": dg.MetadataValue.text(reference(registered.delivery_id)),
                "mails": dg.MetadataValue.int(len(registered.among(SENT))),
                # by number: an address is personal data, which the register keeps
                "recipients": dg.MetadataValue.json(
                    {str(m.recipient_no): m.state.value for m in registered.messages}
                ),
            },
        )

    return for_each_tenant(work, make)


def _delivery(
    report: TenantReports, documents: list[StoredDocument], contacts: list[Contact]
) -> Delivery:
    company = report.company
    names = [*PDF_NAMES, *WORKBOOK_NAMES]
    lacking = set(names) - {document.name for document in documents}
    if lacking:
        raise TenantFailureError(
            TenantFailure(
                company.tenant_id,
                FailureCode.DOCUMENT_MISMATCH,
                {"what": "not stored", "document": ", ".join(sorted(lacking))},
            )
        )
    return Delivery(
        tenant_id=company.tenant_id,
        month=report.month,
        revision=report.revision,
        numbers_hash=numbers_hash(report),
        letter=Letter(
            company_name=company.name,
            language=company.language,
            provisional=not company.closed,
            figures=_figures(report),
            correction=_correction(report),
        ),
        documents=tuple(
            DocumentReference(d.name, d.file_name, d.object_key, d.sha256, d.media_type)
            for d in sorted(documents, key=lambda document: names.index(document.name))
        ),
        recipients=tuple(Recipient(contact.name, contact.email) for contact in contacts),
    )


def _figures(report: TenantReports) -> tuple[KeyFigure, ...]:
    """The figures at the head of the income statement."""
    company = report.company
    exponent = minor_unit_exponent(company.currency)
    name = currency_name(company.currency, company.language)
    return tuple(
        KeyFigure(
            highlight.label,
            catalog(company.language).text(
                "mail.amount",
                amount=format_amount(highlight.value, exponent),
                name=name,
                code=company.currency,
            ),
        )
        for highlight in statement_report(INCOME_STATEMENT, report).highlights
        if isinstance(highlight.value, int)
    )


def _correction(report: TenantReports) -> LetterCorrection | None:
    """What the documents change, if they correct an earlier revision: the month's own figures
    before its comparisons."""
    if report.corrects is None:
        return None
    company = report.company
    figures = []
    for change in most_telling(report.changes)[:_MOST_CHANGES]:
        text = change_text(change, language=company.language, currency=company.currency)
        place = catalog(company.language).text(
            "change.place" if text.column else "change.fact",
            report=text.report,
            label=text.label,
            column=text.column,
        )
        figures.append(ChangedFigure(place, text.before, text.after))
    return LetterCorrection(report.corrects, report.revision, tuple(figures), len(report.changes))
