"""The mail that a recipient reads: headers, text, HTML and attachments as one MIME message.

All text that comes from a tenant is data here: it is escaped in HTML, checked before it enters a
header, and an address must be one address.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from typing import Protocol

import jinja2

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import Letter, Recipient
from reports_pipeline.delivery.errors import BadAddressError
from reports_pipeline.delivery.states import delivery_id, reference
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.formats import format_day

# Of the whole message as it travels, attachments in base64: the limit of Amazon SES.
MAX_MESSAGE_BYTES = 40 * 1024 * 1024

# Text that would not be read as it is stored: control characters (line breaks end a header), lone
# surrogates, marks that reorder text, and what a mail program decodes (RFC 2047: a contact named
# "=?utf-8?q?evil=40y?=" becomes the address evil@y).
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]|=\?"
)

# RFC 5321 without quoted local parts, comments and address literals, which no contact has.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(
    rf"(?=[^@]{{1,64}}@)(?=.{{3,254}}$){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+"
)


class _OneLineHeader(UnstructuredHeader, BaseHeader):
    """An id that is never folded: folding would leave nothing on its header's first line."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("X-Report-Delivery-Id", _OneLineHeader)
# Relays exist that break bytes of 8 bits.
_POLICY = SMTP.clone(cte_type="7bit", header_factory=_HEADERS)


class Attachment(Protocol):
    """What a mail needs to know of a document."""

    @property
    def file_name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def content(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Who the mails come from, and where their readers turn."""

    mail_from: str = "FinanceFlow <reports@financeflow.example>"
    support_address: str = "support@financeflow.example"
    preferences_url: str = "https://app.financeflow.example/settings/reports"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Which mail this is, for the provider and for whoever reads its records."""

    tenant_id: str
    month: Month
    revision: int
    recipient_no: int

    @property
    def delivery_id(self) -> str:
        return delivery_id(self.tenant_id, self.month, self.revision)


def build_message(
    letter: Letter,
    attachments: Sequence[Attachment],
    *,
    envelope: Envelope,
    recipient: Recipient,
    settings: MailSettings,
    sent_at: datetime.datetime,
    is_resend: bool = False,
) -> EmailMessage:
    """The mail of a delivery to one recipient; `sent_at` has a time zone. `is_resend`: the reader
    may have it already, and is told so.

    Raises:
        BadAddressError: the recipient's address or name cannot stand in a header.
        TenantFailureError: BAD_TEXT: a text has characters that do not print;
            TOO_LARGE: the mail exceeds MAX_MESSAGE_BYTES.
    """
    _check_text(envelope.tenant_id, letter, attachments)
    _check_size(envelope.tenant_id, attachments)
    texts = catalog(letter.language)
    month = format_day(envelope.month.start, "mail.month", letter.language)

    message = EmailMessage(policy=_POLICY)
    message["From"] = settings.mail_from
    message["To"] = recipient_address(recipient)
    marks = [texts.text("mail.subject.resend")] if is_resend else []
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

    content = {
        "text": texts.text,
        "letter": letter,
        "recipient": recipient,
        "attachments": attachments,
        "month": month,
        "settings": settings,
        "reference": reference(envelope.delivery_id),
    }
    # Boundaries of our own make equal mails equal bytes, and spare a search of the attachments for
    # one that does not occur: no line of base64 or of our texts begins with hyphens and an id.
    message.set_content(_template("monthly_reports.txt").render(content))
    message.make_alternative(boundary=f"{envelope.delivery_id[:32]}-text")
    message.add_alternative(_template("monthly_reports.html").render(content), subtype="html")
    message.make_mixed(boundary=f"{envelope.delivery_id[:32]}-mail")
    for attachment in attachments:
        maintype, subtype = attachment.media_type.split("/")
        message.add_attachment(
            attachment.content, maintype=maintype, subtype=subtype, filename=attachment.file_name
        )
    return message


def recipient_address(recipient: Recipient) -> Address:
    """The one address of a recipient.

    Raises:
        BadAddressError: it is none, or several, or it or the name would break the header.
    """
    if _ADDRESS.fullmatch(recipient.email) is None:
        raise BadAddressError(f"not one mail address: {recipient.email!r}")
    if _UNPRINTABLE.search(recipient.name):
        raise BadAddressError(f"not a name for a mail: {recipient.name!r}")
    return Address(display_name=recipient.name, addr_spec=recipient.email)


def _check_text(tenant_id: str, letter: Letter, attachments: Sequence[Attachment]) -> None:
    texts = [letter.company_name, *(attachment.file_name for attachment in attachments)]
    texts += [text for figure in letter.figures for text in (figure.label, figure.amount)]
    if letter.correction is not None:
        for change in letter.correction.figures:
            texts += [change.label, change.before, change.after]
    for text in texts:
        if _UNPRINTABLE.search(text):
            raise TenantFailureError(
                TenantFailure(tenant_id, FailureCode.BAD_TEXT, {"text": ascii(text)})
            )


def _check_size(tenant_id: str, attachments: Sequence[Attachment]) -> None:
    # Base64 in lines of 76 characters and a line end for 57 bytes.
    size = sum(-(-len(attachment.content) // 57) * 78 for attachment in attachments)
    if size > MAX_MESSAGE_BYTES:
        raise TenantFailureError(
            TenantFailure(
                tenant_id, FailureCode.TOO_LARGE, {"bytes": size, "limit": MAX_MESSAGE_BYTES}
            )
        )


@functools.cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports_pipeline.delivery"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
