"""The one way a delivery goes out: gate, claim, post, outcome."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.delivery.deliveries import (
    Delivery,
    DeliveryMessage,
    RegisteredDelivery,
    VerifiedDocument,
    verified_documents,
)
from reports_pipeline.delivery.enclosures import Enclosed, ShareDocument, build_within
from reports_pipeline.delivery.errors import (
    BadAddressError,
    CorrectionPendingError,
    DefiniteRejectionError,
    DeliveryHeldError,
    LostClaimError,
    MailRefusedError,
    ThrottledError,
    UnclearOutcomeError,
)
from reports_pipeline.delivery.messages import (
    Envelope,
    MailSettings,
    build_message,
    recipient_address,
)
from reports_pipeline.delivery.mime import Mail
from reports_pipeline.delivery.states import HELD, SENT, WAITING, DeliveryState
from resources.delivery_records import with_moved
from resources.delivery_register import DeliveryRegister
from resources.departures import Departure
from resources.mailer import Mailer

_REFUSALS = (
    FailureCode.ADDRESS_REFUSED,
    FailureCode.ADDRESS_SUPPRESSED,
    FailureCode.MAIL_REFUSED,
)


@dataclass(frozen=True, slots=True)
class _MailWriter:
    """Writes the mails of one delivery."""

    settings: MailSettings
    now: datetime.datetime
    share_document: ShareDocument | None
    largest_mail_bytes: int

    def mails(
        self,
        registered: RegisteredDelivery,
        messages: Sequence[DeliveryMessage],
        documents: Sequence[VerifiedDocument],
    ) -> dict[int, Mail]:
        """By recipient_no; all with their documents, or all with links."""

        def build(enclosed: Enclosed) -> list[Mail]:
            return [
                build_message(
                    registered.letter,
                    enclosed,
                    envelope=_envelope(registered, message),
                    recipient=message.recipient,
                    settings=self.settings,
                    sent_at=self.now,
                    is_resend=message.resend_of is not None,
                )
                for message in messages
            ]

        mails = build_within(
            self.largest_mail_bytes,
            documents,
            build,
            share=self.share_document,
            sent_at=self.now,
        )
        numbers = [message.recipient_no for message in messages]
        return dict(zip(numbers, mails, strict=True))


def deliver(
    register: DeliveryRegister,
    mailer: Mailer,
    load_document: Callable[[str], bytes],
    delivery: Delivery,
    *,
    settings: MailSettings,
    now: datetime.datetime,
    departure: Departure | None = None,
    share_document: ShareDocument | None = None,
) -> RegisteredDelivery:
    """Send what has not gone out of a delivery, and return what the register then holds.

    What may not go yet by its `departure` (None: it may) is registered, verified and made READY all
    the same, so that what is wrong with it is found now. It is returned among those WAITING, and a
    later call sends it.

    May be called any number of times, by any number of processes: a mail is posted at most once,
    and a later call returns, or raises, what the first one did. `load_document` returns the bytes
    under an object key or raises LookupError; `now`, with its time zone, is the time on the clock,
    and the date of the mails.
    Without `share_document` every mail carries its documents, however large they are.

    With some recipients blocked and the others served, the delivery counts as sent:
    `among(frozenset({DeliveryState.BLOCKED}))` names them. Not so if what is blocked is a mail that
    a person has sent once more.

    Raises:
        TenantFailureError: for a person to mend. NO_RECIPIENT: nobody to send to;
            ADDRESS_REFUSED, ADDRESS_SUPPRESSED: nobody who can be mailed; MAIL_REFUSED,
            DOCUMENT_MISMATCH, BAD_TEXT, TEMPLATE_UNUSABLE, TOO_LARGE: the mail must not go out;
            CORRECTION_PENDING: an earlier revision went out, or may have; DELIVERY_UNKNOWN: a mail
            may or may not have gone out; DELIVERY_HELD: a person holds the tenant's mails.
        ThrottledError: the provider wants fewer mails; call again later.
        LostClaimError: another process is at it, or died at it; call again later.
        RevisionConflictError: the revision was registered with other numbers, or is outdated.
    """
    try:
        registered = register.register(delivery)
        writer = _MailWriter(settings, now, share_document, delivery.largest_mail_bytes)
        may_go = departure is None or departure.may_go(now)
        sent = _send(register, mailer, load_document, registered, writer, may_go)
    except CorrectionPendingError as error:
        raise _failure(
            delivery.tenant_id,
            FailureCode.CORRECTION_PENDING,
            revision=delivery.revision,
            earlier_revision=error.earlier_revision,
        ) from error
    except DeliveryHeldError as error:
        raise _failure(delivery.tenant_id, FailureCode.DELIVERY_HELD, reason=str(error)) from error
    return _concluded(with_moved(registered, sent))


def _send(
    register: DeliveryRegister,
    mailer: Mailer,
    load_document: Callable[[str], bytes],
    registered: RegisteredDelivery,
    writer: _MailWriter,
    may_go: bool,
) -> list[DeliveryMessage]:
    """Every message that was waiting, as it is afterwards."""
    moved: list[DeliveryMessage] = []
    waiting: list[DeliveryMessage] = []
    for message in registered.among(WAITING):
        try:
            recipient_address(message.recipient)
        except BadAddressError as error:
            moved += register.block([message], FailureCode.ADDRESS_REFUSED, str(error))
        else:
            waiting.append(message)
    if not waiting:
        return moved

    try:
        documents = verified_documents(registered, load_document)
        mails = writer.mails(registered, waiting, documents)
    except TenantFailureError as error:
        register.block(waiting, error.failure.code, str(error))
        raise

    ready = _make_ready(register, waiting)
    if not may_go:
        return moved + ready
    throttled: ThrottledError | None = None
    for message in ready:
        mail = mails[message.recipient_no]
        try:
            moved.append(_post(register, mailer, message, mail, _envelope(registered, message)))
        except ThrottledError as error:
            # One reader's full mailbox is not to keep the others waiting.
            throttled = throttled or error
    if throttled is not None:
        raise throttled
    return moved


def _make_ready(
    register: DeliveryRegister, waiting: Sequence[DeliveryMessage]
) -> list[DeliveryMessage]:
    def among(state: DeliveryState) -> list[DeliveryMessage]:
        return [message for message in waiting if message.state is state]

    verified = register.verify(among(DeliveryState.BUILT)) + among(DeliveryState.VERIFIED)
    return register.release(verified) + among(DeliveryState.READY)


def _post(
    register: DeliveryRegister,
    mailer: Mailer,
    message: DeliveryMessage,
    mail: Mail,
    envelope: Envelope,
) -> DeliveryMessage:
    mailer.wait_for_turn()  # before the lease begins to run
    posting = register.begin_posting(register.claim(message))
    try:
        provider_id = mailer.post(mail, envelope=envelope)
    except MailRefusedError as error:
        return register.block([posting], FailureCode.MAIL_REFUSED, str(error))[0]
    except DefiniteRejectionError as error:
        return register.block([posting], FailureCode.ADDRESS_REFUSED, str(error))[0]
    except ThrottledError as error:
        register.postpone(posting, str(error))
        raise
    except UnclearOutcomeError as error:
        return register.mark_unknown(posting, str(error))
    except Exception as error:
        # Whatever broke, it broke around the post. Its text may hold anything, a password too.
        register.mark_unknown(posting, type(error).__name__)
        raise
    return register.accept(posting, provider_id)


def _envelope(registered: RegisteredDelivery, message: DeliveryMessage) -> Envelope:
    return Envelope(
        registered.tenant_id, registered.month, registered.revision, message.recipient_no
    )


def _concluded(registered: RegisteredDelivery) -> RegisteredDelivery:
    held = registered.among(HELD)
    if held:
        raise LostClaimError(f"{registered.tenant_id}: {held[0].state} by another process")
    unknown = [
        message
        for message in registered.among(frozenset({DeliveryState.UNKNOWN}))
        if not message.dealt_with
    ]
    if unknown:
        raise _failure(
            registered.tenant_id,
            FailureCode.DELIVERY_UNKNOWN,
            delivery_id=registered.delivery_id,
            recipient_nos=_numbers(unknown),
        )
    blocked = registered.among(frozenset({DeliveryState.BLOCKED}))
    if registered.among(SENT | WAITING) or any(m.dealt_with for m in registered.messages):
        # What a person has sent once more is to arrive, whatever became of the mail it repeats.
        blocked = tuple(message for message in blocked if message.resend_of is not None)
        if not blocked:
            return registered
    for code in _REFUSALS:
        if refused := [m for m in blocked if m.blocked_code is code]:
            raise _failure(registered.tenant_id, code, recipient_nos=_numbers(refused))
    raise _failure(registered.tenant_id, FailureCode.NO_RECIPIENT)


def _numbers(messages: Sequence[DeliveryMessage]) -> str:
    return ", ".join(str(message.recipient_no) for message in messages)


def _failure(
    tenant_id: str, code: FailureCode, **details: str | int | float | None
) -> TenantFailureError:
    return TenantFailureError(TenantFailure(tenant_id, code, details))
