"""Where the mail provider's events wait until the register has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from resources.aws_clients import repeating_client
from resources.aws_errors import aws_errors

# What one request may take and settle.
_MOST_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    text: str
    receipt: str  # with which the queue is told that it is dealt with


class FeedbackQueue(ABC):
    @abstractmethod
    def receive(self) -> list[QueuedEvent]:
        """Some of the events, in no order; none if none waits. An event that is not settled comes
        again."""

    @abstractmethod
    def settle(self, events: Sequence[QueuedEvent]) -> None:
        """Take events that are dealt with from the queue."""


class NoFeedback(FeedbackQueue):
    """Of a folder or a relay, which report nothing."""

    def receive(self) -> list[QueuedEvent]:
        return []

    def settle(self, events: Sequence[QueuedEvent]) -> None:
        pass


class SqsClient(Protocol):
    """The part of the `sqs` client that the queue needs."""

    def receive_message(self, **request: Any) -> Any: ...
    def delete_message_batch(self, **request: Any) -> Any: ...


def sqs_client() -> SqsClient:
    # What is received again or settled again does no harm.
    client: SqsClient = repeating_client("sqs", read_timeout=20)
    return client


class SqsFeedbackQueue(FeedbackQueue):
    """A queue that the events of the configuration set reach through SNS. What cannot be read is
    never settled, so the queue's redrive policy moves it to the dead letters.

    Both methods raise what `resources.aws_errors` says."""

    def __init__(self, client: SqsClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def receive(self) -> list[QueuedEvent]:
        with aws_errors(f"reading {self._queue_url}"):
            answer = self._client.receive_message(
                QueueUrl=self._queue_url, MaxNumberOfMessages=_MOST_AT_ONCE
            )
        return [
            QueuedEvent(message["Body"], message["ReceiptHandle"])
            for message in answer.get("Messages", [])
        ]

    def settle(self, events: Sequence[QueuedEvent]) -> None:
        for start in range(0, len(events), _MOST_AT_ONCE):
            with aws_errors(f"settling events of {self._queue_url}"):
                self._client.delete_message_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": event.receipt}
                        for number, event in enumerate(events[start : start + _MOST_AT_ONCE])
                    ],
                )
