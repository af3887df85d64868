import contextlib
import datetime
import email
import email.policy
import threading
from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.delivery.deliveries import Delivery, Recipient, RegisteredDelivery
from reports_pipeline.delivery.errors import (
    DefiniteRejectionError,
    LostClaimError,
    ThrottledError,
    UnclearOutcomeError,
)
from reports_pipeline.delivery.messages import Envelope, MailSettings
from reports_pipeline.delivery.mime import Mail
from resources.delivery_register import PostgresDeliveryRegister
from resources.departures import Departure
from resources.dispatch import deliver
from resources.mailer import Mailer, OutboxMailer
from tests.delivery.examples import (
    CONTENTS,
    FILE_NAMES,
    LETTER,
    OCTOBER,
    SATO,
    SUZUKI,
    delivery,
    object_key,
    stored_documents,
)

NOW = datetime.datetime(2026, 11, 1, 6, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=9)))


Send = Callable[[Mailer, Delivery], RegisteredDelivery]


class ScriptedMailer(Mailer):
    """Answers each post with the next of `answers`; then accepts."""

    def __init__(self, *answers: BaseException) -> None:
        self.answers = list(answers)
        self.posts: list[str] = []

    def post(self, mail: Mail, *, envelope: Envelope) -> str:
        self.posts.append(mail.recipient)
        if self.answers:
            raise self.answers.pop(0)
        return f"id-{envelope.recipient_no}"


@pytest.fixture
def send(register: PostgresDeliveryRegister) -> Send:
    def send(mailer: Mailer, sent: Delivery) -> RegisteredDelivery:
        stored = stored_documents(revision=sent.revision)
        return deliver(register, mailer, stored.__getitem__, sent, settings=MailSettings(), now=NOW)

    return send


def states(register: PostgresDeliveryRegister) -> list[str]:
    """The states of the newest revision's messages."""
    return [m.state.value for m in register.read(OCTOBER, ["t0001"])["t0001"][-1].messages]


def failure(send: Send, mailer: Mailer, sent: Delivery) -> TenantFailure:
    with pytest.raises(TenantFailureError) as raised:
        send(mailer, sent)
    assert raised.value.failure.tenant_id == "t0001"
    return raised.value.failure


def test_each_contact_gets_one_mail_with_all_documents(send: Send, tmp_path: Path) -> None:
    sent = send(OutboxMailer(tmp_path), delivery(SATO, SUZUKI))
    assert [m.provider_id for m in sent.messages] == [
        "2026-10/t0001_r1_1.eml",
        "2026-10/t0001_r1_2.eml",
    ]
    for message in sent.messages:
        assert message.provider_id is not None
        content = (tmp_path / message.provider_id).read_bytes()
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        assert [a.addr_spec for a in mail["To"].addresses] == [message.recipient.email]
        assert {
            part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()
        } == {FILE_NAMES[name]: content for name, content in CONTENTS.items()}


def test_delivering_again_posts_nothing_and_returns_the_same(send: Send) -> None:
    mailer = ScriptedMailer()
    first = send(mailer, delivery(SATO, SUZUKI))
    assert send(mailer, delivery(SATO, SUZUKI)) == first
    assert mailer.posts == [SATO.email, SUZUKI.email]


def test_an_address_listed_twice_gets_one_mail(send: Send) -> None:
    mailer = ScriptedMailer()
    send(mailer, delivery(SATO, Recipient("佐藤（経理）", SATO.email.upper())))
    assert mailer.posts == [SATO.email]


def test_of_many_processes_that_deliver_at_once_one_posts(send: Send, revisions_url: str) -> None:
    mailer = ScriptedMailer()
    start = threading.Barrier(6)

    def run() -> None:
        with PostgresDeliveryRegister(revisions_url, actor="thread") as own:
            own.read(OCTOBER, [])
            start.wait()
            with contextlib.suppress(LostClaimError):
                deliver(
                    own,
                    mailer,
                    stored_documents().__getitem__,
                    delivery(SATO, SUZUKI),
                    settings=MailSettings(),
                    now=NOW,
                )

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send(mailer, delivery(SATO, SUZUKI))
    assert sorted(mailer.posts) == [SATO.email, SUZUKI.email]


