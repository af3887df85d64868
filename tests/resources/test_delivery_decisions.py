import datetime
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes, policy

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailureError
from reports_pipeline.delivery.deliveries import (
    Delivery,
    LetterCorrection,
    Recipient,
    RegisteredDelivery,
)
from reports_pipeline.delivery.errors import (
    DecisionError,
    DefiniteRejectionError,
    LostClaimError,
    MailRefusedError,
    UnclearOutcomeError,
)
from reports_pipeline.delivery.feedback import Feedback, FeedbackKind
from reports_pipeline.delivery.messages import Envelope, MailSettings
from reports_pipeline.delivery.mime import Mail
from reports_pipeline.delivery.states import DeliveryState
from resources.delivery_decisions import DeliveryDecisions, Hold
from resources.delivery_history import delivery_history
from resources.delivery_register import PostgresDeliveryRegister
from resources.dispatch import deliver
from resources.mailer import Mailer
from tests.delivery.examples import LETTER, OCTOBER, SATO, SUZUKI, delivery, stored_documents
from tests.resources.test_dispatch import NOW, ScriptedMailer

CORRECTION = replace(LETTER, correction=LetterCorrection(1, 2, (), 0))
TANAKA = Recipient("田中 三郎", "tanaka@yamada.example")


@pytest.fixture
def decisions(revisions_url: str) -> DeliveryDecisions:
    return DeliveryDecisions(revisions_url, actor="sato")


@pytest.fixture
def one_revision(revisions_url: str) -> None:
    """None waits to correct another."""
    with psycopg.connect(revisions_url) as connection:
        connection.execute("delete from reporting.report_revisions where revision = 2")


Send = Callable[[Mailer, Delivery], RegisteredDelivery]


@pytest.fixture
def send(register: PostgresDeliveryRegister) -> Send:
    def send(mailer: Mailer, sent: Delivery) -> RegisteredDelivery:
        stored = stored_documents(revision=sent.revision)
        return deliver(register, mailer, stored.__getitem__, sent, settings=MailSettings(), now=NOW)

    return send


def failure_code(send: Send, mailer: Mailer, sent: Delivery) -> FailureCode:
    with pytest.raises(TenantFailureError) as raised:
        send(mailer, sent)
    return raised.value.failure.code


def states(sent: RegisteredDelivery) -> list[str]:
    return [message.state.value for message in sent.messages]


@pytest.mark.parametrize("month", [None, OCTOBER])
def test_what_is_held_is_registered_and_goes_out_after_its_release(
    decisions: DeliveryDecisions, send: Send, register: PostgresDeliveryRegister, month: None
) -> None:
    mailer = ScriptedMailer()
    decisions.hold(["t0001"], month, "wrong bank data")
    assert decisions.holds() == [Hold("t0001", month, "wrong bank data", "sato")]
    assert failure_code(send, mailer, delivery(SATO)) is FailureCode.DELIVERY_HELD
    assert states(register.read(OCTOBER, ["t0001"])["t0001"][0]) == ["BUILT"]
    assert mailer.posts == []
    decisions.release(["t0001"], month, "mended")
    assert decisions.holds() == []
    assert states(send(mailer, delivery(SATO))) == ["ACCEPTED"]


def test_what_a_restored_register_has_forgotten_is_not_sent_again(
    decisions: DeliveryDecisions, send: Send, register: PostgresDeliveryRegister
) -> None:
    decisions.hold(["t0001"], None, "restore")
    assert failure_code(send, ScriptedMailer(), delivery(SATO, SUZUKI)) is FailureCode.DELIVERY_HELD
    [registered] = register.read(OCTOBER, ["t0001"])["t0001"]
    # of the mail that went out before, as an archive of events tells it
    sent = Feedback(
        FeedbackKind.SEND, "t0001", "2026-10", registered.delivery_id, 1, "ses-1", "Send"
    )
    assert register.record(sent)
    decisions.release(["t0001"], None, "compared")
    mailer = ScriptedMailer()
    assert states(send(mailer, delivery(SATO, SUZUKI))) == ["ACCEPTED", "ACCEPTED"]
    assert mailer.posts == [SUZUKI.email]


