"""PostgreSQL crashes in the middle of a month and comes back: what it had promised to remember is
there, runs that lost it end or come again, and no mail goes out twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.states import DeliveryState
from resources.database import EmbeddedPostgres, upgrade_schema
from resources.delivery_register import PostgresDeliveryRegister
from tests.proofs.deliveries_under_test import (
    TENANTS,
    DeliveriesUnderTest,
    in_a_process,
    register_month,
)
from tests.ses_server import running_ses

SEEDS = range(3 * max(1, int(os.environ.get("PROOF_SEEDS", "50")) // 50))
SENDERS = 4
CRASHES = 3


class CrashingPostgres:
    """A server that crashes when it is told to, and comes back. As the project starts it, it
    acknowledges commits before they are written: a crash forgets those that did not ask for more.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._users = ExitStack()

    def __enter__(self) -> CrashingPostgres:
        self.url = self._users.enter_context(EmbeddedPostgres(self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        self._users.close()
        shutil.rmtree(EmbeddedPostgres(self._folder).home(), ignore_errors=True)

    def crash(self) -> None:
        """End all its processes without a checkpoint, and start it again."""
        pid_file = EmbeddedPostgres(self._folder).home() / "data" / "postmaster.pid"
        pid = int(pid_file.read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        while pid_file.exists():
            time.sleep(0.01)
        self._users.enter_context(EmbeddedPostgres(self._folder))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashingPostgres]:
    with CrashingPostgres(tmp_path_factory.mktemp("crashing") / "postgres") as server:
        upgrade_schema(server.url)
        yield server


@pytest.fixture
def under_test(
    postgres: CrashingPostgres,
    next_month: Month,
    aws_credentials: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DeliveriesUnderTest]:
    register_month(postgres.url, next_month)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("checkpoint")
    with running_ses() as ses:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ses.url)
        yield DeliveriesUnderTest(postgres.url, next_month, ses)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_month_through_crashes(
    postgres: CrashingPostgres, under_test: DeliveriesUnderTest, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - the seed is the name of the test
    under_test.ses.answer_seconds = 0.01
    senders = [
        in_a_process(_send_until_done, under_test, dice.sample(TENANTS, len(TENANTS)))
        for _ in range(SENDERS)
    ]
    for posts in sorted(dice.sample(range(1, len(TENANTS) - SENDERS), CRASHES)):
        while under_test.ses.posts < posts and any(sender.is_alive() for sender in senders):
            time.sleep(0.001)
        postgres.crash()
    for sender in senders:
        sender.join()
        assert sender.exitcode == 0
    under_test.let_leases_run_out()
    under_test.send_all()
    # Of each crash and sender one post may not be known to have been answered.
    under_test.check(unknown_at_most=CRASHES * SENDERS)
    posts = under_test.ses.posts
    under_test.send_all()
    assert under_test.ses.posts == posts


def test_a_mail_that_was_about_to_be_posted_when_postgres_crashed(
    postgres: CrashingPostgres, under_test: DeliveriesUnderTest
) -> None:
    tenant_id = TENANTS[0]
    with PostgresDeliveryRegister(under_test.url, actor="run") as register:
        [message] = register.register(under_test.delivery(tenant_id)).messages
        [ready] = register.release(register.verify([message]))
        posting = register.begin_posting(register.claim(ready))
        postgres.crash()
        with pytest.raises(psycopg.OperationalError):
            register.accept(posting, "ses-1")
        assert under_test.states() == {tenant_id: DeliveryState.POSTING}
        assert register.accept(posting, "ses-1").state is DeliveryState.ACCEPTED


def _send_until_done(under_test: DeliveriesUnderTest, tenant_ids: Sequence[str]) -> None:
    """A run that loses its database ends, and comes again."""
    while True:
        try:
            under_test.send_all(tenant_ids)
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
