"""What the register holds of a month is read for many tenants at once."""

from __future__ import annotations

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.delivery.states import DeliveryState
from resources.delivery_decisions import DeliveryDecisions, Hold
from resources.delivery_register import PostgresDeliveryRegister
from resources.month_records import MonthRecords, TenantRecord
from resources.stage_outcomes import StageOutcomes
from tests.delivery.examples import OCTOBER, SATO, SUZUKI, delivery


@pytest.fixture
def records(revisions_url: str) -> MonthRecords:
    return MonthRecords(revisions_url)


@pytest.fixture
def decisions(revisions_url: str) -> DeliveryDecisions:
    return DeliveryDecisions(revisions_url, actor="sato")


def of(records: MonthRecords, tenant_id: str = "t0001") -> TenantRecord:
    return records.read(OCTOBER, [tenant_id])[tenant_id]


def test_a_month_to_which_no_run_has_come_is_empty(records: MonthRecords) -> None:
    assert records.read(OCTOBER, ["t0009", "t0008"]) == {
        "t0009": TenantRecord("t0009"),
        "t0008": TenantRecord("t0008"),
    }
    before = OCTOBER.plus(-1)
    assert records.read(before, ["t0001"]) == {"t0001": TenantRecord("t0001")}


def test_mails_are_those_of_the_newest_delivery(
    records: MonthRecords, register: PostgresDeliveryRegister
) -> None:
    register.register(delivery(SATO))
    assert of(records).delivery_revision == 1
    register.register(delivery(SATO, SUZUKI, revision=2))
    register.register(delivery(SATO, tenant_id="t0002", revision=1))
    found = of(records)
    assert found.delivery_revision == 2
    assert [message.state for message in found.messages] == [DeliveryState.BUILT] * 2
    assert len(of(records, "t0002").messages) == 1


def test_a_delivery_to_nobody_has_no_mails(
    records: MonthRecords, register: PostgresDeliveryRegister
) -> None:
    register.register(delivery())
    assert (of(records).delivery_revision, of(records).messages) == (1, [])


def test_stages_are_as_they_ended_last(records: MonthRecords, revisions_url: str) -> None:
    outcomes = StageOutcomes(revisions_url)
    failure = TenantFailure("t0001", FailureCode.NO_RECIPIENT, {"what": "nobody"})
    outcomes.record("statements", OCTOBER, "run-1", {"t0001": "a.arrow"}, [])
    outcomes.record("report_deliveries", OCTOBER, "run-1", {}, [failure])
    stages = of(records).stages
    assert {stage: found.failure for stage, found in stages.items()} == {
        "statements": None,
        "report_deliveries": failure,
    }


def test_a_hold_is_in_force_until_it_is_released(
    records: MonthRecords, decisions: DeliveryDecisions
) -> None:
    decisions.hold(["t0001"], None, "勘定の誤り")
    assert of(records).hold == Hold("t0001", None, "勘定の誤り", "sato")
    assert of(records, "t0002").hold is None
    decisions.hold(["t0001"], OCTOBER, "請求書の計上漏れ")
    decisions.release(["t0001"], None, "訂正済み")
    assert of(records).hold == Hold("t0001", OCTOBER, "請求書の計上漏れ", "sato")
    decisions.hold(["t0001"], OCTOBER.plus(-1), "別の月")
    decisions.release(["t0001"], OCTOBER, "訂正済み")
    assert of(records).hold is None


def test_who_was_waived_was_for_that_month_only(
    records: MonthRecords, decisions: DeliveryDecisions
) -> None:
    decisions.waive(["t0001"], OCTOBER, "解約手続き中")
    decisions.waive(["t0002"], OCTOBER.plus(-1), "解約手続き中")
    assert (of(records).waived, of(records, "t0002").waived) == (True, False)
    decisions.unwaive(["t0001"], OCTOBER, "解約しない")
    assert not of(records).waived


def test_what_a_person_has_dealt_with_is_so_for_that_mail_only(
    records: MonthRecords,
    register: PostgresDeliveryRegister,
    decisions: DeliveryDecisions,
    revisions_url: str,
) -> None:
    with psycopg.connect(revisions_url) as connection:
        connection.execute("delete from reporting.report_revisions where revision = 2")
    messages = register.register(delivery(SATO, SUZUKI)).messages
    ready = register.release(register.verify(messages))
    for message in ready:
        register.mark_unknown(register.begin_posting(register.claim(message)), "time-out")
    decisions.sign_off("t0001", OCTOBER, 2, "誰も知らない")
    assert [message.dealt_with for message in of(records).messages] == [False, True]
    decisions.resend("t0001", OCTOBER, 1, "紛失")
    assert [(m.state, m.dealt_with, m.resend_of) for m in of(records).messages] == [
        (DeliveryState.UNKNOWN, True, None),
        (DeliveryState.UNKNOWN, True, None),
        (DeliveryState.BUILT, False, 1),
    ]


def test_the_revision_is_that_of_the_figures(records: MonthRecords, revisions_url: str) -> None:
    outcomes = StageOutcomes(revisions_url)
    # a run made the second one, and died before it said so
    assert of(records).revision == 2
    outcomes.record("statements", OCTOBER, "run-1", {"t0001": "a"}, [], {"t0001": 2})
    outcomes.record("report_pdfs", OCTOBER, "run-2", {"t0001": "a"}, [], {"t0001": 1})
    assert (of(records).revision, of(records).stages["report_pdfs"].revision) == (2, 1)
    # the figures return
    outcomes.record("statements", OCTOBER, "run-2", {"t0001": "b"}, [], {"t0001": 1})
    assert of(records).revision == 1
    with psycopg.connect(revisions_url) as connection:
        connection.execute(
            """
            insert into reporting.report_revisions
                (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
            values ('t0001', '2026-10-01', 3, repeat('b', 64), false, 'a.arrow', 'run-3')
            """
        )
    assert of(records).revision == 3


def test_mails_that_are_not_finished_are_found_whoever_expects_them(
    records: MonthRecords, register: PostgresDeliveryRegister
) -> None:
    assert (records.with_open_mails(OCTOBER), records.months_with_waiting_mails()) == ([], [])
    [message] = register.register(delivery(SATO)).messages
    register.register(delivery(SATO, tenant_id="t0002", revision=2))
    assert records.with_open_mails(OCTOBER) == ["t0001", "t0002"]
    assert records.with_open_mails(OCTOBER.plus(1)) == []
    assert records.months_with_waiting_mails() == [OCTOBER]
    register.block([message], FailureCode.TOO_LARGE, "too large")
    assert records.with_open_mails(OCTOBER) == ["t0002"]


def test_the_correction_that_was_let_out_is_the_last_one(
    records: MonthRecords, register: PostgresDeliveryRegister, decisions: DeliveryDecisions
) -> None:
    [message] = register.release(register.verify(register.register(delivery(SATO)).messages))
    register.accept(register.begin_posting(register.claim(message)), "ses")
    assert of(records).approved_revision == 0
    decisions.approve("t0001", OCTOBER, 2, "請求書の計上漏れ")
    assert of(records).approved_revision == 2