def test_without_contacts_the_delivery_waits_for_them(
    send: Send, register: PostgresDeliveryRegister
) -> None:
    mailer = ScriptedMailer()
    assert failure(send, mailer, delivery()).code is FailureCode.NO_RECIPIENT
    assert states(register) == []
    send(mailer, delivery(SATO))
    assert mailer.posts == [SATO.email]


def test_a_document_that_changed_is_not_sent(
    send: Send, register: PostgresDeliveryRegister
) -> None:
    mailer = ScriptedMailer()
    tampered = stored_documents() | {object_key("income_statement.pdf"): b"tampered"}
    with pytest.raises(TenantFailureError) as raised:
        deliver(
            register,
            mailer,
            tampered.__getitem__,
            delivery(SATO, SUZUKI),
            settings=MailSettings(),
            now=NOW,
        )
    assert raised.value.failure.code is FailureCode.DOCUMENT_MISMATCH
    assert raised.value.failure.details["document"] == "income_statement.pdf"
    assert states(register) == ["BLOCKED", "BLOCKED"]
    assert mailer.posts == []

    send(mailer, delivery(SATO, SUZUKI))  # the document is as it was built again
    assert states(register) == ["ACCEPTED", "ACCEPTED"]


def test_text_that_does_not_print_blocks_the_tenant(
    send: Send, register: PostgresDeliveryRegister
) -> None:
    mailer = ScriptedMailer()
    letter = replace(LETTER, company_name="株式会社\r\nBcc: evil@y.example")
    assert failure(send, mailer, delivery(SATO, letter=letter)).code is FailureCode.BAD_TEXT
    assert states(register) == ["BLOCKED"]
    assert mailer.posts == []


@pytest.mark.parametrize("address", ["a@b.example, evil@y.example", "sato@y.example\r\nBcc: e@y"])
def test_a_bad_address_does_not_stop_the_other_contacts(
    send: Send, register: PostgresDeliveryRegister, address: str
) -> None:
    mailer = ScriptedMailer()
    sent = send(mailer, delivery(Recipient("佐藤", address), SUZUKI))
    assert mailer.posts == [SUZUKI.email]
    assert states(register) == ["BLOCKED", "ACCEPTED"]
    assert sent.messages[0].blocked_code is FailureCode.ADDRESS_REFUSED


def test_a_tenant_whose_contacts_are_all_refused_fails(
    send: Send, register: PostgresDeliveryRegister
) -> None:
    mailer = ScriptedMailer(DefiniteRejectionError("suppressed"), DefiniteRejectionError("bad"))
    for _ in range(2):
        found = failure(send, mailer, delivery(SATO, SUZUKI))
        assert found.code is FailureCode.ADDRESS_REFUSED
        assert found.details == {"recipient_nos": "1, 2"}
    assert mailer.posts == [SATO.email, SUZUKI.email]
    assert states(register) == ["BLOCKED", "BLOCKED"]


def test_a_throttled_mail_goes_out_later(send: Send, register: PostgresDeliveryRegister) -> None:
    mailer = ScriptedMailer(ThrottledError("429"))
    with pytest.raises(ThrottledError):
        send(mailer, delivery(SATO, SUZUKI))
    # One reader's full mailbox keeps nobody else waiting.
    assert states(register) == ["READY", "ACCEPTED"]
    sent = send(mailer, delivery(SATO, SUZUKI))
    assert [message.attempts for message in sent.messages] == [2, 1]
    assert mailer.posts == [SATO.email, SUZUKI.email, SATO.email]


def test_an_unclear_outcome_is_never_posted_again(
    send: Send, register: PostgresDeliveryRegister
) -> None:
    mailer = ScriptedMailer(UnclearOutcomeError("time-out"))
    for _ in range(2):
        found = failure(send, mailer, delivery(SATO, SUZUKI))
        assert found.code is FailureCode.DELIVERY_UNKNOWN
        assert found.details["recipient_nos"] == "1"
    assert states(register) == ["UNKNOWN", "ACCEPTED"]
    assert mailer.posts == [SATO.email, SUZUKI.email]


def test_whatever_breaks_around_the_post_is_unclear(
    send: Send, register: PostgresDeliveryRegister
) -> None:
    with pytest.raises(ConnectionResetError):
        send(ScriptedMailer(ConnectionResetError("peer")), delivery(SATO))
    assert states(register) == ["UNKNOWN"]


