"""A month on AWS, and what goes wrong there: whatever happens to tasks, services and credentials,
every company gets its mail, and none gets it twice."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.states import DeliveryState
from reports_pipeline.launching import BACKFILL_PREFIX, LAUNCH_TAG
from resources.delivery_register import PostgresDeliveryRegister
from resources.report_register import ReportRegister, StoredDocument
from tests.deploy.account import TEMPLATE
from tests.emulators.api_calls import Permission
from tests.emulators.aws import running_aws
from tests.emulators.cloudformation import load_template
from tests.emulators.ecs_agent import (
    MOST_OVERRIDE_CHARACTERS,
    SPOT,
    Task,
    TaskFault,
    override_characters,
)
from tests.emulators.policies import Allowed, allowed_to
from tests.end_to_end.aws_system import SERVICES, STARTED_BY, AwsSystem
from tests.end_to_end.services import wait_until
from tests.end_to_end.stored import attachments
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
    `ends` is a pattern of the states in which the run and its retries end."""

    name: str
    ends: str
    faults: tuple[TaskFault, ...] = ()
    act: Callable[[AwsSystem, Task], object] | None = None
    is_on_spot: bool = False


def _terminate(system: AwsSystem, task: Task) -> None:
    system.terminate(task.tags["dagster/run_id"])


