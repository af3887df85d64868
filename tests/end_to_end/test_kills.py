"""Twenty processes of Dagster are killed while a month goes out: no mail twice, none missing
without a sign, no document changed."""

from __future__ import annotations

import datetime
import hashlib
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.storage.tags import WILL_RETRY_TAG

from reports_pipeline.accounting.periods import Month
from reports_pipeline.build import build_definitions
from reports_pipeline.delivery.states import SENT, DeliveryState
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.local import dagster_variables
from reports_pipeline.tokyo import now
from resources.delivery_register import PostgresDeliveryRegister
from tests.end_to_end.services import Services, Victim, running_services, wait_until
from tests.end_to_end.system import MONTH, System
from tests.ses_server import FakeSes, running_ses

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds run workers in /proc")

TENANTS = [f"t{number:04}" for number in range(1, 61)]
TENANTS_PER_RUN = 5
KILLS: dict[Victim, int] = {"run worker": 11, "run server": 3, "code server": 3, "daemon": 3}
# Between two kills; the mails are some 120.
MOST_POSTS = 4
LONGEST_PAUSE_SECONDS = 1.5
PATIENCE_SECONDS = 15
# Dagster's daemon looks every second here, and yet misses a failure now and then.
RETRY_IS_LOST_AFTER = datetime.timedelta(seconds=20)
SEED = int(os.environ.get("KILLS_SEED", "1"))

# A mail: the tenant and the number of the recipient.
Mail = tuple[str, int]

_log = logging.getLogger(__name__)


@dataclass
class MonthUnderKills:
    """A system whose mails SES gets, and what the register, Dagster and SES know of its month."""

    system: System
    url: str
    environment: LocalEnvironment
    services: Services
    instance: dg.DagsterInstance
    ses: FakeSes

    def reports(self, *arguments: str, tenants_per_run: int = 100, exit_code: int = 0) -> str:
        """What `reports …` of the month prints."""
        self.system.variables["REPORTS_TENANTS_PER_RUN"] = str(tenants_per_run)
        return self.system.reports(*arguments, "--month", MONTH, exit_code=exit_code)

    def sweep(self, hours_later: int) -> bool:
        """What the sweeper does at a later tick; False if there was nothing to do."""
        resources = build_definitions(self.environment).resources or {}
        with dg.build_resources({"sweeper": resources["sweeper"]}) as built:
            later = now() + datetime.timedelta(hours=hours_later)
            [sweep] = built.sweeper.sweep(self.instance, later, _log)
        return bool(sweep.whole or sweep.mails)

    def is_at_rest(self) -> bool:
        """Whether nobody works, and there is nothing that Dagster would go on with by itself."""
        if self.services.workers():  # also of runs that Dagster has given up
            return False
        with psycopg.connect(self.url) as connection:
            lacking_runs = connection.execute(
                "select from reporting.launches where launched_at is null"
            ).fetchall()
        failed_lately = self.instance.get_runs(
            dg.RunsFilter(
                tags={WILL_RETRY_TAG: "true"},
                updated_after=datetime.datetime.now(datetime.UTC) - RETRY_IS_LOST_AFTER,
            )
        )
        return (
            not lacking_runs
            and all(run.is_finished for run in self.instance.get_runs())
            and not any(run.is_complete_and_waiting_to_retry for run in failed_lately)
        )

    def keep_busy(self) -> None:
        """If all there was to do is done, ask for it again."""
        if self.is_at_rest():
            self.reports("backfill", "--all", tenants_per_run=TENANTS_PER_RUN)

    def told_of_runs(self) -> str:
        """A line of each run, newest first, for whoever looks for the cause of a failure."""
        return "\n".join(
            f"{run.run_id[:8]} of {(run.parent_run_id or '-')[:8]} {run.status.value} {run.tags}"
            for run in self.instance.get_runs()
        )

    def let_leases_run_out(self) -> None:
        """As if an hour had passed."""
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "update reporting.delivery_messages set lease_until = lease_until - interval '1 h'"
            )

    def states(self) -> dict[Mail, DeliveryState]:
        with PostgresDeliveryRegister(self.url, actor="test") as register:
            found = register.read(Month.parse(MONTH), TENANTS)
        return {
            (tenant_id, message.recipient_no): message.state
            for tenant_id, [only_revision] in found.items()
            for message in only_revision.messages
        }

    def accepted(self) -> Counter[Mail]:
        """What SES took."""
        return Counter(
            (mail.tags["tenant_id"], int(mail.tags["recipient_no"])) for mail in self.ses.accepted
        )

    def documents(self) -> dict[str, str]:
        """The SHA-256 of each stored document by its key."""
        folder = self.system.home / "documents"
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.glob("reports/**/[!.]*.*")
        }

    def registered_documents(self) -> dict[str, str]:
        with psycopg.connect(self.url) as connection:
            return dict(connection.execute("select object_key, sha256 from reporting.documents"))

    def posted_by(self, state: DeliveryState) -> set[str]:
        """The runs that began to post mails which are in this state now."""
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                """
                select actor from reporting.delivery_moves
                join reporting.delivery_messages using (delivery_id, recipient_no)
                where to_state = 'POSTING' and state = %s
                """,
                [state],
            )
            return {actor.removeprefix("run ") for (actor,) in rows}

    def runs_of(self, workers: set[int]) -> set[str]:
        """By the process ids of their workers."""
        signs = {f"Started process for run (pid: {pid})." for pid in workers}
        return {
            run.run_id
            for run in self.instance.get_runs()
            for entry in self.instance.all_logs(
                run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT
            )
            if entry.message in signs
        }


@pytest.fixture
def under_kills(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MonthUnderKills]:
    system = System(tmp_path)
    with running_ses() as ses:
        ses.answer_seconds = 0.2  # so that workers die in a post, too
        system.variables |= {
            "REPORTS_DATABASE_URL": database_url,
            "REPORTS_MAILER": "ses:reports",
            "REPORTS_SUPPORT_ADDRESS": "support@financeflow.example",
            "REPORTS_PREFERENCES_URL": "https://app.financeflow.example/settings/reports",
            "REPORTS_MAILS_PER_SECOND": "1000",
            "AWS_ENDPOINT_URL": ses.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "ap-northeast-1",
        }
        system.reports(
            "ledger", "sample", "--companies", str(len(TENANTS)), "--months", "2",
            "--lines-per-month", "6000", "--seed", "5", "--last-month", MONTH,
        )  # fmt: skip
        environment = LocalEnvironment(Settings.from_environment(system.variables))
        variables = system.variables | dagster_variables(environment)
        monkeypatch.setenv("REPORTS_DAGSTER_URL", variables["REPORTS_DAGSTER_URL"])
        with (
            running_services(tmp_path / "services", variables) as services,
            dg.DagsterInstance.from_config(str(services.instance_folder)) as instance,
        ):
            wait_until(lambda: bool(instance.get_daemon_heartbeats()), "the daemon", 60)
            under_kills = MonthUnderKills(
                system, database_url, environment, services, instance, ses
            )
            try:
                yield under_kills
            finally:
                _log.warning("runs:\n%s", under_kills.told_of_runs())


def test_twenty_kills_cost_nobody_a_mail_and_send_none_twice(
    under_kills: MonthUnderKills,
) -> None:
    killed_workers = kill_while_the_month_runs(under_kills)
    sweep_until_there_is_nothing_to_do(under_kills)
    check(under_kills, killed_workers)
    documents, posts = under_kills.documents(), under_kills.ses.posts
    assert documents == under_kills.registered_documents()

    ask_for_everybody_once_more(under_kills)
    check(under_kills, killed_workers)
    assert under_kills.ses.posts == posts
    assert under_kills.documents() == documents


def kill_while_the_month_runs(under_kills: MonthUnderKills) -> set[int]:
    """Kill all victims, each when some more mails have gone out and a moment has passed; returns
    the process ids of the run workers among them."""
    dice = random.Random(SEED)  # noqa: S311 - it is no secret
    _log.warning("KILLS_SEED=%d", SEED)  # shown if the test fails, as all warnings are
    under_kills.reports("month", "open", tenants_per_run=TENANTS_PER_RUN)
    killed_workers = set()
    for victim in dice.sample(list(KILLS), sum(KILLS.values()), counts=KILLS.values()):
        let_go_on(under_kills, posts=dice.randint(1, MOST_POSTS))
        time.sleep(dice.uniform(0, LONGEST_PAUSE_SECONDS))
        deadline = time.monotonic() + 120
        while (pid := under_kills.services.kill(victim, dice)) is None:
            assert time.monotonic() < deadline, "no run worker to kill"
            under_kills.keep_busy()
            time.sleep(0.2)
        _log.warning(
            "killed %s %d: %d posts, runs %s",
            victim,
            pid,
            under_kills.ses.posts,
            dict(Counter(run.status.value for run in under_kills.instance.get_runs())),
        )
        if victim == "run worker":
            killed_workers.add(pid)
    return killed_workers


def let_go_on(under_kills: MonthUnderKills, *, posts: int) -> None:
    """Wait for so many more posts, but not for long: there may be nothing left to post."""
    enough = under_kills.ses.posts + posts
    deadline = time.monotonic() + PATIENCE_SECONDS
    while under_kills.ses.posts < enough and time.monotonic() < deadline:
        under_kills.keep_busy()
        time.sleep(0.2)


def sweep_until_there_is_nothing_to_do(under_kills: MonthUnderKills) -> None:
    for hours_later in (1, 2, 4, 8):
        wait_until(under_kills.is_at_rest, "Dagster to come to rest", 300)
        under_kills.let_leases_run_out()
        if not under_kills.sweep(hours_later):
            return
    pytest.fail("the sweeper comes to no end")


def ask_for_everybody_once_more(under_kills: MonthUnderKills) -> None:
    """What an operator may do after such a night."""
    lost = {
        tenant_id
        for (tenant_id, _), state in under_kills.states().items()
        if state is DeliveryState.UNKNOWN
    }
    printed = under_kills.reports("backfill", "--all", "--wait", exit_code=1 if lost else 0)
    assert f"{len(TENANTS) - len(lost)} of {len(TENANTS)} tenants delivered" in printed
    assert printed.count("DELIVERY_UNKNOWN") == len(lost)


def check(under_kills: MonthUnderKills, killed_workers: set[int]) -> None:
    """The promise, by SES's own ledger."""
    states, accepted = under_kills.states(), under_kills.accepted()
    assert max(accepted.values()) == 1, "a mail went out twice"
    assert {tenant_id for tenant_id, _ in states} == set(TENANTS)
    sent = {mail for mail, state in states.items() if state in SENT}
    unknown = {mail for mail, state in states.items() if state is DeliveryState.UNKNOWN}
    assert sent | unknown == set(states), "a mail is missing, and nothing says so"
    assert sent <= set(accepted) <= set(states)
    assert under_kills.posted_by(DeliveryState.UNKNOWN) <= under_kills.runs_of(killed_workers)
    # A worker posts one mail at a time.
    assert len(unknown) <= len(killed_workers)
