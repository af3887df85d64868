"""Tasks run as they do on Fargate, end as they do, and are told of in the same words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulators.aws import Aws
from tests.emulators.clusters import CLUSTER, LOG_GROUP, NETWORK, define_task
from tests.emulators.ecs_agent import Task, TaskFault
from tests.end_to_end.services import wait_until

SLEEP = ["sleep", "60"]
TELL_ENVIRONMENT = ["python", "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
TELL_CALLER = [
    "python", "-c", "import boto3; print(boto3.client('sqs').list_queues()['ResponseMetadata'])",
]  # fmt: skip


def test_a_task_runs_its_command_with_a_clean_environment_and_logs_to_cloudwatch(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTS_LEAKED", "from the machine")
    secret = aws.client("secretsmanager").create_secret(
        Name="database", SecretString='{"url": "postgresql://of-a-secret"}'
    )
    define_task(
        aws, "run", SLEEP,
        environment={"A": "of the definition", "B": "of the definition"},
        secrets={"URL": f"{secret['ARN']}:url::"},
    )  # fmt: skip
    task = run(
        aws,
        command=TELL_ENVIRONMENT,
        environment=[{"name": "B", "value": "of the override"}],
    )
    told = ended(aws, task)
    assert told["containers"][0]["exitCode"] == 0
    assert told["stopCode"] == "EssentialContainerExited"
    environment = json.loads(logged(aws, task)[0])
    assert environment["A"] == "of the definition"
    assert environment["B"] == "of the override"
    assert environment["URL"] == "postgresql://of-a-secret"
    assert environment["AWS_ENDPOINT_URL"] == aws.url
    assert "REPORTS_LEAKED" not in environment
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in environment, "it has no role"


@pytest.mark.parametrize(
    ("end", "exit_code", "stop_code", "reason"),
    [
        (lambda aws, task: aws.ecs.kill(task), 137, "EssentialContainerExited", "Essential"),
        (lambda aws, task: aws.ecs.interrupt(task), 143, "SpotInterruption", "Your Spot Task"),
        (
            lambda aws, task: aws.client("ecs").stop_task(
                cluster=CLUSTER, task=task.arn, reason="no longer needed"
            ),
            143,
            "UserInitiated",
            "no longer needed",
        ),
    ],
    ids=["killed", "interrupted", "stopped"],
)
def test_how_a_task_ends_is_told_as_aws_tells_it(
    aws: Aws, end: Callable[[Aws, Task], object], exit_code: int, stop_code: str, reason: str
) -> None:
    define_task(aws, "run", SLEEP)
    task = run(aws)
    wait_until(lambda: task.is_running, "the task", 20)
    assert "exitCode" not in described(aws, task)["containers"][0]
    end(aws, task)
    told = ended(aws, task)
    assert told["containers"][0]["exitCode"] == exit_code
    assert told["stopCode"] == stop_code
    assert told["stoppedReason"].startswith(reason)


def test_what_does_not_obey_is_killed_with_all_that_it_started(aws: Aws) -> None:
    define_task(
        aws, "run",
        ["sh", "-c", "trap '' TERM; sleep 60 & echo up; while :; do sleep 0.05; done"],
        stopTimeout=1,
    )  # fmt: skip
    task = run(aws)
    wait_until(lambda: bool(task.log.lines), "its log", 20)
    aws.ecs.stop(task, "UserInitiated", "Task stopped by user")
    # A task ends with its log, which the sleeping process holds open.
    assert ended(aws, task)["containers"][0]["exitCode"] == 137


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ({"image": "unknown"}, "CannotPullContainerError"),
        ({"command": ["no-such-program"]}, "CannotStartContainerError"),
        ({"secrets": {"URL": "arn:aws:secretsmanager:r:1:secret:none"}}, "unable to pull secrets"),
    ],
    ids=["image", "command", "secret"],
)
def test_a_task_that_cannot_start_says_why(
    aws: Aws, definition: dict[str, Any], reason: str
) -> None:
    define_task(aws, "run", **{"command": SLEEP, **definition})
    told = ended(aws, run(aws))
    assert told["stopCode"] == "TaskFailedToStart"
    assert reason in told["stoppedReason"]
    assert "exitCode" not in told["containers"][0]


def test_what_the_emulator_did_not_foresee_is_told_as_why_a_task_did_not_start(aws: Aws) -> None:
    secret = aws.client("secretsmanager").create_secret(Name="database", SecretString="no JSON")
    define_task(aws, "run", SLEEP, secrets={"URL": f"{secret['ARN']}:url::"})
    told = ended(aws, run(aws))
    assert told["stopCode"] == "TaskFailedToStart"
    assert "JSONDecodeError" in told["stoppedReason"]


def test_a_task_without_a_network_never_runs(aws: Aws) -> None:
    define_task(aws, "run", SLEEP)
    aws.ecs.faults = [TaskFault("no network", started_by="somebody")]
    told = ended(aws, run(aws, startedBy="somebody"))
    assert "network interface provisioning" in told["stoppedReason"]
    assert aws.ecs.faults[0].count == 1


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"command": ["echo", "x" * 8192]}, "at most 8192"),
        ({"networkConfiguration": {}}, "Network Configuration must be provided"),
        (
            {"launchType": "FARGATE", "capacityProviderStrategy": [{"capacityProvider": "F"}]},
            "and not both",
        ),
        ({"capacityProviderStrategy": [{"capacityProvider": "F"}]}, "not associated with the"),
        ({"memory": "512"}, "No Fargate configuration exists"),
        ({"cluster": "none"}, "Cluster not found"),
        ({"taskDefinition": "none"}, "TaskDefinition not found"),
    ],
    ids=["override", "network", "capacity", "provider", "size", "cluster", "definition"],
)
def test_a_request_that_ecs_would_refuse_is_refused(
    aws: Aws, request_: dict[str, Any], message: str
) -> None:
    define_task(aws, "run", SLEEP)
    with pytest.raises(ClientError, match=message):
        run(aws, **request_)
    assert not aws.ecs.tasks


def test_throttling_and_lack_of_capacity_last_as_long_as_they_are_told_to(aws: Aws) -> None:
    define_task(aws, "run", SLEEP)
    aws.ecs.faults = [TaskFault("network throttled"), TaskFault("no capacity")]
    with pytest.raises(ClientError, match="Throttling"):
        run(aws)
    answer = request(aws)
    assert not answer["tasks"]
    assert "Capacity is unavailable" in answer["failures"][0]["reason"]
    assert request(aws)["tasks"]


def test_a_request_that_comes_again_starts_no_second_task(aws: Aws) -> None:
    define_task(aws, "run", SLEEP)
    arns = {request(aws, clientToken="same")["tasks"][0]["taskArn"] for _ in range(3)}
    assert len(arns) == len(aws.ecs.tasks) == 1
    with pytest.raises(ClientError, match="ConflictException"):
        request(aws, clientToken="same", startedBy="somebody else")


def test_a_service_is_kept_and_follows_its_task_definition(aws: Aws) -> None:
    client = aws.client("ecs")
    client.create_service(
        cluster=CLUSTER, serviceName="daemon", desiredCount=1, launchType="FARGATE",
        taskDefinition=define_task(aws, "daemon", SLEEP),
    )  # fmt: skip
    [first] = wait_for_tasks(aws, "daemon")
    aws.ecs.kill(first)
    wait_until(lambda: first.has_stopped, "its end", 20)
    [second] = wait_for_tasks(aws, "daemon")
    assert second.arn != first.arn
    newer = define_task(aws, "daemon", SLEEP)
    client.update_service(cluster=CLUSTER, service="daemon", taskDefinition=newer)
    wait_until(lambda: second.has_stopped, "the deployment", 20)
    [third] = wait_for_tasks(aws, "daemon")
    assert third.definition.arn == newer
    client.update_service(cluster=CLUSTER, service="daemon", desiredCount=0)
    wait_until(lambda: third.has_stopped, "its end", 20)
    assert not aws.ecs.of_service("daemon")


def test_a_task_may_run_though_whoever_asked_for_it_was_killed_before_the_answer(
    aws: Aws,
) -> None:
    define_task(aws, "run", SLEEP)
    asks = (
        "import boto3; boto3.client('ecs').run_task("
        f"cluster='{CLUSTER}', taskDefinition='run', networkConfiguration={NETWORK})"
    )
    define_task(aws, "daemon", ["python", "-c", asks], task_role="Control")
    aws.ecs.faults = [TaskFault("caller killed", started_by="")]
    daemon = run(aws, taskDefinition="daemon", startedBy="ecs", overrides={})
    assert ended(aws, daemon)["containers"][0]["exitCode"] == 137
    [asked_for] = [task for task in aws.ecs.tasks.values() if task is not daemon]
    wait_until(lambda: asked_for.is_running, "the task", 20)


def test_a_log_that_cannot_be_written_holds_nothing_up(aws: Aws) -> None:
    define_task(aws, "run", ["sh", "-c", "echo first; sleep 1; seq 100000; echo last"])
    task = run(aws)
    wait_until(lambda: bool(task.log.lines), "its log", 20)
    aws.client("logs").delete_log_group(logGroupName=LOG_GROUP)
    assert ended(aws, task)["containers"][0]["exitCode"] == 0
    assert task.log.lines[-1] == "last"


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [(["CMD", "sh", "-c", "exit $CODE"], 3), (["CMD-SHELL", "test $CODE = 3"], 0)],
)
def test_a_health_command_has_what_its_container_has(
    aws: Aws, command: list[str], exit_code: int
) -> None:
    define_task(aws, "run", SLEEP, environment={"CODE": "3"}, healthCheck={"command": command})
    task = run(aws)
    wait_until(lambda: task.is_running, "the task", 20)
    assert aws.ecs.health(task) == {"run": exit_code}


def test_credentials_of_a_task_are_those_of_its_role_and_what_it_calls_is_recorded(
    aws: Aws,
) -> None:
    define_task(aws, "run", TELL_CALLER, task_role="Run")
    assert ended(aws, run(aws))["containers"][0]["exitCode"] == 0
    assert {needed.action for needed in aws.roles.needed_by("Run")} == {"sqs:ListQueues"}
    assert {needed.action for needed in aws.roles.needed_by("Execution")} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def request(aws: Aws, **parameters: Any) -> dict[str, Any]:
    container = {k: parameters.pop(k) for k in ("command", "environment") if k in parameters}
    task = {k: parameters.pop(k) for k in ("cpu", "memory") if k in parameters}
    usual: dict[str, Any] = {
        "cluster": CLUSTER,
        "taskDefinition": "run",
        "networkConfiguration": NETWORK,
        "overrides": {"containerOverrides": [{"name": "run", **container}], **task},
    }
    answer: dict[str, Any] = aws.client("ecs").run_task(**usual | parameters)
    return answer


def run(aws: Aws, **parameters: Any) -> Task:
    [told] = request(aws, **parameters)["tasks"]
    return aws.ecs.tasks[told["taskArn"].rpartition("/")[2]]


def described(aws: Aws, task: Task) -> dict[str, Any]:
    [told] = aws.client("ecs").describe_tasks(cluster=CLUSTER, tasks=[task.arn])["tasks"]
    found: dict[str, Any] = told
    return found


def ended(aws: Aws, task: Task) -> dict[str, Any]:
    wait_until(lambda: task.has_stopped, "the task's end", 20)
    return described(aws, task)


def logged(aws: Aws, task: Task) -> list[str]:
    answer = aws.client("logs").get_log_events(
        logGroupName=LOG_GROUP, logStreamName=f"run/run/{task.task_id}"
    )
    return [event["message"] for event in answer["events"]]


def wait_for_tasks(aws: Aws, service: str) -> list[Task]:
    def found() -> list[Task]:
        return [task for task in aws.ecs.of_service(service) if task.is_running]

    wait_until(lambda: bool(found()), f"a task of {service}", 20)
    return found()