def test_a_correction_that_a_restored_register_has_forgotten_is_found_if_it_is_approved_again(
    decisions: DeliveryDecisions, send: Send, register: PostgresDeliveryRegister
) -> None:
    send(ScriptedMailer(), delivery(SATO))
    corrected = delivery(SATO, revision=2, letter=CORRECTION)
    decisions.hold(["t0001"], None, "restore")
    assert failure_code(send, ScriptedMailer(), corrected) is FailureCode.CORRECTION_PENDING
    decisions.approve("t0001", OCTOBER, 2, "as before")
    assert failure_code(send, ScriptedMailer(), corrected) is FailureCode.DELIVERY_HELD
    [_, registered] = register.read(OCTOBER, ["t0001"])["t0001"]
    assert register.record(
        Feedback(FeedbackKind.SEND, "t0001", "2026-10", registered.delivery_id, 1, "ses-2", "Send")
    )
    decisions.release(["t0001"], None, "compared")
    mailer = ScriptedMailer()
    assert states(send(mailer, corrected)) == ["ACCEPTED"]
    assert mailer.posts == []


def test_a_hold_stops_what_is_about_to_go_out(decisions: DeliveryDecisions, send: Send) -> None:
    class HoldsMeanwhile(ScriptedMailer):
        def wait_for_turn(self) -> None:
            decisions.hold(["t0001"], OCTOBER, "stop")

    mailer = HoldsMeanwhile()
    assert failure_code(send, mailer, delivery(SATO)) is FailureCode.DELIVERY_HELD
    assert mailer.posts == []


def test_a_hold_is_of_its_tenant_and_month_and_ends_with_its_own_release(
    decisions: DeliveryDecisions, send: Send, one_revision: None
) -> None:
    decisions.hold(["t0002"], None, "of another company")
    decisions.hold(["t0001"], OCTOBER.plus(1), "of another month")
    assert states(send(ScriptedMailer(), delivery(SATO))) == ["ACCEPTED"]
    decisions.resend("t0001", OCTOBER, 1, "lost")
    decisions.hold(["t0001"], None, "all")
    decisions.release(["t0001"], OCTOBER, "only October, which was not held")
    assert failure_code(send, ScriptedMailer(), delivery(SATO)) is FailureCode.DELIVERY_HELD


def test_a_correction_goes_out_once_a_person_has_approved_that_revision(
    decisions: DeliveryDecisions, send: Send
) -> None:
    mailer = ScriptedMailer()
    send(mailer, delivery(SATO))
    corrected = delivery(SATO, revision=2, letter=CORRECTION)
    assert failure_code(send, mailer, corrected) is FailureCode.CORRECTION_PENDING
    decisions.approve("t0001", OCTOBER, 2, "sales were missing")
    assert states(send(mailer, corrected)) == ["ACCEPTED"]
    assert mailer.posts == [SATO.email] * 2
    with pytest.raises(DecisionError, match="revision 2 was sent already"):
        decisions.approve("t0001", OCTOBER, 2, "again")


def test_a_letter_that_does_not_speak_of_what_was_sent_is_written_again(
    decisions: DeliveryDecisions, send: Send
) -> None:
    mailer = ScriptedMailer()
    send(mailer, delivery(SATO))
    decisions.approve("t0001", OCTOBER, 2, "sales were missing")
    with pytest.raises(LostClaimError, match="revision 1 of t0001 2026-10 was sent meanwhile"):
        send(mailer, delivery(SATO, revision=2))
    assert states(send(mailer, delivery(SATO, revision=2, letter=CORRECTION))) == ["ACCEPTED"]


def test_an_approval_does_not_reach_beyond_its_revision(
    decisions: DeliveryDecisions, send: Send, revisions_url: str
) -> None:
    send(ScriptedMailer(), delivery(SATO))
    decisions.approve("t0001", OCTOBER, 2, "of the second")
    with psycopg.connect(revisions_url) as connection:
        connection.execute(
            "insert into reporting.report_revisions"
            " (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)"
            " select tenant_id, month, 3, numbers_hash, closed, statements_key, run_id"
            " from reporting.report_revisions where tenant_id = 't0001' and revision = 2"
        )
    third = delivery(SATO, revision=3)
    assert failure_code(send, ScriptedMailer(), third) is FailureCode.CORRECTION_PENDING
    with pytest.raises(DecisionError, match="the newest revision is 3, not 2"):
        decisions.approve("t0001", OCTOBER, 2, "of what was read before the third was made")


