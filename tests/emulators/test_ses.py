"""SES as a sender of raw mails meets it, through boto3."""

from __future__ import annotations

import json
from email.message import EmailMessage
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.emulators.api_calls import AwsError
from tests.emulators.aws import Aws
from tests.emulators.ses import SentMail
from tests.end_to_end.services import wait_until

SENDER = "reports@financeflow.example"
SATO = "sato@customer.example"
EVERY_EVENT = ["SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY"]


@pytest.fixture
def account(aws: Aws) -> Aws:
    """One that may send, with events of a configuration set in a queue."""
    ses, sns, sqs = aws.client("sesv2"), aws.client("sns"), aws.client("sqs")
    ses.create_email_identity(EmailIdentity="financeflow.example")
    ses.create_configuration_set(ConfigurationSetName="reports")
    topic = sns.create_topic(Name="mail-events")["TopicArn"]
    queue = sqs.create_queue(QueueName="feedback")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue_arn["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )  # fmt: skip
    ses.create_configuration_set_event_destination(
        ConfigurationSetName="reports",
        EventDestinationName="queue",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": EVERY_EVENT,
            "SnsDestination": {"TopicArn": topic},
        },
    )
    aws.ses.event_seconds = 0
    return aws


def send(
    aws: Aws,
    to: str = SATO,
    *,
    content: bytes = b"report",
    client: Any = None,
    **request: Any,
) -> str:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "月次報告", SENDER, to
    mail.set_content("本文")
    mail.add_attachment(content, maintype="application", subtype="pdf", filename="損益.pdf")
    answer = (client or aws.client("sesv2")).send_email(
        **{
            "FromEmailAddress": SENDER,
            "Destination": {"ToAddresses": [to]},
            "Content": {"Raw": {"Data": mail.as_bytes()}},
            "ConfigurationSetName": "reports",
            "EmailTags": [{"Name": "tenant_id", "Value": "t0001"}],
            **request,
        }
    )
    message_id: str = answer["MessageId"]
    return message_id


def events(aws: Aws, count: int) -> list[dict[str, Any]]:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="feedback")["QueueUrl"]
    found: list[dict[str, Any]] = []

    def has_come() -> bool:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        found.extend(json.loads(message["Body"]) for message in messages)
        return len(found) >= count

    wait_until(has_come, f"{count} events", 20)
    return found


def test_a_mail_is_kept_as_it_came_and_its_events_reach_the_queue(account: Aws) -> None:
    message_id = send(account)
    [mail] = account.ses.accepted
    assert isinstance(mail, SentMail)
    assert mail.message_id == message_id
    assert mail.tags == {"tenant_id": "t0001"}
    assert mail.raw.startswith(b"Subject:")
    [attachment] = mail.content.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == ("損益.pdf", b"report")
    sent, delivered = events(account, 2)
    assert (sent["eventType"], delivered["eventType"]) == ("Send", "Delivery")
    assert delivered["mail"]["messageId"] == message_id
    assert delivered["mail"]["tags"]["tenant_id"] == ["t0001"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"FromEmailAddress": "somebody@else.example"}, "MessageRejected"),
        ({"ConfigurationSetName": "none"}, "NotFoundException"),
        ({"Destination": {"ToAddresses": [SATO] * 51}}, "BadRequestException"),
        ({"EmailTags": [{"Name": "t", "Value": "株式会社"}]}, "BadRequestException"),
        ({"content": b"x" * 100_000}, "BadRequestException"),
    ],
    ids=["sender", "configuration set", "recipients", "tag", "size"],
)
def test_what_ses_would_refuse_is_refused(
    account: Aws, request_: dict[str, Any], code: str
) -> None:
    account.ses.most_bytes = 100_000
    with pytest.raises(ClientError, match=code):
        send(account, **request_)
    assert not account.ses.accepted


def test_rate_and_quota_are_those_of_the_account(account: Aws) -> None:
    account.ses.mails_a_second = 2
    quota = account.client("sesv2").get_account()["SendQuota"]
    assert quota == {"Max24HourSend": 50000, "MaxSendRate": 2, "SentLast24Hours": 0}
    send(account)
    send(account)
    # By default boto3 waits and tries again, and may find the next second.
    once = Config(retries={"total_max_attempts": 1})
    with pytest.raises(ClientError, match="Maximum sending rate exceeded") as caught:
        send(account, client=account.client("sesv2", config=once))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    account.ses.mails_a_second, account.ses.mails_a_day = 1000, len(account.ses.accepted)
    with pytest.raises(ClientError, match="Daily message quota exceeded"):
        send(account)


def test_a_sandbox_sends_to_verified_addresses_only(account: Aws) -> None:
    account.ses.is_sandbox = True
    assert account.client("sesv2").get_account()["ProductionAccessEnabled"] is False
    with pytest.raises(ClientError, match=f"not verified.*{SATO}"):
        send(account)
    account.client("sesv2").create_email_identity(EmailIdentity=SATO)
    send(account)


def test_an_address_that_bounced_is_suppressed_until_somebody_removes_it(account: Aws) -> None:
    account.ses.bouncing = {SATO}
    ses = account.client("sesv2")
    send(account)
    bounce = events(account, 2)[1]["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Permanent", "General")
    account.ses.bouncing = set()
    assert ses.get_suppressed_destination(EmailAddress=SATO)["SuppressedDestination"]
    send(account)
    assert events(account, 2)[1]["bounce"]["bounceSubType"] == "OnAccountSuppressionList"
    ses.delete_suppressed_destination(EmailAddress=SATO)
    send(account)
    assert events(account, 2)[1]["eventType"] == "Delivery"


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("success", ["Send", "Delivery"]),
        ("bounce", ["Send", "Bounce"]),
        ("ooto", ["Send", "Delivery", "Bounce"]),
        ("complaint", ["Send", "Delivery", "Complaint"]),
    ],
)
def test_the_mailbox_simulator(account: Aws, name: str, kinds: list[str]) -> None:
    send(account, f"{name}+t0001@simulator.amazonses.com")
    assert [event["eventType"] for event in events(account, len(kinds))] == kinds
    assert not account.ses.suppressed


def test_a_refusal_on_order(account: Aws) -> None:
    account.ses.refusals = [AwsError(400, "SendingPausedException", "sending is paused")]
    with pytest.raises(ClientError, match="sending is paused"):
        send(account)
    send(account)
    assert account.ses.posts == 2
