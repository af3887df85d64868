"""A provider that answers wrongly, late or not at all, and events that come in any order, twice or
never: one post an attempt, one mail a delivery, and no doubt that an event could end."""

from __future__ import annotations

import os
import random
from typing import get_args

import psycopg
import pytest

from reports_pipeline.delivery.errors import LostClaimError
from reports_pipeline.delivery.feedback import Feedback, FeedbackKind
from reports_pipeline.delivery.states import SENT, DeliveryState
from resources.delivery_register import PostgresDeliveryRegister
from tests.proofs.deliveries_under_test import TENANTS, DeliveriesUnderTest
from tests.ses_server import AcceptedMail, SesFault

# Of 40 tenants each: 1,000 posts, of which most go wrong.
SEEDS = range(25 * max(1, int(os.environ.get("PROOF_SEEDS", "50")) // 50))
# Of a refused address there is no mail.
FAULTS: list[SesFault] = [f for f in get_args(SesFault) if f not in ("rejected", "suppressed")]
_UNCLEAR = ("hang", "500", "reset")


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_provider_answers(under_test: DeliveriesUnderTest, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the seed is the name of the test
    under_test.ses.hang_seconds = 0.5
    unclear = 0
    for _ in range(3):
        # A hang costs the time-out.
        likely = [fault for fault in FAULTS if "hang" not in fault]
        under_test.ses.faults = [
            dice.choice(FAULTS if dice.random() < 0.1 else likely)
            for _ in range(dice.randint(10, len(TENANTS)))
        ]
        dice.shuffle(under_test.ses.faults)
        given = list(under_test.ses.faults)
        under_test.send_all(read_timeout=0.2)
        used = given[: len(given) - len(under_test.ses.faults)]
        unclear += sum(fault.startswith("accept") or fault in _UNCLEAR for fault in used)
    under_test.ses.faults = []
    under_test.send_all()
    under_test.check(unknown_at_most=unclear)
    unknown = list(under_test.states().values()).count(DeliveryState.UNKNOWN)
    assert unknown == unclear
    assert under_test.ses.posts == attempts(under_test)

    lost = {mail.message_id for mail in under_test.ses.accepted if dice.random() < 0.2}
    events = [
        event(mail, under_test, kind)
        for mail in under_test.ses.accepted
        if mail.message_id not in lost
        for kind in (FeedbackKind.SEND, FeedbackKind.DELIVERY)
    ]
    events += dice.sample(events, len(events) // 3)
    dice.shuffle(events)
    before = under_test.states()
    with PostgresDeliveryRegister(under_test.url, actor="events") as register:
        for one in events:
            assert register.record(one)
    reported = {one.delivery_id for one in events}
    for tenant_id, state in under_test.states().items():
        if under_test.delivery(tenant_id).delivery_id in reported:
            assert state is DeliveryState.DELIVERED
        else:
            assert state is before[tenant_id]
            assert state in SENT | {DeliveryState.UNKNOWN}
    posts = under_test.ses.posts
    under_test.send_all()
    assert under_test.ses.posts == posts


def test_an_event_of_a_mail_in_the_hands_of_a_dead_process_waits_and_then_counts(
    under_test: DeliveriesUnderTest,
) -> None:
    tenant_id = TENANTS[0]
    with PostgresDeliveryRegister(under_test.url, actor="dead") as register:
        [message] = register.register(under_test.delivery(tenant_id)).messages
        [ready] = register.release(register.verify([message]))
        register.begin_posting(register.claim(ready))
        delivered = Feedback(
            FeedbackKind.DELIVERY, tenant_id, str(under_test.month), message.delivery_id, 1, "1", ""
        )
        with pytest.raises(LostClaimError):
            register.record(delivered)
        under_test.let_leases_run_out()
        under_test.send_all([tenant_id])
        assert under_test.states() == {tenant_id: DeliveryState.UNKNOWN}
        assert register.record(delivered)
    assert under_test.states() == {tenant_id: DeliveryState.DELIVERED}
    assert under_test.ses.posts == 0


def event(mail: AcceptedMail, under_test: DeliveriesUnderTest, kind: FeedbackKind) -> Feedback:
    return Feedback(
        kind,
        mail.tags["tenant_id"],
        str(under_test.month),
        mail.tags["delivery_id"],
        int(mail.tags["recipient_no"]),
        mail.message_id,
        kind.value,
    )


def attempts(under_test: DeliveriesUnderTest) -> int:
    """Posts that the register knows of."""
    with psycopg.connect(under_test.url) as connection:
        [(posts,)] = connection.execute(
            """
            select sum(attempts) from reporting.delivery_messages
            join reporting.deliveries using (delivery_id) where month = %s
            """,
            [under_test.month.start],
        ).fetchall()
    return int(posts)
