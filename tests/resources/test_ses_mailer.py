import datetime
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from email import policy
from email.message import EmailMessage

import boto3
import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.errors import (
    DefiniteRejectionError,
    MailRefusedError,
    PostError,
    ThrottledError,
    UnclearOutcomeError,
)
from reports_pipeline.delivery.feedback import parse_ses_event
from reports_pipeline.delivery.messages import Envelope
from reports_pipeline.delivery.mime import Mail
from resources.ses_mailer import SesMailer, send_rate_of_account, ses_client
from tests.emulators.aws import Aws
from tests.emulators.clusters import role_arn
from tests.emulators.roles import RefusedError, Roles
from tests.faulty_proxy import FaultyProxy
from tests.http_server import QuietHandler, serving
from tests.send_rates import AtOnce
from tests.ses_server import FakeSes, SesFault, running_ses

ENVELOPE = Envelope("t0001", Month(2026, 10), 3, recipient_no=2)


pytestmark = pytest.mark.usefixtures("aws_credentials")


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSes]:
    with running_ses() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


@pytest.fixture
def mailer(ses: FakeSes) -> SesMailer:
    return new_mailer()


def new_mailer() -> SesMailer:
    """To whatever AWS_ENDPOINT_URL names."""
    return SesMailer(ses_client(read_timeout=1), AtOnce(), configuration_set="reports")


def mail() -> Mail:
    message = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))
    message["From"] = "経理レポート <reports@financeflow.example>"
    message["To"] = "佐藤 <sato@sakura.example>"
    message["Subject"] = "月次レポート"
    message.set_content("本文\n")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="損益.pdf")
    return Mail("reports@financeflow.example", "sato@sakura.example", (message.as_bytes(),))


def test_a_mail_arrives_whole_with_its_identity_in_the_tags(
    ses: FakeSes, mailer: SesMailer
) -> None:
    provider_id = mailer.post(mail(), envelope=ENVELOPE)
    [accepted] = ses.accepted
    assert provider_id == accepted.message_id
    assert accepted.recipients == ["sato@sakura.example"]
    assert accepted.sender == "reports@financeflow.example"
    assert accepted.configuration_set == "reports"
    assert accepted.tags == {
        "delivery_id": ENVELOPE.delivery_id,
        "recipient_no": "2",
        "tenant_id": "t0001",
        "month": "2026-10",
        "revision": "3",
    }
    assert accepted.content["Subject"] == "月次レポート"
    assert accepted.content["From"].addresses[0].display_name == "経理レポート"
    [attachment] = accepted.content.iter_attachments()
    assert attachment.get_filename() == "損益.pdf"
    assert attachment.get_payload(decode=True) == b"%PDF-1.7"


def test_events_of_a_test_are_of_a_delivery_that_nobody_knows(
    ses: FakeSes, mailer: SesMailer
) -> None:
    mailer.post(mail(), envelope=replace(ENVELOPE, test_id="0a"))
    [accepted] = ses.accepted
    feedback = parse_ses_event(
        json.dumps(
            {
                "eventType": "Bounce",
                "mail": {
                    "messageId": accepted.message_id,
                    "tags": {name: [value] for name, value in accepted.tags.items()},
                },
                "bounce": {"bounceType": "Permanent"},
            }
        )
    )
    assert feedback.delivery_id == "test-0a"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("accept, then hang", UnclearOutcomeError),
        ("accept, then 500", UnclearOutcomeError),
        ("accept, then reset", UnclearOutcomeError),
        ("hang", UnclearOutcomeError),
        ("500", UnclearOutcomeError),
        ("reset", UnclearOutcomeError),
        ("429", ThrottledError),
        ("paused", ThrottledError),
        ("expired credentials", ThrottledError),
        # of all mails, not of this address: blocking the tenants one by one would help nobody
        ("sender not verified", ThrottledError),
        ("no configuration set", ThrottledError),
        ("rejected", MailRefusedError),
        ("suppressed", DefiniteRejectionError),
    ],
)
def test_every_fault_has_its_meaning_and_one_post(
    ses: FakeSes, mailer: SesMailer, fault: SesFault, outcome: type[PostError]
) -> None:
    ses.faults.append(fault)
    with pytest.raises(outcome) as raised:
        mailer.post(mail(), envelope=ENVELOPE)
    assert type(raised.value) is outcome
    assert ses.posts == 1


def test_a_client_with_the_defaults_of_boto3_would_have_sent_three_mails(ses: FakeSes) -> None:
    """What the single attempt is for; if this fails, boto3 has changed."""
    ses.faults += ["accept, then 500", "accept, then 500"]
    default = boto3.client("sesv2")
    SesMailer(default, AtOnce(), configuration_set="reports").post(mail(), envelope=ENVELOPE)
    assert len(ses.accepted) == 3


def test_a_server_that_is_not_there_has_certainly_sent_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ThrottledError, match="not reached"):
        new_mailer().post(mail(), envelope=ENVELOPE)


def test_an_answer_lost_behind_a_proxy_leaves_the_mail_unclear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection to the proxy is what breaks, after the request has gone through it."""
    listener = socket.create_server(("127.0.0.1", 0))
    received = bytearray()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            while b'"Content"' not in received:
                received.extend(connection.recv(65536))

    thread = threading.Thread(target=serve)
    thread.start()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://ses.example")
    with pytest.raises(UnclearOutcomeError):
        new_mailer().post(mail(), envelope=ENVELOPE)
    thread.join()
    listener.close()
    assert received.startswith(b"POST http://ses.example")


def test_credentials_that_are_not_renewed_have_certainly_sent_nothing(
    ses: FakeSes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ECS hands a task some that are to be renewed at once, and then says nothing more."""
    roles = Roles()

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name http.server calls
            try:
                given = roles.issue(role_arn("Run"), "task", datetime.timedelta(seconds=5))
            except RefusedError:
                self.send_error(500)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(given).encode())
            self.close_connection = True

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which knows some
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    with serving(Handler) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        client = ses_client()
        roles.end("task")
        with pytest.raises(ThrottledError, match=r"not reached.*credentials"):
            SesMailer(client, AtOnce(), configuration_set="reports").post(mail(), envelope=ENVELOPE)
        with pytest.raises(ThrottledError, match="what may be sent"):
            send_rate_of_account(client)
    assert not ses.posts


@pytest.mark.parametrize(
    ("mails_a_second", "is_sandbox", "rate"), [(14, False, 12.6), (1, True, 0.9)]
)
def test_a_tenth_of_what_the_account_may_send_is_left_to_others(
    aws: Aws, proxy: FaultyProxy, mails_a_second: int, is_sandbox: bool, rate: float
) -> None:
    aws.ses.mails_a_second, aws.ses.is_sandbox = mails_a_second, is_sandbox
    assert send_rate_of_account(ses_client()) == pytest.approx(rate)
