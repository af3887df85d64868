"""The last stage: one mail to every contact of a tenant, at most once."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import dagster as dg

from assets.documents import reports_by_tenant
from assets.statements import stored_statements
from assets.tenant_batch import Artefact, StageResult, StageWork, for_each_tenant
from reports_pipeline.accounting.corrections import line_changes, most_telling
from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.reports import LineChange, TenantReports
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
from reports_pipeline.delivery.states import MAYBE_SENT, SENT, DeliveryState, reference
from reports_pipeline.documents.bundle import PDF_NAMES, WORKBOOK_NAMES
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.changes import change_text
from reports_pipeline.documents.content.layouts import INCOME_STATEMENT, statement_report
from reports_pipeline.documents.formats import currency_name, format_amount
from resources.delivery_register import DeliveryRegister
from resources.dispatch import deliver
from resources.document_store import DocumentStore
from resources.mailer import Mailer
from resources.report_register import ReportRegister, StoredDocument
from resources.tenants import Contact, Tenants

# In a mail; the documents have them all.
_MOST_CHANGES = 10
# A post that is under way may still come to nothing; until that is known, nothing goes out.
_RECEIVED = MAYBE_SENT - {DeliveryState.POSTING}


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
        report, numbers_hash = reports[tenant_id]
        correction = None
        received = _received(report, delivery_register)
        if received is not None:
            changes = _changes_since(received, report, document_store, report_register)
            correction = _correction(received, report, changes)
        delivery = _delivery(
            report,
            numbers_hash,
            correction,
            documents.get((tenant_id, report.revision), []),
            contacts.get(tenant_id, []),
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
    report: TenantReports,
    numbers_hash: str,
    correction: LetterCorrection | None,
    documents: list[StoredDocument],
    contacts: list[Contact],
) -> Delivery:
    company = report.company
    # A plan may add copies in a second language; they follow.
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
        numbers_hash=numbers_hash,
        letter=Letter(
            company_name=company.name,
            language=company.language,
            provisional=not company.closed,
            figures=_figures(report),
            correction=correction,
        ),
        documents=tuple(
            DocumentReference(d.name, d.file_name, d.object_key, d.sha256, d.media_type)
            for d in sorted(documents, key=lambda document: _place(document, names))
        ),
        recipients=tuple(Recipient(contact.name, contact.email) for contact in contacts),
    )


def _place(document: StoredDocument, names: Sequence[str]) -> tuple[int, str]:
    """Where a document stands among the attachments: by these names, the others by their own."""
    name = document.name
    return names.index(name) if name in names else len(names), name


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


def _received(report: TenantReports, delivery_register: DeliveryRegister) -> int | None:
    """The newest earlier revision that the readers have, or may have, in their mail; readers who
    have none get an ordinary mail, whatever the documents correct.

    Asked at each attempt: what was under way at the one before may have arrived since.
    """
    # What was mailed before a revision got its number is corrected by its documents, and what was
    # mailed later keeps it from being sent.
    if report.corrects is None:
        return None
    tenant_id = report.company.tenant_id
    sent = [
        delivery.revision
        for delivery in delivery_register.read(report.month, [tenant_id]).get(tenant_id, ())
        if delivery.revision < report.revision and delivery.among(_RECEIVED)
    ]
    return max(sent, default=None)


def _changes_since(
    received: int,
    report: TenantReports,
    document_store: DocumentStore,
    report_register: ReportRegister,
) -> tuple[LineChange, ...]:
    """What a reader of an earlier revision finds changed. The one that the documents correct may be
    a later one, which nobody was sent."""
    if received == report.corrects and report.changes is not None:
        return report.changes
    keys = report_register.statements_keys(report.month, {report.company.tenant_id: received})
    [(before, _)] = stored_statements(document_store, report.month, keys)
    return line_changes(before, report)


def _correction(
    received: int, report: TenantReports, changes: Sequence[LineChange]
) -> LetterCorrection:
    """What the mail says of these changes: the month's own figures before its comparisons."""
    company = report.company
    figures = []
    for change in most_telling(changes)[:_MOST_CHANGES]:
        text = change_text(change, language=company.language, currency=company.currency)
        place = catalog(company.language).text(
            "change.place" if text.column else "change.fact",
            report=text.report,
            label=text.label,
            column=text.column,
        )
        figures.append(ChangedFigure(place, text.before, text.after))
    amounts = [change for change in changes if int in (type(change.before), type(change.after))]
    return LetterCorrection(received, report.revision, tuple(figures), len(amounts))
