import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest

from resources.aws_errors import AwsRefusedError, AwsUnavailableError
from resources.feedback_queue import QueuedEvent, SqsFeedbackQueue, sqs_client
from tests.emulators.aws import Aws
from tests.faulty_proxy import FaultyProxy, RequestFault

pytestmark = pytest.mark.usefixtures("no_pauses")

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def sqs(aws: Aws) -> Any:
    """A client of somebody else."""
    return aws.client("sqs")


@pytest.fixture(scope="module")
def dead_letters(sqs: Any) -> str:
    url: str = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    return url


@pytest.fixture
def queue_url(sqs: Any, dead_letters: str) -> str:
    """Of a queue that gives up an event which was received three times."""
    dead = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": dead["Attributes"]["QueueArn"], "maxReceiveCount": 3}
    url: str = sqs.create_queue(
        QueueName=f"feedback-{next(_numbers)}", Attributes={"RedrivePolicy": json.dumps(redrive)}
    )["QueueUrl"]
    return url


@pytest.fixture
def queue(proxy: FaultyProxy, queue_url: str) -> SqsFeedbackQueue:
    return SqsFeedbackQueue(sqs_client(), queue_url)


def send(sqs: Any, queue_url: str, texts: Sequence[str]) -> None:
    for text in texts:
        sqs.send_message(QueueUrl=queue_url, MessageBody=text)


def time_out(sqs: Any, queue_url: str, events: Sequence[QueuedEvent]) -> None:
    """As if their visibility time-out were over."""
    for event in events:
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=event.receipt, VisibilityTimeout=0
        )


def test_what_is_settled_never_comes_again(
    sqs: Any, queue: SqsFeedbackQueue, queue_url: str
) -> None:
    texts = [f"event {number:02}" for number in range(13)]
    send(sqs, queue_url, texts)
    events = [*queue.receive(), *queue.receive()]
    assert sorted(event.text for event in events) == texts
    queue.settle(events[:12])
    time_out(sqs, queue_url, events[12:])
    assert [event.text for event in queue.receive()] == [events[12].text]


def test_what_is_not_settled_comes_again(sqs: Any, queue: SqsFeedbackQueue, queue_url: str) -> None:
    send(sqs, queue_url, ["first", "second"])
    events = queue.receive()
    queue.settle(events[:1])
    assert queue.receive() == []
    time_out(sqs, queue_url, events[1:])
    assert [event.text for event in queue.receive()] == ["second"]


def test_settling_nothing_asks_nothing(queue: SqsFeedbackQueue, proxy: FaultyProxy) -> None:
    queue.settle([])
    assert proxy.requests == []


def test_what_nobody_can_read_ends_among_the_dead_letters(
    sqs: Any, queue: SqsFeedbackQueue, queue_url: str, dead_letters: str
) -> None:
    send(sqs, queue_url, ["{not an event", "good"])
    seen = []
    for _ in range(6):
        events = queue.receive()
        seen += [event.text for event in events]
        queue.settle([event for event in events if event.text == "good"])
        time_out(sqs, queue_url, [event for event in events if event.text != "good"])
    assert seen.count("good") == 1
    assert seen.count("{not an event") == 3
    [dead] = sqs.receive_message(QueueUrl=dead_letters)["Messages"]
    assert dead["Body"] == "{not an event"


def test_the_queue_is_asked_again(
    sqs: Any, queue: SqsFeedbackQueue, proxy: FaultyProxy, queue_url: str
) -> None:
    send(sqs, queue_url, ["event"])
    proxy.faults += [RequestFault(), RequestFault(status=500)]
    [event] = queue.receive()
    proxy.faults.append(RequestFault(forwarded=True))  # settled, and nobody was told
    queue.settle([event])
    assert len(proxy.requests) == 5
    assert queue.receive() == []


def test_a_queue_that_does_not_answer_may_answer_later(
    queue: SqsFeedbackQueue, proxy: FaultyProxy, queue_url: str
) -> None:
    proxy.faults += [RequestFault(status=503)] * 5
    with pytest.raises(AwsUnavailableError, match=f"reading {queue_url}"):
        queue.receive()


def test_a_queue_that_is_not_there_is_named_with_its_setting(proxy: FaultyProxy) -> None:
    queue = SqsFeedbackQueue(sqs_client(), f"{proxy.url}/123456789012/elsewhere")
    with pytest.raises(AwsRefusedError, match=r"elsewhere.*REPORTS_FEEDBACK_QUEUE"):
        queue.receive()
