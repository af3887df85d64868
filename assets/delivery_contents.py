"""What goes to a tenant's contacts: letter, documents and recipients of a revision."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from assets.documents import reports_by_tenant
from assets.statements import stored_statements
from assets.tenant_batch import StageWork
from reports_pipeline.accounting.corrections import line_changes, most_telling
from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.periods import Month
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
from reports_pipeline.delivery.enclosures import LARGEST_MAIL_BYTES
from reports_pipeline.delivery.preferences import (
    DEFAULT_PREFERENCES,
    Attachments,
    DeliveryPreferences,
)
from reports_pipeline.delivery.states import MAYBE_SENT, DeliveryState
from reports_pipeline.documents.catalogs import catalog, failure_text
from reports_pipeline.documents.changes import change_text
from reports_pipeline.documents.content.layouts import INCOME_STATEMENT, statement_report
from reports_pipeline.documents.document import PDF_NAMES, WORKBOOK_NAMES
from reports_pipeline.documents.formats import currency_name, format_amount
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.delivery_register import DeliveryRegister
from resources.document_store import DocumentStore
from resources.report_register import ReportRegister, StoredDocument
from resources.stage_outcomes import StageOutcomes
from resources.tenants import Contact, ContactPurpose, Tenants

_STAGES_BEFORE = ("ledger_extracts", "statements", "report_pdfs", "report_workbooks")
# In a mail; the documents have them all.
_MOST_CHANGES = 10
# A post that is under way may still come to nothing; until that is known, nothing goes out.
_RECEIVED = MAYBE_SENT - {DeliveryState.POSTING}


class NoReportsError(LookupError):
    """Nothing was made of a tenant's month yet."""


@dataclass(frozen=True)
class DeliverySources:
    """Where the contents of deliveries are looked up."""

    document_store: DocumentStore
    report_register: ReportRegister
    delivery_register: DeliveryRegister
    tenants: Tenants
    preferences: DeliveryPreferencesStore


class DeliveryContents:
    """The deliveries of some tenants' month; what they need is looked up for all at once."""

    def __init__(self, sources: DeliverySources, work: StageWork) -> None:
        """`work` names the files of the statements stage. `preferences` are those that hold, by
        tenant; a tenant without any is missing."""
        self._sources = sources
        self._reports = reports_by_tenant(work, sources.document_store, sources.report_register)
        self._documents = sources.report_register.documents(work.month, work.tenant_ids)
        self._contacts = sources.tenants.contacts(work.tenant_ids)
        self.preferences = sources.preferences.newest(work.tenant_ids)

    def revisions(self) -> dict[str, int]:
        """Those of the figures which the statements stage left."""
        return {tenant_id: report.revision for tenant_id, (report, _) in self._reports.items()}

    def delivery(self, tenant_id: str) -> Delivery:
        """As it is to be registered now.

        Raises:
            TenantFailureError: DOCUMENT_MISMATCH: a document is not stored.
        """
        report, numbers_hash = self._reports[tenant_id]
        newest = self.preferences.get(tenant_id)
        received = self._received(report)
        return _delivery(
            report,
            numbers_hash,
            self._correction(report, max(received, default=None)),
            self._documents.get((tenant_id, report.revision), []),
            _recipients(self._contacts.get(tenant_id, []), set().union(*received.values())),
            newest.preferences if newest else DEFAULT_PREFERENCES,
        )

    def _received(self, report: TenantReports) -> dict[int, set[str]]:
        """The earlier revisions that readers have, or may have, in their mail, each with their
        addresses; readers who have none get an ordinary mail, whatever the documents correct.

        Asked at each attempt: what was under way at the one before may have arrived since.
        """
        # What was mailed before a revision got its number is corrected by its documents, and what
        # was mailed later keeps it from being sent.
        if report.corrects is None:
            return {}
        tenant_id = report.company.tenant_id
        found = self._sources.delivery_register.read(report.month, [tenant_id])
        received = {
            delivery.revision: {m.recipient.email.lower() for m in delivery.among(_RECEIVED)}
            for delivery in found.get(tenant_id, ())
            if delivery.revision < report.revision
        }
        return {revision: addresses for revision, addresses in received.items() if addresses}

    def _correction(self, report: TenantReports, received: int | None) -> LetterCorrection | None:
        if received is None:
            return None
        changes = _changes_since(
            received, report, self._sources.document_store, self._sources.report_register
        )
        return _correction(received, report, changes)


