"""Of a mail of unknown fate operators are told once, unless a person knows of it already."""

from __future__ import annotations

import psycopg
import pytest

from reports_pipeline.delivery.deliveries import DeliveryMessage
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_register import PostgresDeliveryRegister
from resources.unknown_mails import UnknownMail, UnknownMails
from tests.delivery.examples import OCTOBER, SATO, SUZUKI, delivery


@pytest.fixture
def unclear(register: PostgresDeliveryRegister, revisions_url: str) -> list[DeliveryMessage]:
    """Two mails of October that may have gone out."""
    with psycopg.connect(revisions_url) as connection:
        connection.execute("delete from reporting.report_revisions where revision = 2")
    messages = register.register(delivery(SATO, SUZUKI)).messages
    return [
        register.mark_unknown(register.begin_posting(register.claim(message)), "time-out")
        for message in register.release(register.verify(messages))
    ]


def test_each_is_told_once(revisions_url: str, unclear: list[DeliveryMessage]) -> None:
    mails = UnknownMails(revisions_url)
    first, second = (UnknownMail("t0001", m.delivery_id, m.recipient_no) for m in unclear)
    assert mails.untold() == {OCTOBER: [first, second]}
    for _ in range(2):
        mails.mark_told([first])
    assert mails.untold() == {OCTOBER: [second]}
    mails.mark_told([second])
    assert mails.untold() == {}


@pytest.mark.usefixtures("unclear")
def test_what_a_person_has_settled_or_sent_once_more_needs_no_telling(revisions_url: str) -> None:
    decisions = DeliveryDecisions(revisions_url, actor="sato")
    decisions.sign_off("t0001", OCTOBER, 1, "nobody answers")
    decisions.resend("t0001", OCTOBER, 2, "lost")
    assert UnknownMails(revisions_url).untold() == {}