KILLED = Scenario("killed", "FAILURE FAILURE", act=lambda system, task: system.aws.ecs.kill(task))
INTERRUPTED = Scenario(
    "interrupted",
    "FAILURE SUCCESS",
    act=lambda system, task: system.aws.ecs.interrupt(task),
    is_on_spot=True,
)
STOPPED = Scenario("stopped from the web UI", "CANCELED", act=_terminate)
EXPIRED = Scenario(
    "credentials ended",
    "FAILURE",
    act=lambda system, task: system.aws.roles.end(task.task_id),
)
# Its task runs, and no daemon knows where: Dagster calls it failed and tries it again beside it,
# unless it has ended by then.
FORGOTTEN = Scenario(
    "started by a daemon that died", "SUCCESS( SUCCESS)?", (TaskFault("caller killed"),)
)
SCENARIOS = (
    # At the beginning, since Dagster waits a while for its task.
    Scenario("without a network", "FAILURE SUCCESS", (TaskFault("no network"),)),
    KILLED,
    INTERRUPTED,
    STOPPED,
    EXPIRED,
    Scenario("throttled", "SUCCESS", (TaskFault("throttled"), TaskFault("network throttled"))),
    # Three requests of boto3, for each of three runs.
    Scenario("throttled for long", "FAILURE FAILURE FAILURE", (TaskFault("throttled", times=9),)),
    # Four of Dagster's launcher.
    Scenario(
        "throttled by the network",
        "FAILURE FAILURE FAILURE",
        (TaskFault("network throttled", times=12),),
    ),
    Scenario("short of capacity", "SUCCESS", (TaskFault("no capacity", times=2),)),
    Scenario("without capacity", "FAILURE FAILURE FAILURE", (TaskFault("no capacity", times=12),)),
    FORGOTTEN,
)
ROLE_KEYS = ("ExecutionRoleArn", "TaskRoleArn")
# What the policies of a role allow and no call asks for by its name, and why it is there; with a
# resource where others of the action are asked for.
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
        "iam:PassRole": "asked for by RunTask, whose tasks have roles",
    },
    "CodeRole": _KEY,
    "RunRole": _KEY
    | {
        "s3:AbortMultipartUpload": "of documents of more than 64 MB",
        "s3:GetObject imports/*": "of ledgers that are imported",
        "s3:ListBucket": "of ledgers that are imported; makes 404 of 403 for what is not there",
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
    """A month of thirty companies, in which the code server dies and then the daemon; and all
    scenarios, each of companies of its own."""
    ses = system.aws.ses
    ses.mails_a_second = 1000
    ses.answer_seconds = 1  # so that what happens meets a mail under way
    system.launch_backfill(MONTH_OF_TENANTS)
    wait_until(lambda: bool(system.mails_of(MONTH_OF_TENANTS)), "mails of the month", 60)
    system.kill_service("code")
    daemon = system.service("daemon")
    launch(system, FORGOTTEN)
    system.wait_for_another(daemon)
    for scenario in SCENARIOS:
        if scenario is not FORGOTTEN:
            launch(system, scenario)
    acts = {scenario.name: scenario.act for scenario in SCENARIOS if scenario.act}

    def is_over() -> bool:
        for scenario in SCENARIOS:
            if scenario.name in acts and system.mails_of(tenants_of(scenario)):
                acts.pop(scenario.name)(system, system.aws.ecs.started_by(scenario.name)[-1])
                if not acts:
                    ses.answer_seconds = 0
        runs = system.runs()
        return all(ended_well(runs, scenario) for scenario in SCENARIOS)

    try:
        with contextlib.suppress(TimeoutError):  # the tests say what has not ended, and how
            wait_until(is_over, "the end of the night", 300)
        system.wait_for_runs()
    finally:
        for scenario in SCENARIOS:
            _log.warning("%s: %s", scenario.name, ended(system.runs(), scenario))
        _log.warning("tasks:\n%s", system.told_of_tasks())
    return system


@pytest.fixture(scope="module")
def morning(night: AwsSystem) -> AwsSystem:
    """After operators opened a document, and asked for what the night left undone; and after SES
    told of every mail."""
    stored = night.objects("reports/")
    assert night.opened(next(key for key in stored if key.endswith(".pdf"))).startswith(b"%PDF")
    night.let_leases_run_out()
    left = [t for scenario in SCENARIOS for t in tenants_of(scenario)]
    printed = night.run_command("backfill", "--month", MONTH, "--tenant", ",".join(left))
    assert f"{len(left)} tenants in" in printed
    wait_until(lambda: bool(asked_for(night)), "runs", 60)
    night.wait_for_runs()
    night.let_leases_run_out()
    # Of a mail that was being posted when its task died, too, since SES has it.
    wait_until(
        lambda: set(states(night)) == {DeliveryState.DELIVERED}, "an event of every mail", 120
    )
    assert not night.dead_letters()
    return night


def test_a_month_that_an_operator_backfills_goes_out(night: AwsSystem) -> None:
    runs = [run for run in night.runs() if tag(run, "dagster/backfill")]
    assert [run["status"] for run in runs] == ["SUCCESS"] * 3
    for run in runs:
        task = task_of(night, run)
        assert task.exit_codes == {"run": 0}
        assert task.capacity_provider == "FARGATE"
        assert task.size == ("1024", "2048")
    readers = night.readers(MONTH_OF_TENANTS)
    assert {tenant_id for tenant_id, _ in readers} == set(MONTH_OF_TENANTS)
    mails = night.mails_of(MONTH_OF_TENANTS)
    assert Counter((m.tags["tenant_id"], *m.recipients) for m in mails) == Counter(readers)


def test_a_mail_has_the_documents_that_are_stored(night: AwsSystem) -> None:
    mail = night.mails_of(MONTH_OF_TENANTS)[-1]
    stored = documents(night, [mail.tags["tenant_id"]])
    assert {document.name.rpartition(".")[2] for document in stored} == {"pdf", "xlsx"}
    assert attachments(mail.content) == {d.file_name: night.opened(d.object_key) for d in stored}


def test_the_bucket_holds_what_the_register_says(morning: AwsSystem) -> None:
    registered = {document.object_key for document in documents(morning, TENANTS)}
    assert set(morning.objects("reports/")) == registered


def test_runs_end_as_they_should(night: AwsSystem) -> None:
    runs = night.runs()
    others = [scenario for scenario in SCENARIOS if not ended_well(runs, scenario)]
    # Dagster loses a retry now and then (dagster 14605), which the sweeper makes up for.
    lost = [scenario for scenario in others if ended_well(runs, scenario, lost_retry=True)]
    assert others == lost
    assert len(lost) <= 1


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_was_to_happen_has_happened(night: AwsSystem, scenario: Scenario) -> None:
    happened = [f for f in night.aws.ecs.faults if f.started_by == scenario.name]
    assert len(happened) == len(scenario.faults)
    assert all(fault.count for fault in happened)
    if ended_well(night.runs(), scenario):
        assert [fault.count for fault in happened] == [fault.times for fault in scenario.faults]


@pytest.mark.parametrize("scenario", [INTERRUPTED, STOPPED], ids=lambda scenario: scenario.name)
def test_a_run_that_is_told_to_end_ends_the_company_under_way_and_begins_no_other(
    night: AwsSystem, scenario: Scenario
) -> None:
    run = runs_of(night.runs(), scenario)[0]
    task = task_of(night, run)
    assert task.exit_codes != {"run": 137}
    posted = night.moved_by(run["runId"], DeliveryState.POSTING)
    assert night.moved_by(run["runId"], DeliveryState.ACCEPTED) == posted
    assert not night.begun_by(run["runId"], after=task.times["stoppingAt"])
    assert tenants_of(scenario)[-1] not in {tenant_id for tenant_id, _ in posted}
    assert task.capacity_provider == (SPOT if scenario.is_on_spot else "FARGATE")


def test_a_run_that_is_killed_leaves_a_mail_of_which_it_says_nothing(night: AwsSystem) -> None:
    run = runs_of(night.runs(), KILLED)[0]
    assert task_of(night, run).exit_codes == {"run": 137}
    posted = night.moved_by(run["runId"], DeliveryState.POSTING)
    assert len(posted - night.moved_by(run["runId"], DeliveryState.ACCEPTED)) == 1


def test_a_run_whose_credentials_have_ended_is_told_so(night: AwsSystem) -> None:
    [task] = night.aws.ecs.started_by(EXPIRED.name)
    assert night.aws.roles.expired_calls(task.task_id) > 0


@pytest.mark.parametrize("name", ["code", "daemon"])
def test_a_service_that_dies_is_replaced(night: AwsSystem, name: str) -> None:
    group = [t for t in night.aws.ecs.tasks.values() if t.group == f"service:{name}"]
    assert [task.exit_codes for task in group] == [{name: 137}, {}]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_healthy_as_its_task_definition_has_it(morning: AwsSystem, name: str) -> None:
    assert morning.aws.ecs.health(morning.service(name)) == {name: 0}


def test_what_a_run_is_started_with_fits(morning: AwsSystem) -> None:
    runs = [task for task in morning.aws.ecs.tasks.values() if "dagster/run_id" in task.tags]
    longest = max(override_characters(task.request) for task in runs)
    assert longest < MOST_OVERRIDE_CHARACTERS


def test_nothing_is_doubled_and_nothing_is_lost(morning: AwsSystem) -> None:
    DeliveriesUnderTest(
        morning.database_url, Month.parse(MONTH), FakeSes(accepted=morning.aws.ses.accepted)
    ).check_revisions(TENANTS, unknown_at_most=0)
    assert {mail.tags["tenant_id"] for mail in morning.aws.ses.accepted} == set(TENANTS)


def test_what_operators_ask_for_runs_on_spot(morning: AwsSystem) -> None:
    tasks = [task_of(morning, run) for run in asked_for(morning)]
    assert {task.capacity_provider for task in tasks} == {SPOT}


def test_the_credentials_of_a_task_are_renewed(night: AwsSystem) -> None:
    assert night.aws.roles.issued_to(night.service("daemon").task_id) > 1


@pytest.mark.parametrize("logical_id", UNCALLED)
def test_a_role_may_do_what_it_does_and_nothing_else(morning: AwsSystem, logical_id: str) -> None:
    role = morning.stack.ref(logical_id)
    allowed = allowed_to(morning.aws, role)
    needed = morning.aws.roles.needed_by(role)
    missing = [one for one in needed if not any(a.covers(one) for a in allowed)]
    assert not missing, f"{logical_id} lacks permissions"
    unused = uncalled(allowed, needed)
    assert unused == set(UNCALLED[logical_id]), "allowed without a reason, or called after all"


def test_no_role_of_a_task_is_left_out() -> None:
    resources = load_template(TEMPLATE)["Resources"].values()
    definitions = [r["Properties"] for r in resources if r["Type"] == "AWS::ECS::TaskDefinition"]
    roles = {d[key]["Fn::GetAtt"][0] for d in definitions for key in ROLE_KEYS if key in d}
    assert roles == set(UNCALLED)


def uncalled(allowed: Sequence[Allowed], needed: Iterable[Permission]) -> set[str]:
    """What nobody asked for: actions; of those that are asked for, each with the resource of which
    they are not."""
    called = {one.action for one in needed}
    unused = [one for one in allowed if not any(one.covers(n) for n in needed)]
    return {
        f"{one.action} {one.resource.rpartition(':')[2].partition('/')[2]}"
        if one.action in called
        else one.action
        for one in unused
    }


def launch(system: AwsSystem, scenario: Scenario) -> None:
    system.aws.ecs.faults += [replace(fault, started_by=scenario.name) for fault in scenario.faults]
    system.launch_run(
        tenants_of(scenario), {STARTED_BY: ON_SPOT} if scenario.is_on_spot else {}, scenario.name
    )


def tenants_of(scenario: Scenario) -> Sequence[str]:
    start = len(MONTH_OF_TENANTS) + TENANTS_A_SCENARIO * SCENARIOS.index(scenario)
    return TENANTS[start : start + TENANTS_A_SCENARIO]


def ended(runs: Sequence[dict[str, Any]], scenario: Scenario) -> str:
    """The states of its runs, oldest first."""
    return " ".join(run["status"] for run in runs_of(runs, scenario))


def ended_well(
    runs: Sequence[dict[str, Any]], scenario: Scenario, *, lost_retry: bool = False
) -> bool:
    """Whether its runs have ended as they should, or would have with a retry more."""
    found = ended(runs, scenario)
    possible = [f"{found} SUCCESS", f"{found} FAILURE"] if lost_retry else [found]
    return any(re.fullmatch(scenario.ends, states) for states in possible)


def runs_of(runs: Sequence[dict[str, Any]], scenario: Scenario) -> list[dict[str, Any]]:
    """Its runs, oldest first; `runs` are all, newest first."""
    return [run for run in reversed(runs) if started_by(run) == scenario.name]


def asked_for(system: AwsSystem) -> list[dict[str, Any]]:
    """The runs of `reports backfill`; the sweeper may ask for some, too."""
    return [r for r in system.runs() if (tag(r, LAUNCH_TAG) or "").startswith(BACKFILL_PREFIX)]


def documents(system: AwsSystem, tenant_ids: Sequence[str]) -> list[StoredDocument]:
    """What the register says is stored."""
    found = ReportRegister(system.database_url).documents(Month.parse(MONTH), tenant_ids)
    return [document for of_tenant in found.values() for document in of_tenant]


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
