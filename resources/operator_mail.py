"""A test-send: a delivery's mail to an operator, outside the register."""

from __future__ import annotations

import datetime
import secrets

from reports_pipeline.delivery.deliveries import (
    Delivery,
    Recipient,
    RegisteredDelivery,
    verified_documents,
)
from reports_pipeline.delivery.enclosures import Enclosed, build_within
from reports_pipeline.delivery.errors import DecisionError
from reports_pipeline.delivery.messages import Envelope, MailSettings, build_message
from reports_pipeline.delivery.mime import Mail
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_register import DeliveryRegister
from resources.document_store import DocumentStore
from resources.mailer import Mailer

_NOBODY = Recipient("", "")  # to greet


def send_test(
    delivery: Delivery,
    address: str,
    *,
    reason: str,
    register: DeliveryRegister,
    decisions: DeliveryDecisions,
    mailer: Mailer,
    document_store: DocumentStore,
    settings: MailSettings,
    now: datetime.datetime,
) -> str:
    """Post what the delivery's first recipient would get to another address, marked as a test, and
    return the mailer's id of it.

    No state changes. That it was asked for is on record before the mail goes out, so that no mail
    with a company's figures is without its record; a post that fails leaves the record.

    Raises:
        BadAddressError: it is not one address.
        DecisionError: it is suppressed.
        TenantFailureError: the mail must not go out to the company either.
        PostError: the mailer did not take it, or did not say.
    """
    if register.suppressed([address]):
        raise DecisionError(
            f"mails to {address} came back for good, or were complained about; if that is mended: "
            f"reports deliveries unsuppress {address} --reason …"
        )
    recipient = delivery.recipients[0] if delivery.recipients else _NOBODY
    envelope = Envelope(
        delivery.tenant_id,
        delivery.month,
        delivery.revision,
        recipient_no=1,
        test_id=secrets.token_hex(8),
    )

    def build(enclosed: Enclosed) -> list[Mail]:
        return [
            build_message(
                delivery.letter,
                enclosed,
                envelope=envelope,
                recipient=recipient,
                settings=settings,
                sent_at=now,
                test_to=address,
            )
        ]

    [mail] = build_within(
        delivery.largest_mail_bytes,
        verified_documents(_as_registered(delivery), document_store.get),
        build,
        share=document_store.share,
        sent_at=now,
    )
    decisions.note_test_send(delivery, address, reason)
    mailer.wait_for_turn()
    return mailer.post(mail, envelope=envelope)


def _as_registered(delivery: Delivery) -> RegisteredDelivery:
    """Without messages, since the register has none of a test."""
    return RegisteredDelivery(
        delivery.tenant_id,
        delivery.month,
        delivery.revision,
        delivery.delivery_id,
        delivery.numbers_hash,
        delivery.letter,
        delivery.documents,
        messages=(),
    )
