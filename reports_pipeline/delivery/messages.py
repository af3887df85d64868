"""The mail that a recipient reads: headers, text, HTML and its documents as one MIME message.

All text that comes from a tenant is data here: it is escaped in HTML, checked before it enters a
header, and an address must be one address.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from babel.dates import format_datetime as format_moment

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import Letter, Recipient
from reports_pipeline.delivery.enclosures import MAX_MESSAGE_BYTES, DocumentLinks, Enclosed
from reports_pipeline.delivery.errors import BadAddressError
from reports_pipeline.delivery.mail_templates import Kind, render_text
from reports_pipeline.delivery.mime import MAIL_POLICY, Mail, written
from reports_pipeline.delivery.preferences import HOUSE_TIME_ZONE, known_time_zone
from reports_pipeline.delivery.states import delivery_id, reference
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.formats import format_day

# Text that would not be read as it is stored: control characters (line breaks end a header), lone
# surrogates and marks that reorder text.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# What mail programs decode in a header (RFC 2047): a contact named "=?utf-8?q?evil=40y?=" becomes
# the address evil@y.
_ENCODED = "=?"

# RFC 5321 without quoted local parts, comments and address literals, which no contact has.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(
    rf"(?=[^@]{{1,64}}@)(?=.{{3,254}}$){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+"
)


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Who the mails come from, where their readers turn, and the folder with variants of their
    templates, if there is one."""

    mail_from: str = "FinanceFlow <reports@financeflow.example>"
    support_address: str = "support@financeflow.example"
    preferences_url: str = "https://app.financeflow.example/settings/reports"
    templates: Path | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """Which mail this is, for the provider and for whoever reads its records."""

    tenant_id: str
    month: Month
    revision: int
    recipient_no: int
    test_id: str | None = None  # of a test: letters and digits that no other one has

    @property
    def delivery_id(self) -> str:
        """Of a test, one that the register does not know, so that nothing which the provider
        reports of it is taken for an event of the delivery."""
        if self.test_id is not None:
            return f"test-{self.test_id}"
        return delivery_id(self.tenant_id, self.month, self.revision)


def build_message(
    letter: Letter,
    enclosed: Enclosed,
    *,
    envelope: Envelope,
    recipient: Recipient,
    settings: MailSettings,
    sent_at: datetime.datetime,
    is_resend: bool = False,
    test_to: str | None = None,
) -> Mail:
    """The mail of a delivery to one recipient; `sent_at` has a time zone. `is_resend`: the reader
    may have it already, and is told so. `test_to`: the address of an operator who gets, marked as a
    test, what the recipient would.

    Raises:
        BadAddressError: the address, or the recipient's name, cannot stand in a header.
        TenantFailureError: BAD_TEXT: a text has characters that do not print;
            TEMPLATE_UNUSABLE: the template of its text is broken; TOO_LARGE: the mail exceeds
            MAX_MESSAGE_BYTES.
    """
    tenant_id = envelope.tenant_id
    links = enclosed if isinstance(enclosed, DocumentLinks) else None
    attachments = () if isinstance(enclosed, DocumentLinks) else enclosed
    documents = enclosed.links if isinstance(enclosed, DocumentLinks) else enclosed
    _check_text(tenant_id, letter, [document.file_name for document in documents])
    texts = catalog(letter.language)
    month = format_day(envelope.month.start, "mail.month", letter.language)

    message = EmailMessage(policy=MAIL_POLICY)
    message["From"] = settings.mail_from
    message["To"] = recipient_address(recipient if test_to is None else Recipient("", test_to))
    marks = [] if test_to is None else [texts.text("mail.subject.test")]
    if is_resend:
        marks.append(texts.text("mail.subject.resend"))
    if letter.correction is not None:
        revision = letter.correction.revision
        marks.append(texts.text("mail.subject.correction", revision=revision))
    if letter.provisional:
        marks.append(texts.text("mail.subject.provisional"))
    message["Subject"] = texts.text(
        "mail.subject",
        mark="".join(marks),
        month=month,
        company=letter.company_name,
    )
    message["Date"] = format_datetime(sent_at)
    # The same for every attempt, so that a mail that did arrive twice reads as one.
    domain = message["From"].addresses[0].domain
    message["Message-ID"] = f"<{envelope.delivery_id}.{envelope.recipient_no}@{domain}>"
    message["X-Report-Delivery-Id"] = envelope.delivery_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies

    # What templates may use; docs/runbook.md lists it for who writes a variant.
    content = {
        "text": texts.text,
        "letter": letter,
        "recipient": recipient,
        "month": month,
        "attachments": attachments,
        "links": () if links is None else links.links,
        "links_until": "" if links is None else _moment(links.until, letter),
        "support_address": letter.support_address or settings.support_address,
        "preferences_url": settings.preferences_url,
        # As the documents print it, also in a test.
        "reference": reference(delivery_id(tenant_id, envelope.month, envelope.revision)),
    }

    def body(kind: Kind) -> str:
        return render_text(
            kind, content, tenant_id=tenant_id, plan=letter.plan, folder=settings.templates
        )

    # Boundaries of our own make equal mails equal bytes, and spare a search of the attachments for
    # one that does not occur: no line of base64 or of our texts begins with hyphens and an id.
    message.set_content(body("txt"))
    message.make_alternative(boundary=f"{envelope.delivery_id[:32]}-text")
    message.add_alternative(body("html"), subtype="html")
    message.make_mixed(boundary=f"{envelope.delivery_id[:32]}-mail")
    mail = written(message, attachments)
    if mail.size > MAX_MESSAGE_BYTES:
        raise TenantFailureError(
            TenantFailure(
                tenant_id,
                FailureCode.TOO_LARGE,
                {"bytes": mail.size, "limit": MAX_MESSAGE_BYTES},
            )
        )
    return mail


