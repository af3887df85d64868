import json
from collections.abc import Iterator
from typing import Any

import pytest

from resources.aws_errors import AwsRefusedError, AwsUnavailableError
from resources.feedback_queue import SqsFeedbackQueue, sqs_client
from tests.emulators.aws import Aws
from tests.faulty_proxy import Fault, FaultyProxy
from tests.sqs_server import FakeSqs, running_sqs


@pytest.fixture
def sqs() -> Iterator[FakeSqs]:
    with running_sqs() as server:
        yield server


@pytest.fixture
def queue(sqs: FakeSqs, aws_credentials: None) -> SqsFeedbackQueue:
    return SqsFeedbackQueue(sqs_client(endpoint_url=sqs.url), sqs.queue_url)


def test_what_is_settled_never_comes_again(sqs: FakeSqs, queue: SqsFeedbackQueue) -> None:
    sqs.waiting += [f"event {number}" for number in range(13)]
    events = [*queue.receive(), *queue.receive()]
    assert [event.text for event in events] == [f"event {number}" for number in range(13)]
    queue.settle(events)
    sqs.time_out()
    assert queue.receive() == []


def test_what_is_not_settled_comes_again(sqs: FakeSqs, queue: SqsFeedbackQueue) -> None:
    sqs.waiting += ["first", "second"]
    queue.settle(queue.receive()[:1])
    assert queue.receive() == []
    sqs.time_out()
    assert [event.text for event in queue.receive()] == ["second"]


def test_settling_nothing_asks_nothing(queue: SqsFeedbackQueue) -> None:
    queue.settle([])


@pytest.fixture(scope="module")
def dead_letters(aws: Aws) -> str:
    url: str = aws.client("sqs").create_queue(QueueName="feedback-dead")["QueueUrl"]
    return url


@pytest.fixture(scope="module")
def queue_url(aws: Aws, dead_letters: str) -> str:
    """Of a queue that gives up an event which was received three times, and hands it out again at
    once."""
    sqs = aws.client("sqs")
    dead = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": dead["Attributes"]["QueueArn"], "maxReceiveCount": 3}
    url: str = sqs.create_queue(
        QueueName="feedback",
        Attributes={"VisibilityTimeout": "0", "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]
    return url


@pytest.fixture
def real_queue(
    proxy: FaultyProxy, queue_url: str, aws_credentials: None, no_pauses: None
) -> SqsFeedbackQueue:
    """As far as moto's SQS is real."""
    return SqsFeedbackQueue(sqs_client(endpoint_url=proxy.url), queue_url)


def test_what_nobody_can_read_ends_among_the_dead_letters(
    aws: Aws, real_queue: SqsFeedbackQueue, queue_url: str, dead_letters: str
) -> None:
    sqs: Any = aws.client("sqs")
    for text in ("{not an event", "good"):
        sqs.send_message(QueueUrl=queue_url, MessageBody=text)
    seen = []
    for _ in range(6):
        events = real_queue.receive()
        seen += [event.text for event in events]
        real_queue.settle([event for event in events if event.text == "good"])
    assert seen.count("good") == 1
    assert seen.count("{not an event") == 3
    [dead] = sqs.receive_message(QueueUrl=dead_letters)["Messages"]
    assert dead["Body"] == "{not an event"


def test_the_queue_is_asked_again(
    aws: Aws, real_queue: SqsFeedbackQueue, proxy: FaultyProxy, queue_url: str
) -> None:
    aws.client("sqs").send_message(QueueUrl=queue_url, MessageBody="event")
    proxy.faults += [Fault(), Fault(status=500)]
    [event] = real_queue.receive()
    proxy.faults.append(Fault(forwarded=True))  # settled, and nobody was told
    real_queue.settle([event])
    assert len(proxy.requests) == 5
    assert real_queue.receive() == []


def test_a_queue_that_does_not_answer_may_answer_later(
    real_queue: SqsFeedbackQueue, proxy: FaultyProxy, queue_url: str
) -> None:
    proxy.faults += [Fault(status=503)] * 5
    with pytest.raises(AwsUnavailableError, match=f"reading {queue_url}"):
        real_queue.receive()


def test_a_queue_that_is_not_there_is_named_with_its_setting(
    proxy: FaultyProxy, aws_credentials: None
) -> None:
    queue = SqsFeedbackQueue(
        sqs_client(endpoint_url=proxy.url), f"{proxy.url}/123456789012/elsewhere"
    )
    with pytest.raises(AwsRefusedError, match=r"elsewhere.*REPORTS_FEEDBACK_QUEUE"):
        queue.receive()
