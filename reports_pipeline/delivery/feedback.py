"""What a mail provider reports about a mail after it took it.

Events arrive late, twice and in any order; what each does to a message is a question of states
alone, so that applying them again, or another way round, ends the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reports_pipeline.delivery.replies import kept_reply
from reports_pipeline.delivery.states import WAITING, DeliveryState


class FeedbackKind(StrEnum):
    """As Amazon SES names the types of its events."""

    SEND = "Send"  # the provider has taken it
    DELIVERY = "Delivery"  # the reader's server has taken it
    BOUNCE = "Bounce"
    COMPLAINT = "Complaint"
    REJECT = "Reject"  # taken, and then not sent: a virus was found
    OTHER = "other"  # delays and whatever else says nothing final


class FeedbackError(ValueError):
    """A message of the queue is no event of a mail of ours; the text says why."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """An event of one mail."""

    kind: FeedbackKind
    tenant_id: str
    month: str  # 2026-10
    delivery_id: str
    recipient_no: int
    provider_id: str
    reason: str  # in one line, for the history
    is_permanent: bool = False  # of a bounce: another mail would bounce too
    is_final: bool = True  # of a bounce: this mail did not arrive

    @property
    def needs_a_person(self) -> bool:
        """Whether the reader may have to be reached in another way."""
        return self.kind in (FeedbackKind.BOUNCE, FeedbackKind.COMPLAINT, FeedbackKind.REJECT)

    @property
    def suppresses(self) -> bool:
        """Whether its address is to get no mail any more."""
        return self.kind is FeedbackKind.COMPLAINT or (
            self.kind is FeedbackKind.BOUNCE and self.is_permanent
        )


# What each event makes of a message, by the states in which it does; in others it says nothing
# new. A bounce is the end even where a delivery was reported: servers take mails and return them.
_ENDS: Mapping[FeedbackKind, DeliveryState] = {
    FeedbackKind.SEND: DeliveryState.ACCEPTED,
    FeedbackKind.DELIVERY: DeliveryState.DELIVERED,
    FeedbackKind.BOUNCE: DeliveryState.BOUNCED,
    FeedbackKind.REJECT: DeliveryState.BOUNCED,
    FeedbackKind.COMPLAINT: DeliveryState.COMPLAINED,
}


# Of bounces that are not permanent: another mail may arrive, this one did not. The others, General
# above all, are also what an absence note looks like.
_FINAL_SUBTYPES = frozenset(
    {"MailboxFull", "MessageTooLarge", "ContentRejected", "AttachmentRejected"}
)


def moves_of(feedback: Feedback, state: DeliveryState) -> tuple[DeliveryState, ...]:
    """The states through which an event leads a message; none if it says nothing new.

    Any event of a mail proves that the provider took it: it ends the doubt of UNKNOWN, answers for
    a process that died in POSTING, and stops a mail that was taken for one that had not gone out.
    """
    path: list[DeliveryState] = []
    if state in WAITING | {DeliveryState.BLOCKED}:
        path.append(DeliveryState.UNKNOWN)
    if path or state in (DeliveryState.UNKNOWN, DeliveryState.POSTING):
        path.append(DeliveryState.ACCEPTED)
        state = DeliveryState.ACCEPTED
    end = _ENDS.get(feedback.kind)
    if feedback.kind is FeedbackKind.BOUNCE and not feedback.is_final:
        end = None  # an absence note, perhaps
    reached = {DeliveryState.ACCEPTED}
    if end in (DeliveryState.BOUNCED, DeliveryState.COMPLAINED):
        reached.add(DeliveryState.DELIVERED)
    if end is not None and end is not state and state in reached:
        path.append(end)
    return tuple(path)


def is_greeting(text: str) -> bool:
    """Whether SES only says that it may write to the topic, which it does once."""
    return text.strip().startswith("Successfully validated SNS topic for Amazon SES event")


def parse_ses_event(text: str) -> Feedback:
    """An event of a configuration set, as it is or in the envelope of an SNS notification or of
    EventBridge, which hands old events out again.

    Raises:
        FeedbackError: it is none, or not of a mail that carries our tags.
    """
    try:
        event = json.loads(text)
        if isinstance(event, dict) and event.get("Type") == "Notification":
            event = json.loads(event["Message"])
        elif isinstance(event, dict) and event.get("source") == "aws.ses":
            event = event["detail"]
        mail = event["mail"]
        tags = mail["tags"]
        kind = event["eventType"]
        [tenant_id], [month] = tags["tenant_id"], tags["month"]
        [delivery_id], [recipient_no] = tags["delivery_id"], tags["recipient_no"]
        detail: Mapping[str, Any] = event.get(kind.lower(), {})
        return Feedback(
            kind=FeedbackKind(kind) if kind in set(FeedbackKind) else FeedbackKind.OTHER,
            tenant_id=tenant_id,
            month=month,
            delivery_id=delivery_id,
            recipient_no=int(recipient_no),
            provider_id=mail["messageId"],
            reason=kept_reply(_reason(kind, detail)),
            is_permanent=detail.get("bounceType") == "Permanent",
            is_final=detail.get("bounceType") == "Permanent"
            or detail.get("bounceSubType") in _FINAL_SUBTYPES,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FeedbackError(f"not an event of our mails: {error!r}") from error


def _reason(kind: str, detail: Mapping[str, Any]) -> str:
    """What a person needs to know of the event."""
    diagnostics = [r.get("diagnosticCode", "") for r in detail.get("bouncedRecipients", [])]
    said = [
        kind,
        detail.get("bounceType", ""),
        detail.get("bounceSubType", ""),
        detail.get("complaintFeedbackType", ""),
        detail.get("reason", ""),
        detail.get("smtpResponse", ""),
        *diagnostics,
    ]
    return " ".join(text for text in said if text)
