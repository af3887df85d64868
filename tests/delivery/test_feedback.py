import itertools
import json
from typing import Any

import pytest

from reports_pipeline.delivery.feedback import (
    Feedback,
    FeedbackError,
    FeedbackKind,
    is_greeting,
    moves_of,
    parse_ses_event,
)
from reports_pipeline.delivery.states import MOVES, DeliveryState

DELIVERY_ID = "a" * 64
S = DeliveryState


def event(kind: str, **detail: Any) -> dict[str, Any]:
    return {
        "eventType": kind,
        "mail": {
            "messageId": "0100-1",
            "destination": ["sato@sakura.example"],
            "tags": {
                "delivery_id": [DELIVERY_ID],
                "recipient_no": ["2"],
                "tenant_id": ["t0001"],
                "month": ["2026-10"],
            },
        },
        kind.lower(): detail,
    }


BOUNCE = event(
    "Bounce",
    bounceType="Permanent",
    bounceSubType="General",
    bouncedRecipients=[
        {"emailAddress": "sato@sakura.example", "diagnosticCode": "smtp; 550\n no such user"}
    ],
)


def test_a_bounce_says_why_without_the_address() -> None:
    feedback = parse_ses_event(json.dumps(BOUNCE))
    assert feedback == Feedback(
        FeedbackKind.BOUNCE,
        "t0001",
        "2026-10",
        DELIVERY_ID,
        2,
        "0100-1",
        "Bounce Permanent General smtp; 550 no such user",
        is_permanent=True,
    )


def test_an_event_may_come_in_the_envelope_of_sns() -> None:
    notification = {"Type": "Notification", "Message": json.dumps(BOUNCE)}
    assert parse_ses_event(json.dumps(notification)) == parse_ses_event(json.dumps(BOUNCE))


def test_an_event_may_come_in_the_envelope_of_eventbridge() -> None:
    replayed = {
        "version": "0",
        "source": "aws.ses",
        "detail-type": "Email Bounced",
        "replay-name": "restore",
        "detail": BOUNCE,
    }
    assert parse_ses_event(json.dumps(replayed)) == parse_ses_event(json.dumps(BOUNCE))


def test_a_greeting_of_ses_is_no_event() -> None:
    greeting = "Successfully validated SNS topic for Amazon SES event publishing."
    assert is_greeting(greeting)
    assert not is_greeting(json.dumps(BOUNCE))


def test_an_event_of_an_unknown_type_says_nothing_final() -> None:
    feedback = parse_ses_event(json.dumps(event("DeliveryDelay", delayType="MailboxFull")))
    assert feedback.kind is FeedbackKind.OTHER
    assert moves_of(feedback, S.ACCEPTED) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '"text"',
        json.dumps({"Type": "Notification", "Message": "hello"}),
        json.dumps({"eventType": "Send", "mail": {"messageId": "1", "tags": {}}}),
        json.dumps(event("Send")).replace('["2"]', '["two"]'),
    ],
)
def test_what_is_no_event_of_our_mails_is_refused(text: str) -> None:
    with pytest.raises(FeedbackError, match="not an event of our mails"):
        parse_ses_event(text)


def of(kind: FeedbackKind, *, permanent: bool = True) -> Feedback:
    return Feedback(kind, "t0001", "2026-10", DELIVERY_ID, 2, "0100-1", "", is_permanent=permanent)


@pytest.mark.parametrize(
    ("kind", "before", "path"),
    [
        (FeedbackKind.SEND, S.ACCEPTED, ()),
        (FeedbackKind.SEND, S.UNKNOWN, (S.ACCEPTED,)),
        (FeedbackKind.OTHER, S.UNKNOWN, (S.ACCEPTED,)),
        (FeedbackKind.DELIVERY, S.UNKNOWN, (S.ACCEPTED, S.DELIVERED)),
        (FeedbackKind.DELIVERY, S.ACCEPTED, (S.DELIVERED,)),
        (FeedbackKind.DELIVERY, S.BOUNCED, ()),
        (FeedbackKind.BOUNCE, S.ACCEPTED, (S.BOUNCED,)),
        (FeedbackKind.BOUNCE, S.DELIVERED, (S.BOUNCED,)),
        (FeedbackKind.COMPLAINT, S.DELIVERED, (S.COMPLAINED,)),
        (FeedbackKind.REJECT, S.ACCEPTED, (S.BOUNCED,)),
        (FeedbackKind.BOUNCE, S.COMPLAINED, ()),
        (FeedbackKind.DELIVERY, S.POSTING, (S.ACCEPTED, S.DELIVERED)),
        (FeedbackKind.SEND, S.READY, (S.UNKNOWN, S.ACCEPTED)),
        (FeedbackKind.SEND, S.BUILT, (S.UNKNOWN, S.ACCEPTED)),
        (FeedbackKind.DELIVERY, S.VERIFIED, (S.UNKNOWN, S.ACCEPTED, S.DELIVERED)),
    ],
)
def test_what_an_event_makes_of_a_message(
    kind: FeedbackKind, before: DeliveryState, path: tuple[DeliveryState, ...]
) -> None:
    assert moves_of(of(kind), before) == path


def test_an_absence_note_ends_nothing_and_a_full_mailbox_does() -> None:
    def bounce(subtype: str) -> Feedback:
        return parse_ses_event(
            json.dumps(event("Bounce", bounceType="Transient", bounceSubType=subtype))
        )

    assert moves_of(bounce("General"), S.ACCEPTED) == ()
    assert moves_of(bounce("MailboxFull"), S.ACCEPTED) == (S.BOUNCED,)
    for subtype in ("General", "MailboxFull"):
        assert not bounce(subtype).suppresses
        assert bounce(subtype).needs_a_person


def test_an_event_of_a_foreign_server_is_fit_to_be_kept() -> None:
    said = [{"diagnosticCode": "smtp; 550 <sato@sakura.example>: \x00 \ud800 no such user"}]
    feedback = parse_ses_event(json.dumps(event("Bounce", bouncedRecipients=said)))
    assert feedback.reason == "Bounce smtp; 550 <…@…>: no such user"


def test_events_make_legal_moves_only() -> None:
    for kind, state in itertools.product(FeedbackKind, DeliveryState):
        path = moves_of(of(kind), state)
        if state in (S.CLAIMED, S.SUPERSEDED):
            assert path == ()
        for before, after in itertools.pairwise([state, *path]):
            assert after in MOVES[before]


def after(kinds: tuple[FeedbackKind, ...]) -> DeliveryState:
    state = S.UNKNOWN
    for kind in kinds:
        path = moves_of(of(kind), state)
        state = path[-1] if path else state
    return state


@pytest.mark.parametrize("last", [FeedbackKind.BOUNCE, FeedbackKind.DELIVERY])
def test_the_order_of_events_does_not_matter_nor_how_often_they_come(last: FeedbackKind) -> None:
    events = (FeedbackKind.SEND, FeedbackKind.DELIVERY, FeedbackKind.DELIVERY, last, last)
    assert {after(order) for order in itertools.permutations(events)} == {
        S.BOUNCED if last is FeedbackKind.BOUNCE else S.DELIVERED
    }