def test_nothing_to_correct_is_nothing_to_approve(decisions: DeliveryDecisions) -> None:
    for month in (OCTOBER, OCTOBER.plus(1)):
        with pytest.raises(DecisionError, match="nothing was sent"):
            decisions.approve("t0001", month, 2, "why not")


def test_a_correction_waits_for_the_fate_of_an_unclear_mail_even_if_approved(
    decisions: DeliveryDecisions, send: Send
) -> None:
    unclear = ScriptedMailer(UnclearOutcomeError("time-out"))
    assert failure_code(send, unclear, delivery(SATO)) is FailureCode.DELIVERY_UNKNOWN
    decisions.approve("t0001", OCTOBER, 2, "sales were missing")
    corrected = delivery(SATO, revision=2, letter=CORRECTION)
    assert failure_code(send, ScriptedMailer(), corrected) is FailureCode.CORRECTION_PENDING
    decisions.sign_off("t0001", OCTOBER, 1, "nobody answers")
    assert states(send(ScriptedMailer(), corrected)) == ["ACCEPTED"]


@pytest.mark.usefixtures("one_revision")
def test_a_mail_is_sent_once_more_because_a_person_said_so(
    decisions: DeliveryDecisions, send: Send
) -> None:
    class Keeping(ScriptedMailer):
        subjects: list[str] = []

        def post(self, mail: Mail, *, envelope: Envelope) -> str:
            read = message_from_bytes(mail.as_bytes(), policy=policy.default)
            self.subjects.append(str(read["Subject"]))
            return super().post(mail, envelope=envelope)

    mailer = Keeping()
    send(mailer, delivery(SATO, SUZUKI))
    again = decisions.resend("t0001", OCTOBER, 2, "lost by the reader")
    assert (again.recipient_no, again.resend_of, again.state) == (3, 2, DeliveryState.BUILT)
    sent = send(mailer, delivery(SATO, SUZUKI))
    assert states(sent) == ["ACCEPTED"] * 3
    assert mailer.posts == [SATO.email, SUZUKI.email, SUZUKI.email]
    assert ["再送" in subject for subject in mailer.subjects] == [False, False, True]
    send(mailer, delivery(SATO, SUZUKI))
    assert len(mailer.posts) == 3


@pytest.mark.usefixtures("one_revision")
def test_a_mail_is_not_sent_once_more_twice(decisions: DeliveryDecisions, send: Send) -> None:
    send(ScriptedMailer(), delivery(SATO))
    decisions.resend("t0001", OCTOBER, 1, "lost")
    with pytest.raises(DecisionError, match="once more as 2"):
        decisions.resend("t0001", OCTOBER, 1, "lost")
    with pytest.raises(DecisionError, match="it is BUILT"):
        decisions.resend("t0001", OCTOBER, 2, "lost")
    with pytest.raises(DecisionError, match="no mail to a recipient 7"):
        decisions.resend("t0001", OCTOBER, 7, "lost")


@pytest.mark.usefixtures("one_revision")
def test_an_unclear_mail_that_is_sent_once_more_is_dealt_with(
    decisions: DeliveryDecisions, send: Send
) -> None:
    unclear = ScriptedMailer(UnclearOutcomeError("time-out"))
    assert failure_code(send, unclear, delivery(SATO)) is FailureCode.DELIVERY_UNKNOWN
    decisions.resend("t0001", OCTOBER, 1, "they have nothing")
    sent = send(unclear, delivery(SATO))
    assert states(sent) == ["UNKNOWN", "ACCEPTED"]
    assert [message.dealt_with for message in sent.messages] == [True, False]


