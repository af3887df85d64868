"""When each company's mails may go, and that those of the canaries go first."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.delivery.deliveries import DeliveryMessage, Recipient
from reports_pipeline.delivery.feedback import Feedback, FeedbackKind
from reports_pipeline.delivery.preferences import DeliveryPreferences
from reports_pipeline.delivery.states import WAITING
from resources.canaries import Canaries
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_months import DeliveryMonths
from resources.delivery_preferences import DeliveryPreferencesStore
from resources.delivery_register import PostgresDeliveryRegister
from resources.departures import Departure, Departures
from resources.tenants import Tenants
from tests.delivery.examples import OCTOBER, SATO, SUZUKI, delivery

NOW = datetime.datetime(2026, 11, 1, 1, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
TENANTS = ["t0001", "t0002", "t0003"]


@pytest.fixture
def url(revisions_url: str) -> str:
    """Three companies, of which the third is in Los Angeles."""
    with psycopg.connect(revisions_url) as connection:
        connection.execute(
            """
            insert into ledger.companies (tenant_id, name, currency, time_zone) values
                ('t0001', '山田製作所', 'JPY', 'Asia/Tokyo'),
                ('t0002', 'さくら商店', 'JPY', 'Asia/Tokyo'),
                ('t0003', 'Harbor', 'USD', 'America/Los_Angeles')
            """
        )
    return revisions_url


def departures(url: str, *, minutes: int = 15) -> Departures:
    return Departures(
        DeliveryPreferencesStore(url),
        Tenants(url),
        DeliveryMonths(url),
        Canaries(url, patience=datetime.timedelta(minutes=minutes)),
    )


def change(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        assert connection.execute(statement).rowcount == 1


def test_without_wishes_and_canaries_mails_may_go(url: str) -> None:
    found = departures(url).of(OCTOBER, TENANTS, NOW)
    assert found == dict.fromkeys(TENANTS, Departure(NOW))
    assert all(departure.may_go(NOW) for departure in found.values())


def test_each_company_has_its_own_wish_and_clock(url: str) -> None:
    for tenant_id in ("t0002", "t0003"):
        wish = DeliveryPreferences(not_before=datetime.time(9, 30))
        DeliveryPreferencesStore(url).set(tenant_id, wish, set_by="sato")
    found = departures(url).of(OCTOBER, TENANTS, NOW)
    half_past_nine = NOW.replace(hour=9, minute=30)
    assert [found[t].at for t in TENANTS] == [
        NOW,
        half_past_nine,
        NOW + datetime.timedelta(minutes=30),
    ]
    assert not found["t0002"].may_go(half_past_nine - datetime.timedelta(seconds=1))
    assert found["t0002"].may_go(half_past_nine)


def test_where_nobody_knows_the_time_zone_the_houses_counts(url: str) -> None:
    wish = DeliveryPreferences(not_before=datetime.time(9))
    DeliveryPreferencesStore(url).set("t0002", wish, set_by="sato")
    change(url, "update ledger.companies set time_zone = 'Mars' where tenant_id = 't0002'")
    found = departures(url).of(OCTOBER, ["t0002"], NOW)["t0002"]
    assert found == Departure(NOW.replace(hour=9), unknown_time_zone="Mars")


def open_with_canary(url: str) -> None:
    DeliveryMonths(url).open(OCTOBER, TENANTS, canaries=["t0001"], opened_by="sato")


def waiting(url: str, *, minutes: int = 15) -> list[str]:
    """Who waits for the canary."""
    found = departures(url, minutes=minutes).of(OCTOBER, TENANTS, NOW)
    who = [tenant_id for tenant_id in TENANTS if found[tenant_id].waits_for_canaries]
    assert not any(found[tenant_id].may_go(NOW) for tenant_id in who)
    assert departures(url, minutes=minutes).awaited_canaries(OCTOBER) == (["t0001"] if who else [])
    return who


def accepted(
    register: PostgresDeliveryRegister, *recipients: Recipient, revision: int = 1
) -> list[DeliveryMessage]:
    messages = register.register(delivery(*recipients, revision=revision)).messages
    ready = register.release(register.verify(messages))
    posting = [register.begin_posting(register.claim(message)) for message in ready]
    return [register.accept(message, "ses-1") for message in posting]


def hear(register: PostgresDeliveryRegister, message: DeliveryMessage, kind: FeedbackKind) -> None:
    number = message.recipient_no
    event = Feedback(kind, "t0001", str(OCTOBER), message.delivery_id, number, "ses-1", "")
    assert register.record(event)


def test_the_others_wait_until_the_canarys_mails_are_delivered(
    url: str, register: PostgresDeliveryRegister
) -> None:
    open_with_canary(url)
    others = ["t0002", "t0003"]
    assert waiting(url) == others
    sato, suzuki = accepted(register, SATO, SUZUKI)
    assert waiting(url) == others
    hear(register, sato, FeedbackKind.DELIVERY)
    assert waiting(url) == others
    hear(register, suzuki, FeedbackKind.DELIVERY)
    assert waiting(url) == []


def test_a_canary_of_which_nothing_bad_is_heard_has_arrived_after_a_while(
    url: str, register: PostgresDeliveryRegister
) -> None:
    open_with_canary(url)
    accepted(register, SATO)
    assert waiting(url) == ["t0002", "t0003"]
    assert waiting(url, minutes=0) == []
    change(
        url,
        "update reporting.delivery_messages set updated_at = updated_at - interval '15 minutes'",
    )
    assert waiting(url) == []


@pytest.mark.parametrize("kind", [FeedbackKind.BOUNCE, FeedbackKind.COMPLAINT])
def test_a_canary_that_came_back_keeps_the_others_waiting(
    url: str, register: PostgresDeliveryRegister, kind: FeedbackKind
) -> None:
    open_with_canary(url)
    sato, _ = accepted(register, SATO, SUZUKI)
    hear(register, sato, kind)
    assert waiting(url, minutes=0) == ["t0002", "t0003"]


def test_a_canary_that_is_unclear_blocked_or_has_nobody_keeps_the_others_waiting(
    url: str, register: PostgresDeliveryRegister
) -> None:
    open_with_canary(url)
    register.register(delivery())
    assert waiting(url, minutes=0) == ["t0002", "t0003"]
    sato, suzuki = register.release(
        register.verify(register.register(delivery(SATO, SUZUKI)).messages)
    )
    register.accept(register.begin_posting(register.claim(suzuki)), "ses-2")
    register.block([sato], FailureCode.TOO_LARGE, "too large")
    assert waiting(url, minutes=0) == ["t0002", "t0003"]


def test_what_a_person_has_dealt_with_does_not_keep_the_others_waiting(
    url: str, register: PostgresDeliveryRegister
) -> None:
    open_with_canary(url)
    ready_to_go = register.release(register.verify(register.register(delivery(SATO)).messages))
    posting = register.begin_posting(register.claim(ready_to_go[0]))
    register.mark_unknown(posting, "time-out")
    assert waiting(url, minutes=0) == ["t0002", "t0003"]
    DeliveryDecisions(url, actor="sato").sign_off("t0001", OCTOBER, 1, "nobody answers")
    assert waiting(url) == []


def test_a_copy_counts_in_the_place_of_what_came_back(
    url: str, register: PostgresDeliveryRegister
) -> None:
    open_with_canary(url)
    change(url, "delete from reporting.report_revisions where tenant_id='t0001' and revision = 2")
    [bounced] = accepted(register, SATO)
    hear(register, bounced, FeedbackKind.BOUNCE)
    DeliveryDecisions(url, actor="sato").resend("t0001", OCTOBER, 1, "back", to=SUZUKI)
    assert waiting(url, minutes=0) == ["t0002", "t0003"]
    [copy] = register.register(delivery(SATO)).among(WAITING)
    [copy] = register.release(register.verify([copy]))
    copy = register.accept(register.begin_posting(register.claim(copy)), "ses-1")
    hear(register, copy, FeedbackKind.DELIVERY)
    assert waiting(url) == []


def test_who_is_no_contact_any_more_is_not_waited_for_beside_one_who_has_it(
    url: str, register: PostgresDeliveryRegister
) -> None:
    open_with_canary(url)
    register.register(delivery(SATO, SUZUKI))
    [_, suzuki] = register.register(delivery(SUZUKI)).messages
    assert waiting(url, minutes=0) == ["t0002", "t0003"]
    [suzuki] = register.release(register.verify([suzuki]))
    register.accept(register.begin_posting(register.claim(suzuki)), "ses-1")
    assert waiting(url, minutes=0) == []


def test_a_newer_delivery_of_a_canary_counts(url: str, register: PostgresDeliveryRegister) -> None:
    open_with_canary(url)
    register.register(delivery(SATO))
    accepted(register, SATO, revision=2)
    assert waiting(url, minutes=0) == []


def test_a_person_ends_the_wait_of_one_month(url: str) -> None:
    november = OCTOBER.plus(1)
    open_with_canary(url)
    DeliveryMonths(url).open(november, TENANTS, canaries=["t0001"], opened_by="sato")
    DeliveryDecisions(url, actor="sato").end_canary(OCTOBER, "read on the phone")
    assert waiting(url) == []
    assert departures(url).awaited_canaries(november) == ["t0001"]


def test_a_canary_that_was_waived_or_left_is_not_awaited(url: str) -> None:
    DeliveryMonths(url).open(OCTOBER, TENANTS, canaries=["t0001", "t0002"], opened_by="sato")
    decisions = DeliveryDecisions(url, actor="sato")
    decisions.waive(["t0001"], OCTOBER, "closed its business")
    assert departures(url).awaited_canaries(OCTOBER) == ["t0002"]
    decisions.unwaive(["t0001"], OCTOBER, "it has not")
    assert departures(url).awaited_canaries(OCTOBER) == ["t0001", "t0002"]
    decisions.waive(["t0001"], OCTOBER, "it has")
    change(url, "update ledger.companies set status = 'left' where tenant_id = 't0002'")
    assert waiting(url) == []
