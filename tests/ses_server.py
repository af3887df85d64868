"""A stand-in for Amazon SES at the other end of HTTP: it keeps its own ledger of accepted mails,
and can be told to misbehave as the real one may."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal, cast

from tests.http_server import QuietHandler, serving

SesFault = Literal[
    "accept, then hang",
    "accept, then 500",
    "accept, then reset",
    "hang",
    "500",
    "reset",
    "429",
    "rejected",
    "suppressed",
    "no configuration set",
    "paused",
    "sender not verified",
    "expired credentials",
]

_ERRORS: dict[str, tuple[int, str, str]] = {
    "500": (500, "InternalServiceErrorException", "internal failure"),
    "429": (429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    "rejected": (400, "MessageRejected", "the attachment has a virus"),
    "suppressed": (400, "MessageRejected", "Address is on the suppression list"),
    "no configuration set": (404, "NotFoundException", "<reports> does not exist."),
    "paused": (400, "SendingPausedException", "sending is paused"),
    "sender not verified": (400, "MessageRejected", "Email address is not verified."),
    "expired credentials": (403, "ExpiredTokenException", "the token has expired"),
}


@dataclass(frozen=True)
class AcceptedMail:
    message_id: str
    recipients: list[str]
    sender: str
    tags: dict[str, str]
    configuration_set: str | None
    content: EmailMessage


@dataclass
class FakeSes:
    """What the server has seen; `faults` are used up one a post, and then mails are accepted."""

    url: str = ""
    posts: int = 0
    accepted: list[AcceptedMail] = field(default_factory=list)
    faults: list[SesFault] = field(default_factory=list)
    hang_seconds: float = 3
    answer_seconds: float = 0  # how long an answer takes
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def running_ses() -> Iterator[FakeSes]:
    """A server on a port of its own of 127.0.0.1."""
    ses = FakeSes()

    class Handler(_Handler):
        state = ses

    with serving(Handler) as ses.url:
        yield ses


class _Handler(QuietHandler):
    state: FakeSes

    def do_POST(self) -> None:  # noqa: N802 - the name http.server calls
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v2/email/outbound-emails":
            self._answer(404, "NotFoundException", self.path)
            return
        ses = self.state
        with ses.lock:
            ses.posts += 1
            fault = ses.faults.pop(0) if ses.faults else None
            message_id = f"0100-{ses.posts:06}"
            if fault is None or fault.startswith("accept"):
                ses.accepted.append(_accepted(message_id, body))
        time.sleep(ses.answer_seconds)
        misbehaviour = None if fault is None else fault.removeprefix("accept, then ")
        if misbehaviour is None:
            self._send(200, {"MessageId": message_id})
        elif misbehaviour == "hang":
            time.sleep(ses.hang_seconds)
            self.close_connection = True
        elif misbehaviour == "reset":
            self.close_connection = True
        else:
            self._answer(*_ERRORS[misbehaviour])

    def _answer(self, status: int, code: str, message: str) -> None:
        self._send(status, {"message": message}, error=code)

    def _send(self, status: int, body: dict[str, str], error: str = "") -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(content)


def _accepted(message_id: str, body: dict[str, object]) -> AcceptedMail:
    content = cast(dict[str, dict[str, str]], body["Content"])
    raw = base64.b64decode(content["Raw"]["Data"])
    return AcceptedMail(
        message_id=message_id,
        recipients=cast(dict[str, list[str]], body["Destination"])["ToAddresses"],
        sender=cast(str, body["FromEmailAddress"]),
        tags={t["Name"]: t["Value"] for t in cast(list[dict[str, str]], body["EmailTags"])},
        configuration_set=cast(str, body.get("ConfigurationSetName")),
        content=message_from_bytes(raw, policy=policy.default),
    )
