"""A stand-in for Amazon SQS at the other end of HTTP (its JSON protocol): a message that is
received and not deleted comes again after its visibility time-out, which a test calls."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any

from tests.http_server import QuietHandler, serving


@dataclass
class FakeSqs:
    url: str = ""
    waiting: list[str] = field(default_factory=list)
    received: dict[str, str] = field(default_factory=dict)  # by receipt
    receipts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def queue_url(self) -> str:
        return f"{self.url}/123456789012/reports-feedback"

    def time_out(self) -> None:
        """Let what was received and not deleted be received again."""
        with self.lock:
            self.waiting += self.received.values()
            self.received.clear()

    def receive(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request["QueueUrl"] == self.queue_url
        messages = []
        for body in self.waiting[: request["MaxNumberOfMessages"]]:
            self.receipts += 1
            self.received[str(self.receipts)] = body
            messages.append(
                {
                    "MessageId": f"id-{self.receipts}",
                    "ReceiptHandle": str(self.receipts),
                    "Body": body,
                    "MD5OfBody": md5(body.encode(), usedforsecurity=False).hexdigest(),
                }
            )
        del self.waiting[: len(messages)]
        return {"Messages": messages} if messages else {}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        assert 1 <= len(request["Entries"]) <= 10
        for entry in request["Entries"]:
            del self.received[entry["ReceiptHandle"]]
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}


@contextmanager
def running_sqs() -> Iterator[FakeSqs]:
    """A server on a port of its own of 127.0.0.1."""
    sqs = FakeSqs()
    actions = {
        "AmazonSQS.ReceiveMessage": sqs.receive,
        "AmazonSQS.DeleteMessageBatch": sqs.delete,
    }

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 - the name http.server calls
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with sqs.lock:
                answer = json.dumps(actions[self.headers["X-Amz-Target"]](request)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    with serving(Handler) as sqs.url:
        yield sqs