def test_a_process_that_dies_while_posting_leaves_a_mail_that_nobody_posts_again(
    send: Send, register: PostgresDeliveryRegister
) -> None:
    with pytest.raises(SystemExit):
        send(ScriptedMailer(SystemExit()), delivery(SATO, SUZUKI))
    assert states(register) == ["POSTING", "READY"]
    mailer = ScriptedMailer()
    for _ in range(2):
        with pytest.raises(LostClaimError, match="POSTING"):
            send(mailer, delivery(SATO, SUZUKI))
    assert mailer.posts == [SUZUKI.email]
    assert states(register) == ["POSTING", "ACCEPTED"]


def test_a_mail_found_in_the_outbox_is_unclear(
    send: Send, register: PostgresDeliveryRegister, tmp_path: Path
) -> None:
    mail = tmp_path / "2026-10" / "t0001_r1_1.eml"
    mail.parent.mkdir()
    mail.write_bytes(b"posted before")
    found = failure(send, OutboxMailer(tmp_path), delivery(SATO))
    assert found.code is FailureCode.DELIVERY_UNKNOWN
    assert mail.read_bytes() == b"posted before"


NINE = NOW.replace(hour=9, minute=0)
AFTER_NINE = Departure(NINE)
AFTER_THE_CANARIES = Departure(NOW, waits_for_canaries=True)


def deliver_at(
    register: PostgresDeliveryRegister,
    mailer: Mailer,
    sent: Delivery,
    departure: Departure,
    now: datetime.datetime = NOW,
) -> RegisteredDelivery:
    stored = stored_documents(revision=sent.revision)
    settings = MailSettings()
    return deliver(
        register, mailer, stored.__getitem__, sent, settings=settings, now=now, departure=departure
    )


@pytest.mark.parametrize("departure", [AFTER_NINE, AFTER_THE_CANARIES])
def test_what_may_not_go_yet_is_made_ready_and_goes_later(
    register: PostgresDeliveryRegister, departure: Departure
) -> None:
    mailer = ScriptedMailer()
    sent = delivery(SATO, SUZUKI)
    waiting = deliver_at(register, mailer, sent, departure)
    assert [message.state for message in waiting.messages] == ["READY", "READY"]
    assert deliver_at(register, mailer, sent, departure) == waiting
    assert mailer.posts == []
    gone = deliver_at(register, mailer, sent, Departure(NINE), now=NINE)
    assert [message.state for message in gone.messages] == ["ACCEPTED", "ACCEPTED"]


def test_what_has_gone_out_does_not_wait(register: PostgresDeliveryRegister) -> None:
    mailer = ScriptedMailer()
    gone = deliver_at(register, mailer, delivery(SATO), Departure(NOW))
    assert deliver_at(register, mailer, delivery(SATO), AFTER_NINE) == gone


def test_what_is_wrong_is_found_before_the_wait(register: PostgresDeliveryRegister) -> None:
    mailer = ScriptedMailer()
    nobody = Recipient("佐藤", "sato@")
    waiting = deliver_at(register, mailer, delivery(nobody, SUZUKI), AFTER_NINE)
    assert [message.state for message in waiting.messages] == ["BLOCKED", "READY"]
    broken = delivery(
        SATO, tenant_id="t0002", letter=replace(LETTER, company_name="山田\u202e製作所")
    )
    with pytest.raises(TenantFailureError) as raised:
        deliver(
            register,
            mailer,
            stored_documents(tenant_id="t0002").__getitem__,
            broken,
            settings=MailSettings(),
            now=NOW,
            departure=AFTER_NINE,
        )
    assert raised.value.failure.code is FailureCode.BAD_TEXT


def test_nobody_to_wait_for_is_a_failure(register: PostgresDeliveryRegister) -> None:
    for contacts in ((), (Recipient("佐藤", "sato@"),)):
        with pytest.raises(TenantFailureError):
            deliver_at(register, ScriptedMailer(), delivery(*contacts), AFTER_NINE)


def test_contacts_and_corrections_are_followed_while_mails_wait(
    register: PostgresDeliveryRegister,
) -> None:
    mailer = ScriptedMailer()
    deliver_at(register, mailer, delivery(SATO), AFTER_NINE)
    waiting = deliver_at(register, mailer, delivery(SUZUKI), AFTER_NINE)
    assert [message.state for message in waiting.messages] == ["BLOCKED", "READY"]
    newer = deliver_at(register, mailer, delivery(SUZUKI, revision=2), AFTER_NINE)
    assert [message.state for message in newer.messages] == ["READY"]
    old, _ = register.read(OCTOBER, ["t0001"])["t0001"]
    assert [message.state for message in old.messages] == ["SUPERSEDED"] * 2
    deliver_at(register, mailer, delivery(SUZUKI, revision=2), AFTER_NINE, now=NINE)
    assert mailer.posts == [SUZUKI.email]