@pytest.mark.usefixtures("one_revision")
def test_a_mail_may_go_to_another_contact_and_not_to_a_suppressed_address(
    decisions: DeliveryDecisions, send: Send, revisions_url: str
) -> None:
    sent = send(ScriptedMailer(), delivery(SATO))
    with psycopg.connect(revisions_url) as connection:
        connection.execute(
            "insert into reporting.suppressed_addresses values (%s, 'Bounce', %s, 1)",
            [SATO.email, sent.delivery_id],
        )
    with pytest.raises(DecisionError, match="suppressed"):
        decisions.resend("t0001", OCTOBER, 1, "came back")
    decisions.resend("t0001", OCTOBER, 1, "came back", to=TANAKA)
    mailer = ScriptedMailer()
    send(mailer, delivery(SATO))
    assert mailer.posts == [TANAKA.email]
    decisions.unsuppress(SATO.email.upper(), "mailbox was full")
    with pytest.raises(DecisionError, match="not suppressed"):
        decisions.unsuppress(SATO.email, "again")


def test_a_person_knows_that_a_mail_arrived(decisions: DeliveryDecisions, send: Send) -> None:
    unclear = ScriptedMailer(UnclearOutcomeError("time-out"))
    assert failure_code(send, unclear, delivery(SATO)) is FailureCode.DELIVERY_UNKNOWN
    decisions.confirm("t0001", OCTOBER, 1, "read to me on the phone")
    sent = send(unclear, delivery(SATO))
    assert states(sent) == ["ACCEPTED"]
    assert sent.messages[0].provider_id == "confirmed by sato"
    for settle in (decisions.confirm, decisions.sign_off):
        with pytest.raises(DecisionError, match="is ACCEPTED, which is known"):
            settle("t0001", OCTOBER, 1, "again")


@pytest.mark.usefixtures("one_revision")
def test_every_step_and_decision_is_kept(
    decisions: DeliveryDecisions, send: Send, revisions_url: str
) -> None:
    decisions.hold(["t0001"], None, "wait")
    decisions.release(["t0001"], None, "go")
    refused = ScriptedMailer(DefiniteRejectionError("no such user"))
    send(refused, delivery(SATO, SUZUKI))
    decisions.resend("t0001", OCTOBER, 2, "lost")
    steps = delivery_history(revisions_url, "t0001", OCTOBER)
    assert [(step.what, step.actor, step.reason) for step in steps] == [
        ("hold every month", "sato", "wait"),
        ("release every month", "sato", "go"),
        *[(f"r1/{n} BUILT", "run-1", "") for n in (1, 2)],
        *[(f"r1/{n} BUILT → VERIFIED", "run-1", "") for n in (1, 2)],
        *[(f"r1/{n} VERIFIED → READY", "run-1", "") for n in (1, 2)],
        ("r1/1 READY → CLAIMED", "run-1", ""),
        ("r1/1 CLAIMED → POSTING", "run-1", ""),
        ("r1/1 POSTING → BLOCKED", "run-1", "no such user"),
        ("r1/2 READY → CLAIMED", "run-1", ""),
        ("r1/2 CLAIMED → POSTING", "run-1", ""),
        ("r1/2 POSTING → ACCEPTED", "run-1", ""),
        ("r1/3 BUILT", "sato", "lost"),
        ("r1/2 resend", "sato", "lost"),
    ]
    assert all(step.at <= datetime.datetime.now(datetime.UTC) for step in steps)


def test_a_decision_has_a_reason(decisions: DeliveryDecisions) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        decisions.hold(["t0001"], None, "")


def test_what_a_newer_revision_corrects_is_not_sent_once_more(
    decisions: DeliveryDecisions, send: Send
) -> None:
    send(ScriptedMailer(), delivery(SATO))
    with pytest.raises(DecisionError, match="revision 2 waits to correct revision 1"):
        decisions.resend("t0001", OCTOBER, 1, "lost")


def test_figures_that_returned_may_be_sent_once_more(
    decisions: DeliveryDecisions, send: Send, revisions_url: str
) -> None:
    send(ScriptedMailer(), delivery(SATO))
    with psycopg.connect(revisions_url) as connection:
        connection.execute(
            """
            insert into reporting.stage_outcomes
                (month, tenant_id, stage, run_id, artefact, revision)
            values (%s, 't0001', 'statements', 'run', 'a.arrow#t0001', 1)
            """,
            [OCTOBER.start],
        )
    decisions.resend("t0001", OCTOBER, 1, "lost")
    assert states(send(ScriptedMailer(), delivery(SATO))) == ["ACCEPTED", "ACCEPTED"]


