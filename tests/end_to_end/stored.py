"""What a month left behind, read without the pipeline."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

from reports_pipeline.accounting.assembly import tenant_reports
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind, TenantReports
from resources.batch_files import read_batch
from resources.document_store import LocalDocumentStore


def stored_reports(home: Path, month: str) -> dict[str, TenantReports]:
    """The statements of every tenant of the month, as the statements stage stored them."""
    documents = home / "documents"
    store = LocalDocumentStore(documents, "http://127.0.0.1")
    found = {}
    for path in documents.glob(f"intermediates/{month}/*/statements-*.arrow"):
        tables = read_batch(store, str(path.relative_to(documents)))
        for reports in tenant_reports(
            Month.parse(month), tables["companies"], tables["claims"], tables["statements"]
        ):
            found[reports.company.tenant_id] = reports
    return found


def amount(reports: TenantReports, kind: StatementKind, key: str) -> int | None:
    """The reported month's amount of a line."""
    return next(line.current for line in reports.statement(kind).lines if line.key == key)


def read_mail(path: Path) -> EmailMessage:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def attachments(mail: EmailMessage) -> dict[str, bytes]:
    """The content of each attachment by its file name."""
    return {str(part.get_filename()): part.get_content() for part in mail.iter_attachments()}