def test_a_correction_of_a_mail_that_was_sent_waits_for_a_person(send: Send) -> None:
    mailer = ScriptedMailer()
    send(mailer, delivery(SATO))
    found = failure(send, mailer, delivery(SATO, revision=2))
    assert found.code is FailureCode.CORRECTION_PENDING
    assert found.details == {"revision": 2, "earlier_revision": 1}
    assert mailer.posts == [SATO.email]


def test_a_revision_that_replaces_an_unsent_one_goes_out(
    send: Send, register: PostgresDeliveryRegister
) -> None:
    mailer = ScriptedMailer(ThrottledError("429"))
    with pytest.raises(ThrottledError):
        send(mailer, delivery(SATO))
    send(mailer, delivery(SATO, revision=2))
    old, new = register.read(OCTOBER, ["t0001"])["t0001"]
    assert [m.state.value for m in old.messages] == ["SUPERSEDED"]
    assert [m.state.value for m in new.messages] == ["ACCEPTED"]


def test_a_broken_template_blocks_its_company_before_a_mail_is_claimed(
    register: PostgresDeliveryRegister, tmp_path: Path
) -> None:
    variant = tmp_path / "tenants" / "t0001" / "monthly_reports.html"
    variant.parent.mkdir(parents=True)
    mailer = ScriptedMailer()

    def send_with(source: str) -> RegisteredDelivery:
        variant.write_text(source)
        return deliver(
            register,
            mailer,
            stored_documents().__getitem__,
            delivery(SATO, SUZUKI),
            settings=MailSettings(templates=tmp_path),
            now=NOW,
        )

    with pytest.raises(TenantFailureError) as raised:
        send_with("{{ nobody }}")
    assert raised.value.failure.code is FailureCode.TEMPLATE_UNUSABLE
    assert states(register) == ["BLOCKED", "BLOCKED"]
    assert mailer.posts == []

    send_with('{% extends "monthly_reports.html" %}')
    assert states(register) == ["ACCEPTED", "ACCEPTED"]


@pytest.mark.parametrize("largest_mail_bytes", [0, 2_000])
def test_documents_of_a_mail_that_would_be_too_large_come_as_links(
    register: PostgresDeliveryRegister, tmp_path: Path, largest_mail_bytes: int
) -> None:
    shared: list[tuple[str, str]] = []

    def share(key: str, /, *, file_name: str, until: datetime.datetime) -> str:
        shared.append((key, file_name))
        assert until == NOW + datetime.timedelta(days=7)
        return f"https://documents.example/{len(shared)}"

    sent = deliver(
        register,
        OutboxMailer(tmp_path),
        stored_documents().__getitem__,
        replace(delivery(SATO, SUZUKI), largest_mail_bytes=largest_mail_bytes),
        settings=MailSettings(),
        now=NOW,
        share_document=share,
    )
    assert shared == [(object_key(name), FILE_NAMES[name]) for name in CONTENTS]
    for message in sent.messages:
        assert message.provider_id is not None
        content = (tmp_path / message.provider_id).read_bytes()
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        assert list(mail.iter_attachments()) == []
        body = mail.get_body(("plain",))
        assert body is not None
        assert "https://documents.example/2" in body.get_content()


def test_a_document_that_changed_is_not_linked_to(register: PostgresDeliveryRegister) -> None:
    def share(key: str, /, *, file_name: str, until: datetime.datetime) -> str:
        pytest.fail(f"shared {key} {file_name} {until}")

    tampered = stored_documents() | {object_key("income_statement.pdf"): b"tampered"}
    with pytest.raises(TenantFailureError) as raised:
        deliver(
            register,
            ScriptedMailer(),
            tampered.__getitem__,
            replace(delivery(SATO), largest_mail_bytes=0),
            settings=MailSettings(),
            now=NOW,
            share_document=share,
        )
    assert raised.value.failure.code is FailureCode.DOCUMENT_MISMATCH
