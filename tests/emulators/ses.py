"""Version 2 of the API of SES, as far as a sender of raw mails meets it: moto keeps identities and
configuration sets; mails, quotas, the suppression list and events are kept here."""

from __future__ import annotations

import base64
import datetime
import json
import logging
import queue
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import unquote

from moto.events.models import events_backends
from moto.ses.models import SESBackend, ses_backends
from moto.sns.models import sns_backends

from tests.emulators.api_calls import ACCOUNT, AwsError, Request
from tests.ses_server import AcceptedMail

_MOST_RECIPIENTS = 50
_DAY_SECONDS = 24 * 60 * 60
_TAG = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
_SIMULATOR = "@simulator.amazonses.com"
_ON_EVENT_BUS = {  # of kinds of events, as EventBridge names them
    "Send": "Email Sent",
    "Reject": "Email Rejected",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
}
_SANDBOX_MAILS_A_DAY, _SANDBOX_MAILS_A_SECOND = 200, 1

_log = logging.getLogger(__name__)

Answer = dict[str, Any]


@dataclass(frozen=True)
class SentMail(AcceptedMail):
    """One that was taken, as it came."""

    raw: bytes
    region: str


@dataclass
class Ses:
    """An account. `bouncing` addresses refuse mails; those of SES's mailbox simulator do what
    they are named for. An event comes `event_seconds` after what it tells of."""

    most_bytes: int = 40 * 1024 * 1024  # of a mail, attachments as they are encoded in it
    mails_a_day: int = 50_000
    mails_a_second: int = 14
    is_sandbox: bool = False
    answer_seconds: float = 0
    event_seconds: float = 0.2
    refusals: list[AwsError] = field(default_factory=list)  # used up one a post
    bouncing: set[str] = field(default_factory=set)
    posts: int = 0
    accepted: list[AcceptedMail] = field(default_factory=list)
    suppressed: dict[str, Answer] = field(default_factory=dict)
    _destinations: dict[str, dict[str, Answer]] = field(default_factory=dict)
    _accepted_at: list[float] = field(default_factory=list)
    _events: queue.SimpleQueue[tuple[float, SentMail, str] | None] = field(
        default_factory=queue.SimpleQueue
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Send events while the context lasts."""
        teller = threading.Thread(target=self._tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            self._events.put(None)
            teller.join()

    def route(self, request: Request) -> Callable[[], Answer] | None:
        """What answers a request; None if moto does."""
        path = request.path.removeprefix("/v2/email/")
        match [request.method, *map(unquote, path.split("/"))]:
            case ["POST", "outbound-emails"]:
                return lambda: self._send(request.json(), request.region)
            case ["GET", "account"]:
                return self._account
            case ["GET", "suppression", "addresses", address]:
                return lambda: {"SuppressedDestination": self._suppressed(address)}
            case ["DELETE", "suppression", "addresses", address]:
                return lambda: self._unsuppress(address)
            case ["POST", "configuration-sets", name, "event-destinations"]:
                return lambda: self._add_destination(name, request.json())
        return None

    def _send(self, mail: Answer, region: str) -> Answer:
        with self._lock:
            self.posts += 1
            refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None:
            raise refusal
        if "Raw" not in mail["Content"]:
            raise AwsError(501, "NotImplemented", "the emulator takes raw mails only")
        sent = SentMail(
            message_id=f"0106{uuid.uuid4().hex}-000000",
            recipients=[a for kind in mail["Destination"].values() for a in kind],
            sender=mail["FromEmailAddress"],
            tags={tag["Name"]: tag["Value"] for tag in mail.get("EmailTags", [])},
            configuration_set=mail.get("ConfigurationSetName"),
            content=message_from_bytes(
                raw := base64.b64decode(mail["Content"]["Raw"]["Data"]), policy=policy.default
            ),
            raw=raw,
            region=region,
        )
        self._require_acceptable(sent)
        with self._lock:
            self._require_quota(len(sent.recipients))
            self.accepted.append(sent)
        for recipient in sent.recipients:
            self._events.put((time.monotonic() + self.event_seconds, sent, recipient))
        time.sleep(self.answer_seconds)
        return {"MessageId": sent.message_id}

    def _require_acceptable(self, mail: SentMail) -> None:
        if len(mail.raw) > self.most_bytes:
            raise _bad_request(f"Message length is more than {self.most_bytes} bytes long")
        if not 1 <= len(mail.recipients) <= _MOST_RECIPIENTS:
            raise _bad_request(f"Recipient count must be from 1 to {_MOST_RECIPIENTS}.")
        for tag in [*mail.tags, *mail.tags.values()]:
            if not _TAG.fullmatch(tag):
                raise _bad_request(f"Invalid tag: {tag}")
        identities = _identities(mail.region)
        unverified = [
            address
            for address in [mail.sender, *(mail.recipients if self.is_sandbox else [])]
            if not identities._is_verified_address(address) and not address.endswith(_SIMULATOR)
        ]
        if unverified:
            raise AwsError(
                400,
                "MessageRejected",
                "Email address is not verified. The following identities failed the check in "
                f"region {mail.region.upper()}: {', '.join(unverified)}",
            )
        if mail.configuration_set and mail.configuration_set not in identities.config_sets:
            raise _not_found(f"Configuration set <{mail.configuration_set}> does not exist.")

    def _require_quota(self, count: int) -> None:
        now = time.monotonic()
        self._accepted_at = [at for at in self._accepted_at if now - at < _DAY_SECONDS]
        if sum(now - at < 1 for at in self._accepted_at) + count > self._quota()["MaxSendRate"]:
            raise AwsError(429, "TooManyRequestsException", "Maximum sending rate exceeded.")
        if len(self._accepted_at) + count > self._quota()["Max24HourSend"]:
            raise AwsError(400, "LimitExceededException", "Daily message quota exceeded.")
        self._accepted_at += [now] * count

    def _quota(self) -> dict[str, int]:
        return {
            "Max24HourSend": _SANDBOX_MAILS_A_DAY if self.is_sandbox else self.mails_a_day,
            "MaxSendRate": _SANDBOX_MAILS_A_SECOND if self.is_sandbox else self.mails_a_second,
            "SentLast24Hours": len(self._accepted_at),
        }

    def _account(self) -> Answer:
        return {
            "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": not self.is_sandbox,
            "SendingEnabled": True,
            "SendQuota": self._quota(),
            "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        }

    def _suppressed(self, address: str) -> Answer:
        try:
            return self.suppressed[address.lower()]
        except KeyError:
            raise _not_found(f"{address} is not on your suppression list.") from None

    def _unsuppress(self, address: str) -> Answer:
        self._suppressed(address)
        del self.suppressed[address.lower()]
        return {}

    def _add_destination(self, name: str, request: Answer) -> Answer:
        destination = {"Name": request["EventDestinationName"], **request["EventDestination"]}
        self._of_set(name)[destination["Name"]] = destination
        return {}

    def _of_set(self, name: str) -> dict[str, Answer]:
        return self._destinations.setdefault(name, {})

    def _tell(self) -> None:
        while (due := self._events.get()) is not None:
            at, mail, recipient = due
            time.sleep(max(0, at - time.monotonic()))
            for kind, detail in self._fate(recipient):
                try:
                    self._publish(mail, kind, detail)
                except Exception:  # the other events are to come all the same
                    _log.exception("%s of %s", kind, mail.message_id)

    def _fate(self, recipient: str) -> list[tuple[str, Answer]]:
        """The events of a mail to this address, in order."""
        address = recipient.lower()
        name = address.partition("@")[0].partition("+")[0] if address.endswith(_SIMULATOR) else ""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        delivery = ("Delivery", {"timestamp": now, "recipients": [recipient]})
        fate: list[tuple[str, Answer]] = [("Send", {})]
        if address in self.suppressed:
            return [*fate, _bounce(recipient, "Permanent", "OnAccountSuppressionList")]
        if name == "bounce":
            return [*fate, _bounce(recipient, "Permanent", "General")]
        if address in self.bouncing:
            # Which those of the simulator are not.
            self.suppressed[address] = {
                "EmailAddress": recipient,
                "Reason": "BOUNCE",
                "LastUpdateTime": time.time(),
            }
            return [*fate, _bounce(recipient, "Permanent", "General")]
        fate.append(delivery)
        if name == "ooto":
            fate.append(_bounce(recipient, "Transient", "General"))
        if name == "complaint":
            complaint = {
                "complainedRecipients": [{"emailAddress": recipient}],
                "complaintFeedbackType": "abuse",
            }
            fate.append(("Complaint", complaint))
        return fate

    def _publish(self, mail: SentMail, kind: str, detail: Answer) -> None:
        event = {
            "eventType": kind,
            "mail": {
                "messageId": mail.message_id,
                "source": mail.sender,
                "destination": mail.recipients,
                "tags": {
                    "ses:configuration-set": [mail.configuration_set],
                    **{name: [value] for name, value in mail.tags.items()},
                },
            },
            kind.lower(): detail,
        }
        for destination in self._of_set(mail.configuration_set or "").values():
            if not destination["Enabled"] or kind.upper() not in destination["MatchingEventTypes"]:
                continue
            if topic := destination.get("SnsDestination"):
                sns_backends[ACCOUNT][mail.region].publish(json.dumps(event), arn=topic["TopicArn"])
            if bus := destination.get("EventBridgeDestination"):
                on_bus = {
                    "Source": "aws.ses",
                    "DetailType": _ON_EVENT_BUS[kind],
                    "Detail": json.dumps(event),
                    "EventBusName": bus["EventBusArn"],
                }
                events_backends[ACCOUNT][mail.region].put_events([on_bus])


def _bounce(recipient: str, kind: str, subtype: str) -> tuple[str, Answer]:
    return "Bounce", {
        "bounceType": kind,
        "bounceSubType": subtype,
        "bouncedRecipients": [
            {
                "emailAddress": recipient,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown",
            }
        ],
    }


def _identities(region: str) -> SESBackend:
    return ses_backends[ACCOUNT][region]


def _bad_request(message: str) -> AwsError:
    return AwsError(400, "BadRequestException", message)


def _not_found(message: str) -> AwsError:
    return AwsError(404, "NotFoundException", message)