@pytest.mark.usefixtures("one_revision")
def test_a_resend_that_was_blocked_goes_out_once_it_may(
    decisions: DeliveryDecisions, send: Send, register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    sent = send(ScriptedMailer(), delivery(SATO))
    again = decisions.resend("t0001", OCTOBER, 1, "lost")
    register.block([again], FailureCode.MAIL_REFUSED, "552 too big")
    with psycopg.connect(revisions_url) as connection:
        connection.execute(
            "insert into reporting.suppressed_addresses values (%s, 'Bounce', %s, 1)",
            [SATO.email, sent.delivery_id],
        )
    assert failure_code(send, ScriptedMailer(), delivery(SATO)) is FailureCode.MAIL_REFUSED
    decisions.unsuppress(SATO.email, "mailbox was full")
    assert states(send(ScriptedMailer(), delivery(SATO))) == ["ACCEPTED", "ACCEPTED"]


def test_a_mail_that_was_refused_is_opened_again_by_a_person(
    decisions: DeliveryDecisions, send: Send
) -> None:
    refusing = ScriptedMailer(DefiniteRejectionError("550 no such user"))
    assert failure_code(send, refusing, delivery(SATO)) is FailureCode.ADDRESS_REFUSED
    assert failure_code(send, refusing, delivery(SATO)) is FailureCode.ADDRESS_REFUSED
    assert len(refusing.posts) == 1
    decisions.reopen("t0001", OCTOBER, 1, "the relay was misconfigured")
    assert states(send(refusing, delivery(SATO))) == ["ACCEPTED"]
    with pytest.raises(DecisionError, match="not blocked but ACCEPTED"):
        decisions.reopen("t0001", OCTOBER, 1, "again")


def test_a_refused_mail_is_tried_again_by_the_next_run(send: Send) -> None:
    refusing = ScriptedMailer(MailRefusedError("552 too big"))
    assert failure_code(send, refusing, delivery(SATO)) is FailureCode.MAIL_REFUSED
    assert states(send(refusing, delivery(SATO))) == ["ACCEPTED"]


def test_an_unclear_mail_that_was_signed_off_holds_nothing_up(
    decisions: DeliveryDecisions, send: Send
) -> None:
    unclear = ScriptedMailer(UnclearOutcomeError("time-out"))
    assert failure_code(send, unclear, delivery(SATO)) is FailureCode.DELIVERY_UNKNOWN
    decisions.sign_off("t0001", OCTOBER, 1, "nobody answers")
    assert states(send(unclear, delivery(SATO))) == ["UNKNOWN"]


def test_a_copy_that_is_refused_is_a_failure_and_may_go_elsewhere(
    decisions: DeliveryDecisions, send: Send, one_revision: None
) -> None:
    mailer = ScriptedMailer(UnclearOutcomeError("a time-out"))
    assert failure_code(send, mailer, delivery(SATO, SUZUKI)) is FailureCode.DELIVERY_UNKNOWN
    decisions.resend("t0001", OCTOBER, 1, "nothing came", to=TANAKA)
    refused = ScriptedMailer(DefiniteRejectionError("no such user"))
    assert failure_code(send, refused, delivery(SATO, SUZUKI)) is FailureCode.ADDRESS_REFUSED
    assert failure_code(send, mailer, delivery(SATO, SUZUKI)) is FailureCode.ADDRESS_REFUSED

    again = decisions.resend(
        "t0001", OCTOBER, 3, "misspelt", to=replace(TANAKA, email="t@a.example")
    )
    assert (again.recipient_no, again.resend_of) == (4, 3)
    sent = send(mailer, delivery(SATO, SUZUKI))
    assert states(sent) == ["UNKNOWN", "ACCEPTED", "SUPERSEDED", "ACCEPTED"]
    with pytest.raises(DecisionError, match="SUPERSEDED"):
        decisions.reopen("t0001", OCTOBER, 3, "it was mended")


def test_a_hold_of_what_has_gone_out_is_no_failure(
    decisions: DeliveryDecisions, send: Send
) -> None:
    mailer = ScriptedMailer()
    send(mailer, delivery(SATO))
    decisions.hold(["t0001"], None, "a dispute")
    assert states(send(mailer, delivery(SATO))) == ["ACCEPTED"]
    assert len(mailer.posts) == 1