def newest_delivery(
    sources: DeliverySources, stage_outcomes: StageOutcomes, month: Month, tenant_id: str
) -> Delivery:
    """The newest revision as it is registered, or, if it is not yet, as it would be. Contacts and
    preferences are today's.

    Raises:
        NoReportsError: there is none, or a stage failed to make its documents; which, and why.
        TenantFailureError: DOCUMENT_MISMATCH: a document is not stored.
    """
    registered = sources.delivery_register.read(month, [tenant_id]).get(tenant_id, ())
    outcome = stage_outcomes.read("statements", month, [tenant_id]).get(tenant_id)
    if outcome is not None and outcome.artefact is not None:
        inputs = {"statements": {tenant_id: outcome.artefact}}
        work = StageWork(month, [tenant_id], outcome.run_id, inputs, logging.getLogger(__name__))
        contents = DeliveryContents(sources, work)
        if not registered or contents.revisions()[tenant_id] > registered[-1].revision:
            try:
                return contents.delivery(tenant_id)
            except TenantFailureError as error:
                failed = _failed_stage(stage_outcomes, month, tenant_id)
                if failed is None:
                    raise
                raise NoReportsError(f"{tenant_id} {month}: {failed}") from error
    if not registered:
        failed = _failed_stage(stage_outcomes, month, tenant_id)
        raise NoReportsError(f"{tenant_id} {month}: {failed or 'there are no reports'}")
    newest = registered[-1]
    preferences = sources.preferences.current([tenant_id]).get(tenant_id, DEFAULT_PREFERENCES)
    letter = newest.letter
    if not newest.among(MAYBE_SENT):  # as the register will have it
        letter = replace(letter, note=preferences.note, support_address=preferences.support_address)
    return Delivery(
        tenant_id=tenant_id,
        month=month,
        revision=newest.revision,
        numbers_hash=newest.numbers_hash,
        letter=letter,
        documents=newest.documents,
        recipients=_recipients(sources.tenants.contacts([tenant_id]).get(tenant_id, [])),
        largest_mail_bytes=_largest_mail_bytes(preferences),
    )


def _failed_stage(stage_outcomes: StageOutcomes, month: Month, tenant_id: str) -> str | None:
    """The first of the stages before this one that failed, with its code and what it means."""
    for stage in _STAGES_BEFORE:
        outcome = stage_outcomes.read(stage, month, [tenant_id]).get(tenant_id)
        if outcome is not None and outcome.failure_code is not None:
            failure = TenantFailure(
                tenant_id, FailureCode(outcome.failure_code), outcome.failure_details or {}
            )
            return f"{stage} failed: {failure.code}: {failure_text(failure, 'en')}"
    return None


def _delivery(
    report: TenantReports,
    numbers_hash: str,
    correction: LetterCorrection | None,
    documents: Sequence[StoredDocument],
    recipients: tuple[Recipient, ...],
    preferences: DeliveryPreferences,
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
            plan=company.plan,
            time_zone=company.time_zone,
            note=preferences.note,
            support_address=preferences.support_address,
        ),
        documents=tuple(
            DocumentReference(d.name, d.file_name, d.object_key, d.sha256, d.media_type)
            for d in sorted(documents, key=lambda document: _place(document, names))
        ),
        recipients=recipients,
        largest_mail_bytes=_largest_mail_bytes(preferences),
    )


def _recipients(
    contacts: Sequence[Contact], readers: Collection[str] = ()
) -> tuple[Recipient, ...]:
    """Who gets reports, and whoever else is among the readers of what is corrected: a person had a
    mail sent once more to an alternative contact, say. `readers` are addresses in small letters."""
    return tuple(
        Recipient(contact.name, contact.email)
        for contact in contacts
        if contact.purpose is ContactPurpose.REPORTS or contact.email.lower() in readers
    )


def _largest_mail_bytes(preferences: DeliveryPreferences) -> int:
    if preferences.attachments is Attachments.LINKED:
        return 0
    return preferences.largest_mail_bytes or LARGEST_MAIL_BYTES


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
