from collections.abc import Iterator

import pytest

from resources.feedback_queue import SqsFeedbackQueue, sqs_client
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
