"""A notice reaches the topic once, in a form for people and in one for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import psycopg
import pytest

from resources.aws_errors import AwsRefusedError, AwsUnavailableError
from resources.notifier import Notice, Severity, readable_text, record_text
from resources.sns_notifier import SnsNotifier, sns_client
from tests.emulators.aws import Aws
from tests.faulty_proxy import FaultyProxy, RequestFault

NOTICE = Notice(
    key="month-not-opened_2026-10",
    severity=Severity.ERROR,
    title={"ja": "10月が開かれていません", "en": "2026-10 was — not opened"},
    body={"ja": "開いてください。", "en": "Open it."},
    links={"Dagster": "https://dagster.example/runs"},
)
THROTTLED = RequestFault(
    status=400, body="<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"
)
FORBIDDEN = RequestFault(
    status=403, body="<ErrorResponse><Error><Code>AuthorizationError</Code></Error></ErrorResponse>"
)

pytestmark = pytest.mark.usefixtures("aws_credentials", "no_pauses")


@pytest.fixture(scope="module")
def topic(aws: Aws) -> str:
    arn: str = aws.client("sns").create_topic(Name="notices")["TopicArn"]
    return arn


@pytest.fixture(scope="module")
def subscribed(aws: Aws, topic: str) -> str:
    """Of a program that gets all notices of severity error."""
    sqs = aws.client("sqs")
    url: str = sqs.create_queue(QueueName="chat-bot")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    aws.client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn["Attributes"]["QueueArn"],
        Attributes={"FilterPolicy": json.dumps({"severity": ["error"]})},
    )
    return url


@pytest.fixture
def queue_url(aws: Aws, subscribed: str) -> str:
    """The same, empty."""
    received(aws, subscribed)
    return subscribed


@pytest.fixture
def notifier(proxy: FaultyProxy, topic: str, database_url: str) -> SnsNotifier:
    return SnsNotifier(sns_client(), topic, database_url)


def received(aws: Aws, queue_url: str) -> list[dict[str, Any]]:
    """What the program has got since it was last asked."""
    sqs = aws.client("sqs")
    messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def published(proxy: FaultyProxy) -> list[Mapping[str, str]]:
    """The parameters of each request."""
    return [
        {name: value for name, [value] in parse_qs(request.body.decode()).items()}
        for request in proxy.requests
    ]


def test_a_program_gets_the_record_and_what_it_filters_by(
    aws: Aws, notifier: SnsNotifier, queue_url: str
) -> None:
    notifier.notify(NOTICE)
    notifier.notify(replace(NOTICE, key="mail-bounced_1", severity=Severity.WARNING))
    [message] = received(aws, queue_url)
    assert message["Message"] == record_text(NOTICE)
    attributes = {name: found["Value"] for name, found in message["MessageAttributes"].items()}
    assert attributes == {
        "severity": "error",
        "kind": "month-not-opened",
        "title_ja": "10月が開かれていません",
        "title_en": "2026-10 was — not opened",
    }


def test_people_get_a_mail_in_every_language(notifier: SnsNotifier, proxy: FaultyProxy) -> None:
    notifier.notify(NOTICE)
    [request] = published(proxy)
    assert json.loads(request["Message"])["email"] == readable_text(NOTICE)
    # SNS takes no other characters there
    assert request["Subject"] == "[ERROR] 2026-10 was ? not opened"


def test_a_long_title_over_several_lines_fits_a_subject(
    notifier: SnsNotifier, proxy: FaultyProxy
) -> None:
    notifier.notify(replace(NOTICE, title={"ja": "長" * 300, "en": "long\nline\t" * 30}))
    [request] = published(proxy)
    assert len(request["Subject"]) <= 100
    assert request["Subject"].startswith("[ERROR] long line long")


def test_a_notice_is_told_once(
    notifier: SnsNotifier, proxy: FaultyProxy, topic: str, database_url: str
) -> None:
    notifier.notify(NOTICE)
    notifier.notify(NOTICE)
    # nor by another process
    SnsNotifier(sns_client(), topic, database_url).notify(NOTICE)
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [(THROTTLED, AwsUnavailableError), (FORBIDDEN, AwsRefusedError)],
    ids=["throttled", "forbidden"],
)
def test_what_could_not_be_told_is_told_later(
    notifier: SnsNotifier,
    proxy: FaultyProxy,
    aws: Aws,
    queue_url: str,
    fault: RequestFault,
    error: type[Exception],
) -> None:
    proxy.faults += [fault] * 5
    with pytest.raises(error, match=f"telling {NOTICE.key}"):
        notifier.notify(NOTICE)
    assert received(aws, queue_url) == []
    proxy.faults.clear()
    notifier.notify(NOTICE)
    assert len(received(aws, queue_url)) == 1


def test_a_lost_answer_costs_a_second_telling_at_worst(
    notifier: SnsNotifier, proxy: FaultyProxy, aws: Aws, queue_url: str
) -> None:
    proxy.faults.append(RequestFault(forwarded=True))
    notifier.notify(NOTICE)
    assert len(received(aws, queue_url)) == 2
    notifier.notify(NOTICE)
    assert received(aws, queue_url) == []


def test_a_process_that_dies_before_it_remembers_has_told(
    notifier: SnsNotifier, aws: Aws, queue_url: str, database_url: str
) -> None:
    notifier.notify(NOTICE)
    with psycopg.connect(database_url) as connection:
        connection.execute("delete from reporting.notices")
    notifier.notify(NOTICE)
    assert len(received(aws, queue_url)) == 2


@pytest.mark.parametrize("text", ["貸借不一致\n" * 20_000, '\u0001"\\' * 60_000])
def test_a_notice_that_is_too_long_is_cut(
    notifier: SnsNotifier, proxy: FaultyProxy, aws: Aws, queue_url: str, text: str
) -> None:
    """To 256 KiB, as they travel: JSON and UTF-8 make texts longer."""
    notifier.notify(replace(NOTICE, body={"ja": text, "en": "short"}))
    [request] = published(proxy)
    attributes = [text for name, text in request.items() if name.startswith("MessageAttributes.")]
    assert len(request["Message"].encode()) + len("".join(attributes).encode()) <= 256 * 1024
    [message] = received(aws, queue_url)
    record = json.loads(message["Message"])
    assert record["body"]["en"] == "short"
    assert record["body"]["ja"].endswith("…")
    assert text.startswith(record["body"]["ja"][:-1])
    assert len(record["body"]["ja"]) > 1_000