def recipient_address(recipient: Recipient) -> Address:
    """The one address of a recipient.

    Raises:
        BadAddressError: it is none, or several, or it or the name would break the header.
    """
    if not is_mail_address(recipient.email):
        raise BadAddressError(f"not one mail address: {recipient.email!r}")
    if fault := header_fault(recipient.name):
        raise BadAddressError(f"not a name for a mail, because of {fault}: {recipient.name!r}")
    try:
        return Address(display_name=recipient.name, addr_spec=recipient.email)
    except (MessageError, ValueError) as error:
        raise BadAddressError(f"not one mail address: {recipient.email!r}: {error}") from error


def is_mail_address(text: str) -> bool:
    """Whether a text is one mail address, without a name."""
    return _ADDRESS.fullmatch(text) is not None and header_fault(text) is None


def text_fault(text: str) -> str | None:
    """What keeps a line of text from being read as it is stored: `U+202E`; None: nothing."""
    found = _UNPRINTABLE.search(text)
    return None if found is None else f"U+{ord(found.group()):04X}"


def header_fault(text: str) -> str | None:
    """What keeps a text from being read as it is stored where it stands in a header."""
    if _ENCODED in text:
        return f'"{_ENCODED}", from which on mail programs decode it'
    return text_fault(text)


def _check_text(tenant_id: str, letter: Letter, file_names: Sequence[str]) -> None:
    headers = [letter.company_name, *file_names]
    texts = [letter.note or "", letter.support_address or ""]
    texts += [text for figure in letter.figures for text in (figure.label, figure.amount)]
    if letter.correction is not None:
        for change in letter.correction.figures:
            texts += [change.label, change.before, change.after]
    faults = [(text, header_fault(text)) for text in headers]
    faults += [(text, text_fault(text)) for text in texts]
    for text, fault in faults:
        if fault is not None:
            raise TenantFailureError(
                TenantFailure(
                    tenant_id, FailureCode.BAD_TEXT, {"text": ascii(text), "because_of": fault}
                )
            )


def _moment(moment: datetime.datetime, letter: Letter) -> str:
    """Day, time and time zone as the reader writes them."""
    try:
        zone = known_time_zone(letter.time_zone)
    except LookupError:
        zone = known_time_zone(HOUSE_TIME_ZONE)
    pattern = catalog(letter.language).text("mail.moment")
    return format_moment(moment.astimezone(zone), pattern, locale=letter.language)
