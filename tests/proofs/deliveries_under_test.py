"""A month of deliveries that processes send, die at and send again."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from reports_pipeline.accounting.failures import TenantFailureError
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import (
    Delivery,
    DocumentReference,
    LetterCorrection,
    RegisteredDelivery,
)
from reports_pipeline.delivery.errors import (
    DecisionError,
    LostClaimError,
    RevisionConflictError,
    ThrottledError,
)
from reports_pipeline.delivery.messages import Envelope, MailSettings
from reports_pipeline.delivery.mime import Mail
from reports_pipeline.delivery.states import MAYBE_SENT, SENT, DeliveryState
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_register import PostgresDeliveryRegister
from resources.dispatch import deliver
from resources.mailer import Mailer
from resources.ses_mailer import SesMailer, ses_client
from tests.delivery.examples import LETTER, SATO
from tests.send_rates import AtOnce
from tests.ses_server import FakeSes

# Where a test is repeated with many seeds it has fewer of them, of `make proof` all.
MONTH_OF_TENANTS = [f"t{number:04}" for number in range(1, 201)]
TENANTS = MONTH_OF_TENANTS[: int(os.environ.get("PROOF_TENANTS", "40"))]
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

    def post(self, mail: Mail, *, envelope: Envelope) -> str:
        provider_id: str = self._post(mail, envelope=envelope)
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
    """What is sent goes to AWS_ENDPOINT_URL, where `ses` is."""

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
        self._send(tenant_ids, hook, lambda _, tenant_id: self.delivery(tenant_id), read_timeout)

    def send_newest(
        self, tenant_ids: Sequence[str] = tuple(TENANTS), hook: Hook = lambda _: None
    ) -> None:
        """The same, of the newest revisions, whose letters speak of what was sent."""
        self._send(tenant_ids, hook, self._newest_delivery, read_timeout=5)

    def send_all_in_a_process(
        self, hook: Hook = lambda _: None, tenant_ids: Sequence[str] = tuple(TENANTS)
    ) -> multiprocessing.process.BaseProcess:
        return in_a_process(self.send_all, tenant_ids, hook)

    def regenerate(self, tenant_id: str) -> None:
        """The tenant's numbers changed: it has a new revision."""
        with psycopg.connect(self.url) as connection:
            connection.execute(
                """
                insert into reporting.report_revisions
                    (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
                select tenant_id, month, max(revision) + 1, repeat('a', 64), false, 'a.arrow', 'run'
                from reporting.report_revisions where tenant_id = %s and month = %s group by 1, 2
                """,
                [tenant_id, self.month.start],
            )

    def decide(self, dice: random.Random, tenant_ids: Sequence[str], times: int) -> None:
        """What people may decide, at random; that it often does not fit changes nothing."""
        decisions = DeliveryDecisions(self.url, actor="person")
        for _ in range(times):
            tenant_id, number = dice.choice(tenant_ids), dice.randint(1, 2)
            decision = dice.choice(("hold", "release", "approve", "resend", "sign_off"))
            with contextlib.suppress(DecisionError, LostClaimError):
                if decision == "hold":
                    decisions.hold([tenant_id], self.month, "stop")
                elif decision == "release":
                    decisions.release([tenant_id], self.month, "go on")
                elif decision == "approve":
                    decisions.approve(tenant_id, self.month, 2, "read")
                elif decision == "resend":
                    decisions.resend(tenant_id, self.month, number, "lost")
                else:
                    decisions.sign_off(tenant_id, self.month, number, "nobody knows")

    def settle(self, tenant_ids: Sequence[str]) -> None:
        """A person decides whatever is left to decide."""
        decisions = DeliveryDecisions(self.url, actor="person")
        decisions.release(tenant_ids, self.month, "go on")
        for tenant_id, revisions in self._revisions(tenant_ids).items():
            for message in revisions[-1].among(frozenset({DeliveryState.UNKNOWN})):
                decisions.sign_off(tenant_id, self.month, message.recipient_no, "nobody knows")
            with contextlib.suppress(DecisionError):
                decisions.approve(tenant_id, self.month, 2, "read")

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
        found = self._revisions(MONTH_OF_TENANTS)
        return {t: found[t][0].messages[0].state for t in MONTH_OF_TENANTS if t in found}

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

    def check_revisions(self, tenant_ids: Sequence[str], *, unknown_at_most: int) -> None:
        """The same of mails that were corrected and sent once more, to which a person has settled
        everything: each is sent, in doubt, or gave way to a newer one before it went out."""
        accepted = Counter(
            (mail.tags["delivery_id"], int(mail.tags["recipient_no"])) for mail in self.ses.accepted
        )
        assert max(accepted.values(), default=0) <= 1, "a mail went out twice"
        found = self._revisions(tenant_ids)
        assert list(found) == list(tenant_ids)
        unknown = 0
        for tenant_id, revisions in found.items():
            for delivery in revisions:
                for message in delivery.messages:
                    was_sent = accepted[message.delivery_id, message.recipient_no]
                    if message.state in SENT:
                        assert was_sent, f"{tenant_id} is {message.state}, and SES has no mail"
                    elif message.state is DeliveryState.SUPERSEDED:
                        assert not was_sent, f"{tenant_id}: a mail that was superseded went out"
                        assert delivery.revision < revisions[-1].revision
                    else:
                        assert message.state is DeliveryState.UNKNOWN, f"{tenant_id}: {message}"
                        unknown += 1
        assert unknown <= unknown_at_most

    def _send(
        self,
        tenant_ids: Sequence[str],
        hook: Hook,
        delivery_of: Callable[[PostgresDeliveryRegister, str], Delivery],
        read_timeout: float,
    ) -> None:
        client = ses_client(read_timeout=read_timeout)
        mailer = _WatchedMailer(SesMailer(client, AtOnce(), configuration_set="reports"), hook)
        with _WatchedRegister(self.url, hook) as register:
            for tenant_id in tenant_ids:
                # The next run comes to it again.
                with contextlib.suppress(
                    TenantFailureError, ThrottledError, LostClaimError, RevisionConflictError
                ):
                    deliver(
                        register,
                        mailer,
                        lambda _: _CONTENT,
                        delivery_of(register, tenant_id),
                        settings=MailSettings(),
                        now=datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC),
                    )

    def _newest_delivery(self, register: PostgresDeliveryRegister, tenant_id: str) -> Delivery:
        with psycopg.connect(self.url) as connection:
            [(newest,)] = connection.execute(
                """
                select max(revision) from reporting.report_revisions
                where tenant_id = %s and month = %s
                """,
                [tenant_id, self.month.start],
            ).fetchall()
        delivery = self.delivery(tenant_id, newest)
        sent = [
            earlier.revision
            for earlier in register.read(self.month, [tenant_id]).get(tenant_id, ())
            if earlier.revision < newest and earlier.among(MAYBE_SENT)
        ]
        if not sent:
            return delivery
        correction = LetterCorrection(max(sent), newest, (), 0)
        return replace(delivery, letter=replace(delivery.letter, correction=correction))

    def _revisions(self, tenant_ids: Sequence[str]) -> dict[str, tuple[RegisteredDelivery, ...]]:
        """In the order of the tenants."""
        with PostgresDeliveryRegister(self.url, actor="test") as register:
            found = register.read(self.month, tenant_ids)
        return {tenant_id: found[tenant_id] for tenant_id in tenant_ids if tenant_id in found}


def register_month(url: str, month: Month) -> None:
    """Each tenant has a first revision of it."""
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            insert into reporting.report_revisions
                (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
            select tenant_id, %s, 1, repeat('a', 64), false, 'a.arrow', 'run'
            from unnest(%s::text[]) as tenant_id
            """,
            [month.start, MONTH_OF_TENANTS],
        )


def in_a_process(
    target: Callable[..., object], *arguments: object
) -> multiprocessing.process.BaseProcess:
    """A process of its own that does it, which is started."""
    process = multiprocessing.get_context("fork").Process(
        target=target, args=arguments, daemon=True
    )
    process.start()
    return process


def die_at(point: str, occurrence: int) -> Hook:
    """Kill the process when it passes a point for the n-th time, from 1."""
    passed = Counter[str]()

    def hook(passing: str) -> None:
        passed[passing] += 1
        if passing == point and passed[passing] == occurrence:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook
