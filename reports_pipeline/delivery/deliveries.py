"""What is delivered to whom, as values; and the gate that every delivery passes before its post."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.enclosures import LARGEST_MAIL_BYTES
from reports_pipeline.delivery.states import DeliveryState, delivery_id


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person who gets one mail; a mail address names the person, not its place in a list."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class DocumentReference:
    """A stored document, and the name under which the reader gets it."""

    name: str
    file_name: str
    object_key: str
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A figure of the mail's text, formatted: `売上高`, `1,234,567円`."""

    label: str
    amount: str


@dataclass(frozen=True, slots=True)
class ChangedFigure:
    """A figure that a correction changes: `損益計算書 売上高（当月）`, `1,000`, `1,200`."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class LetterCorrection:
    """What a mail says of the newest revision that its reader has, or may have."""

    corrects: int
    revision: int
    figures: tuple[ChangedFigure, ...]  # some of those that changed
    changes: int  # how many amounts changed, in any column and month of the trend


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says beside its documents."""

    company_name: str
    language: str  # ja or en
    provisional: bool  # the month is not closed: 未締め・暫定
    figures: tuple[KeyFigure, ...]
    correction: LetterCorrection | None = None  # 訂正版
    plan: str = "standard"  # light, standard or premium
    time_zone: str = "Asia/Tokyo"  # in which the reader reads times
    note: str | None = None  # the company's own words, one line
    support_address: str | None = None  # whom its readers ask, instead of the house


@dataclass(frozen=True, slots=True)
class Delivery:
    """One revision of one tenant's month, for all its recipients.

    `numbers_hash` is the hash of what the documents show, `recipients` are in order of contact. A
    mail that would be larger than `largest_mail_bytes` links to its documents; 0: every mail does.
    """

    tenant_id: str
    month: Month
    revision: int
    numbers_hash: str
    letter: Letter
    documents: tuple[DocumentReference, ...]
    recipients: tuple[Recipient, ...]
    largest_mail_bytes: int = LARGEST_MAIL_BYTES

    @property
    def delivery_id(self) -> str:
        return delivery_id(self.tenant_id, self.month, self.revision)


@dataclass(frozen=True, slots=True)
class DeliveryMessage:
    """The mail of a delivery to one recipient, as the register has it at one version.

    `recipient_no` counts a delivery's recipients from 1. Contacts are renumbered when one leaves,
    so it is not the number of the contact.
    """

    delivery_id: str
    recipient_no: int
    recipient: Recipient
    state: DeliveryState
    version: int
    attempts: int  # posts so far
    provider_id: str | None  # once SENT
    blocked_code: FailureCode | None  # while BLOCKED
    resend_of: int | None = None  # the recipient_no of the mail that a person has sent once more
    # A person has signed its outcome off, or had it sent once more: then the copy counts.
    dealt_with: bool = False


@dataclass(frozen=True, slots=True)
class RegisteredDelivery:
    """A delivery as it was first registered, and what became of its messages."""

    tenant_id: str
    month: Month
    revision: int
    delivery_id: str
    numbers_hash: str
    letter: Letter
    documents: tuple[DocumentReference, ...]
    messages: tuple[DeliveryMessage, ...]  # by recipient_no

    def among(self, states: frozenset[DeliveryState]) -> tuple[DeliveryMessage, ...]:
        """The messages in one of `states`."""
        return tuple(message for message in self.messages if message.state in states)


@dataclass(frozen=True, slots=True)
class VerifiedDocument:
    """A document whose stored bytes are those that were built, for this tenant and month."""

    name: str
    file_name: str
    object_key: str
    media_type: str
    content: bytes


def verified_documents(
    delivery: RegisteredDelivery, load_document: Callable[[str], bytes]
) -> tuple[VerifiedDocument, ...]:
    """Read what is about to be sent, and make sure that it is this tenant's and as it was built.

    `load_document` returns the bytes stored under an object key, or raises LookupError.

    Raises:
        TenantFailureError: DOCUMENT_MISMATCH: an id, a key or a hash is another one's, or there
            is nothing to send.
    """

    def mismatch(what: str, **details: str | int) -> TenantFailureError:
        return TenantFailureError(
            TenantFailure(
                delivery.tenant_id, FailureCode.DOCUMENT_MISMATCH, {"what": what, **details}
            )
        )

    expected_id = delivery_id(delivery.tenant_id, delivery.month, delivery.revision)
    if delivery.delivery_id != expected_id:
        raise mismatch("delivery id", found=delivery.delivery_id, expected=expected_id)
    for message in delivery.messages:
        if message.delivery_id != expected_id:
            raise mismatch("recipient", recipient_no=message.recipient_no)
    if not delivery.documents:
        raise mismatch("no documents")
    folder = f"reports/{delivery.tenant_id}/{delivery.month}/r{delivery.revision}/"
    verified = []
    for document in delivery.documents:
        if document.object_key != folder + document.name:
            raise mismatch("object key", document=document.name, found=document.object_key)
        try:
            content = load_document(document.object_key)
        except LookupError:
            raise mismatch("not stored", document=document.name) from None
        found = hashlib.sha256(content).hexdigest()
        if found != document.sha256:
            raise mismatch("sha256", document=document.name, found=found, expected=document.sha256)
        verified.append(
            VerifiedDocument(
                document.name, document.file_name, document.object_key, document.media_type, content
            )
        )
    return tuple(verified)
