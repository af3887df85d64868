"""A month of deliveries that processes send, die at and send again."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import psycopg

from reports_pipeline.accounting.failures import TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import Delivery, DocumentReference
from reports_pipeline.delivery.errors import LostClaimError, ThrottledError
from reports_pipeline.delivery.messages import Envelope, MailSettings
from reports_pipeline.delivery.states import SENT, DeliveryState
from resources.delivery_register import PostgresDeliveryRegister
from resources.dispatch import deliver
from resources.mailer import Mailer
from resources.ses_mailer import SesMailer, ses_client
from tests.delivery.examples import LETTER, SATO
from tests.send_rates import AtOnce
from tests.ses_server import FakeSes

# Of `make proof` 200.
TENANTS = [f"t{number:04}" for number in range(1, int(os.environ.get("PROOF_TENANTS", "40")) + 1)]
_CONTENT = b"%PDF-1.7 of a month"
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()

# Every step of a delivery; a process may die before and after each.
STEPS = ("register", "verify", "release", "claim", "begin_posting", "post", "accept")
KILL_POINTS = tuple(f"{when} {step}" for step in STEPS for when in ("before", "after"))

Hook = Callable[[str], None]  # is told each point as it is passed


class _WatchedRegister(PostgresDeliveryRegister):
    """Tells the hook before and after each step."""

    def __init__(self, url: str, hook: Hook) -> None:
        super().__init__(url, actor=f"process {os.getpid()}")
        for step in STEPS:
            if step != "post":
                setattr(self, step, _watched(getattr(self, step), step, hook))


class _WatchedMailer(Mailer):
    def __init__(self, mailer: Mailer, hook: Hook) -> None:
        self._post = _watched(mailer.post, "post", hook)

    def post(self, message: EmailMessage, *, envelope: Envelope) -> str:
        provider_id: str = self._post(message, envelope=envelope)
        return provider_id


def _watched(step: Callable[..., Any], name: str, hook: Hook) -> Callable[..., Any]:
    def watched(*arguments: Any, **named: Any) -> Any:
        hook(f"before {name}")
        result = step(*arguments, **named)
        hook(f"after {name}")
        return result

    return watched


@dataclass
class DeliveriesUnderTest:
    url: str
    month: Month
    ses: FakeSes

    def delivery(self, tenant_id: str, revision: int = 1) -> Delivery:
        key = f"reports/{tenant_id}/{self.month}/r{revision}/income_statement.pdf"
        return Delivery(
            tenant_id,
            self.month,
            revision,
            "a" * 64,
            LETTER,
            (
                DocumentReference(
                    "income_statement.pdf",
                    "損益計算書.pdf",
                    key,
                    _SHA256,
                    "application/pdf",
                ),
            ),
            (SATO,),
        )

    def send_all(
        self,
        tenant_ids: Sequence[str] = tuple(TENANTS),
        hook: Hook = lambda _: None,
        *,
        read_timeout: float = 5,
    ) -> None:
        """Deliver the month to each tenant, as a run does."""
        client = ses_client(endpoint_url=self.ses.url, read_timeout=read_timeout)
        mailer = _WatchedMailer(SesMailer(client, AtOnce(), configuration_set="reports"), hook)
        with _WatchedRegister(self.url, hook) as register:
            for tenant_id in tenant_ids:
                # The next run comes to it again.
                with contextlib.suppress(TenantFailureError, ThrottledError, LostClaimError):
                    deliver(
                        register,
                        mailer,
                        lambda _: _CONTENT,
                        self.delivery(tenant_id),
                        settings=MailSettings(),
                        now=datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC),
                    )

    def send_all_in_a_process(
        self, hook: Hook = lambda _: None, tenant_ids: Sequence[str] = tuple(TENANTS)
    ) -> multiprocessing.process.BaseProcess:
        """The same in a process of its own, which is started."""
        process = multiprocessing.get_context("fork").Process(
            target=self.send_all, args=(tenant_ids, hook)
        )
        process.start()
        return process

    def let_leases_run_out(self) -> None:
        """As if an hour had passed."""
        with psycopg.connect(self.url) as connection:
            connection.execute(
                """
                update reporting.delivery_messages message
                set lease_until = lease_until - interval '1 hour'
                from reporting.deliveries delivery
                where delivery.delivery_id = message.delivery_id and month = %s
                """,
                [self.month.start],
            )

    def states(self) -> dict[str, DeliveryState]:
        """Of each tenant's one mail."""
        with PostgresDeliveryRegister(self.url, actor="test") as register:
            found = register.read(self.month, TENANTS)
        return {t: found[t][0].messages[0].state for t in TENANTS if t in found}

    def accepted(self) -> Counter[str]:
        """Mails that SES took, by delivery."""
        return Counter(mail.tags["delivery_id"] for mail in self.ses.accepted)

    def check(self, tenant_ids: Sequence[str] = tuple(TENANTS), *, unknown_at_most: int) -> None:
        """The promise: at most one mail of a delivery, none missing without a sign, and no more
        doubt than what happened gives reason for."""
        accepted = self.accepted()
        assert max(accepted.values(), default=0) <= 1, "a mail went out twice"
        for tenant_id, state in self.states().items():
            was_sent = accepted[self.delivery(tenant_id).delivery_id]
            if state in SENT:
                assert was_sent, f"{tenant_id} is {state}, and SES has no mail of it"
            else:
                assert state is DeliveryState.UNKNOWN, f"{tenant_id} is {state}"
        assert list(self.states()) == list(tenant_ids)
        unknown = [t for t, s in self.states().items() if s is DeliveryState.UNKNOWN]
        assert len(unknown) <= unknown_at_most


def die_at(point: str, occurrence: int) -> Hook:
    """Kill the process when it passes a point for the n-th time, from 1."""
    passed = Counter[str]()

    def hook(passing: str) -> None:
        passed[passing] += 1
        if passing == point and passed[passing] == occurrence:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook
