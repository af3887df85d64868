"""A month on AWS, and what goes wrong there: whatever happens to tasks, services and credentials,
every company gets its mail, and none gets it twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.states import DeliveryState
from reports_pipeline.launching import LAUNCH_TAG
from resources.delivery_register import PostgresDeliveryRegister
from tests.emulators.aws import running_aws
from tests.emulators.ecs_agent import SPOT, Fault, Task
from tests.emulators.policies import allowed_to
from tests.end_to_end.aws_system import STARTED_BY, AwsSystem
from tests.end_to_end.services import wait_until
from tests.end_to_end.system import MONTH
from tests.proofs.deliveries_under_test import DeliveriesUnderTest
from tests.ses_server import FakeSes

MONTH_OF_TENANTS = [f"t{number:04}" for number in range(1, 31)]
TENANTS_A_SCENARIO = 3
ON_SPOT = json.dumps({"capacityProviderStrategy": [{"capacityProvider": SPOT, "weight": 1}]})

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scenario:
    """A run of three companies to which something happens: to the requests for its task, or, by
    `act`, as soon as its first mail is posted, so that there are mails before and after.
    `ends` are the states in which the run and its retries end."""

    name: str
    ends: tuple[str, ...]
    faults: tuple[Fault, ...] = ()
    act: Callable[[AwsSystem, Task], object] | None = None
    is_on_spot: bool = False


def _terminate(system: AwsSystem, task: Task) -> None:
    system.terminate(task.tags["dagster/run_id"])


SCENARIOS = (
    Scenario("killed", ("FAILURE", "FAILURE"), act=lambda system, task: system.aws.ecs.kill(task)),
    Scenario(
        "interrupted",
        ("FAILURE", "FAILURE"),
        act=lambda system, task: system.aws.ecs.interrupt(task),
        is_on_spot=True,
    ),
    Scenario("throttled", ("SUCCESS",), (Fault("throttled"), Fault("network throttled"))),
    Scenario("throttled for long", ("FAILURE",) * 3, (Fault("network throttled", times=12),)),
    Scenario("short of capacity", ("SUCCESS",), (Fault("no capacity", times=2),)),
    Scenario("without capacity", ("FAILURE",) * 3, (Fault("no capacity", times=12),)),
    Scenario("without a network", ("FAILURE", "SUCCESS"), (Fault("no network"),)),
    Scenario("stopped from the web UI", ("CANCELED",), act=_terminate),
    Scenario(
        "credentials ended",
        ("FAILURE",),
        act=lambda system, task: system.aws.roles.end(task.task_id),
    ),
)

# What the policies of a role allow and no call asks for by its name, and why it is there.
_KEY = {
    "kms:Decrypt": "asked for by what is encrypted with it",
    "kms:GenerateDataKey": "asked for by what is encrypted with it",
}
_START = {
    "ecr:GetAuthorizationToken": "images are folders here",
    "ecr:BatchCheckLayerAvailability": "likewise",
    "ecr:BatchGetImage": "likewise",
    "ecr:GetDownloadUrlForLayer": "likewise",
    "kms:Decrypt": "asked for by secrets",
}
UNCALLED = {
    "ControlRole": {
        "ecs:TagResource": "asked for by RunTask, whose tasks have tags",
        "iam:PassRole": "asked for by RunTask, whose tasks have roles",
    },
    "CodeRole": _KEY,
    "RunRole": _KEY
    | {
        "s3:AbortMultipartUpload": "of documents of more than 64 MB",
        "s3:ListBucket": "makes the answer 404, rather than 403, for what is not there",
        "ses:SendEmail": "of mails that are not raw, as SES may count them",
        "sns:Publish": "of commands that tell operators",
    },
    "DocumentsRole": {
        "kms:Decrypt": "asked for by what is encrypted with it",
        "s3:ListBucket": "makes the answer 404, rather than 403, for what is not there",
    },
    "ExecutionRole": _START,
    "PreparationExecutionRole": _START,
}

TENANTS = [
    f"t{number:04}"
    for number in range(1, len(MONTH_OF_TENANTS) + TENANTS_A_SCENARIO * len(SCENARIOS) + 1)
]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[AwsSystem]:
    with running_aws() as aws:
        system = AwsSystem(tmp_path_factory.mktemp("aws"), aws, postgres_server)
        system.deploy(len(TENANTS))
        system.wait_for_partitions(len(TENANTS))
        yield system


@pytest.fixture(scope="module")
def night(system: AwsSystem) -> AwsSystem:
    """A month of thirty companies beside all scenarios, each of companies of its own."""
    ses = system.aws.ses
    ses.mails_a_second = 1000
    ses.answer_seconds = 1  # so that what happens meets a mail under way
    for scenario in SCENARIOS:
        system.aws.ecs.faults += [
            replace(fault, started_by=scenario.name) for fault in scenario.faults
        ]
        system.launch_run(
            tenants_of(scenario), {STARTED_BY: ON_SPOT} if scenario.is_on_spot else {},
            scenario.name,
        )  # fmt: skip
    system.launch_backfill(MONTH_OF_TENANTS)
    acts = {scenario.name: scenario.act for scenario in SCENARIOS if scenario.act}

    def is_over() -> bool:
        for scenario in SCENARIOS:
            if scenario.name in acts and system.mails_of(tenants_of(scenario)):
                acts.pop(scenario.name)(system, system.aws.ecs.started_by(scenario.name)[-1])
                if not acts:
                    ses.answer_seconds = 0
        runs = system.runs()
        return all(ended(runs, scenario) == scenario.ends for scenario in SCENARIOS)

    try:
        wait_until(is_over, "the end of the night", 300)
        system.wait_for_runs()
    finally:
        for scenario in SCENARIOS:
            _log.warning("%s: %s", scenario.name, ended(system.runs(), scenario))
        _log.warning("tasks:\n%s", system.told_of_tasks())
    return system


@pytest.fixture(scope="module")
def morning(night: AwsSystem) -> AwsSystem:
    """After operators opened a document, and asked for what the night left undone, though daemon
    and code server died before they took that up; and after SES told of every mail."""
    documents = night.objects("reports/")
    assert night.opened(next(key for key in documents if key.endswith(".pdf"))).startswith(b"%PDF")
    night.let_leases_run_out()
    left = [t for scenario in SCENARIOS for t in tenants_of(scenario)]
    before = len(night.runs())
    printed = night.run_command("backfill", "--month", MONTH, "--tenant", ",".join(left))
    assert f"{len(left)} tenants in" in printed
    for name in ("daemon", "code"):
        night.aws.ecs.kill(night.service(name))
    wait_until(lambda: len(night.runs()) > before, "runs", 60)
    night.wait_for_runs()
    night.let_leases_run_out()
    # Of a mail that was being posted when its task died, too, since SES has it.
    wait_until(
        lambda: set(states(night)) == {DeliveryState.DELIVERED}, "an event of every mail", 120
    )
    return night


def test_a_month_that_an_operator_backfills_goes_out(night: AwsSystem) -> None:
    runs = [run for run in night.runs() if tag(run, "dagster/backfill")]
    assert [run["status"] for run in runs] == ["SUCCESS"] * 3
    for run in runs:
        task = task_of(night, run)
        assert task.exit_codes == {"run": 0}
        assert task.capacity_provider == "FARGATE"
    assert {mail.tags["tenant_id"] for mail in night.mails_of(MONTH_OF_TENANTS)} == set(
        MONTH_OF_TENANTS
    )
    stored = night.objects("reports/")
    for tenant_id in MONTH_OF_TENANTS:
        own = [key for key in stored if key.startswith(f"reports/{tenant_id}/{MONTH}/r1/")]
        assert {key.rpartition(".")[2] for key in own} == {"pdf", "xlsx"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_runs_end_as_they_should(night: AwsSystem, scenario: Scenario) -> None:
    assert ended(night.runs(), scenario) == scenario.ends
    happened = [f for f in night.aws.ecs.faults if f.started_by == scenario.name]
    assert [fault.count for fault in happened] == [fault.times for fault in scenario.faults]


def test_nothing_is_doubled_and_nothing_is_lost(morning: AwsSystem) -> None:
    DeliveriesUnderTest(
        morning.database_url, Month.parse(MONTH), FakeSes(accepted=morning.aws.ses.accepted)
    ).check_revisions(TENANTS, unknown_at_most=0)
    assert {mail.tags["tenant_id"] for mail in morning.aws.ses.accepted} == set(TENANTS)


def test_what_operators_ask_for_runs_on_spot(morning: AwsSystem) -> None:
    asked = [run for run in morning.runs() if tag(run, LAUNCH_TAG)]
    assert {task_of(morning, run).capacity_provider for run in asked} == {SPOT}


def test_the_credentials_of_a_task_are_renewed(night: AwsSystem) -> None:
    assert night.aws.roles.issued_to(night.service("daemon").task_id) > 1


@pytest.mark.parametrize("logical_id", UNCALLED)
def test_a_role_may_do_what_it_does_and_nothing_else(morning: AwsSystem, logical_id: str) -> None:
    role = morning.stack.ref(logical_id)
    allowed = allowed_to(morning.aws, role)
    needed = morning.aws.roles.needed_by(role)
    missing = [one for one in needed if not any(a.covers(one) for a in allowed)]
    assert not missing, f"{logical_id} lacks permissions"
    called = {one.action for one in needed}
    uncalled = {one.action for one in allowed} - called
    assert uncalled == set(UNCALLED[logical_id]), "allowed without a reason, or called after all"


def tenants_of(scenario: Scenario) -> Sequence[str]:
    start = len(MONTH_OF_TENANTS) + TENANTS_A_SCENARIO * SCENARIOS.index(scenario)
    return TENANTS[start : start + TENANTS_A_SCENARIO]


def ended(runs: Sequence[dict[str, Any]], scenario: Scenario) -> tuple[str, ...]:
    """The states of its runs, oldest first; `runs` are all, newest first."""
    return tuple(run["status"] for run in reversed(runs) if started_by(run) == scenario.name)


def states(system: AwsSystem) -> list[DeliveryState]:
    with PostgresDeliveryRegister(system.database_url, actor="test") as register:
        found = register.read(Month.parse(MONTH), TENANTS)
    return [
        message.state for [only_revision] in found.values() for message in only_revision.messages
    ]


def task_of(system: AwsSystem, run: dict[str, Any]) -> Task:
    return next(t for t in system.aws.ecs.tasks.values() if t.arn == tag(run, "ecs/task_arn"))


def started_by(run: dict[str, Any]) -> str:
    return str(json.loads(tag(run, STARTED_BY) or "{}").get("startedBy", ""))


def tag(run: dict[str, Any], key: str) -> str | None:
    return next((found["value"] for found in run["tags"] if found["key"] == key), None)
