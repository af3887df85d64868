"""The production instance starts tasks in the network that its variables name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from reports_pipeline.fargate_launcher import FargateRunLauncher
from tests.emulators.aws import Aws
from tests.emulators.clusters import CLUSTER, create_cluster, define_task

PRODUCTION = Path(__file__).parents[2] / "dagster.yaml"


@pytest.fixture(scope="module")
def cluster(aws: Aws) -> Aws:
    """An account with one, and a task definition for runs."""
    create_cluster(aws)
    define_task(aws, "run")
    return aws


@pytest.fixture
def instance(
    cluster: Aws,
    database_url: str,
    tmp_path: Path,
    aws_credentials: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_bytes(PRODUCTION.read_bytes())
    for name, value in {
        "AWS_ENDPOINT_URL": cluster.url,
        "REPORTS_DAGSTER_URL": database_url,
        "REPORTS_RUN_TASK_DEFINITION": "run",
        "REPORTS_ECS_CLUSTER": CLUSTER,
        "REPORTS_RUN_SUBNETS": "subnet-1, subnet-2",
        "REPORTS_RUN_SECURITY_GROUPS": "sg-1",
        "REPORTS_RUN_PUBLIC_IP": "DISABLED",
    }.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def test_runs_are_tasks_in_the_network_of_the_variables(instance: dg.DagsterInstance) -> None:
    launcher = instance.run_launcher
    assert isinstance(launcher, FargateRunLauncher)
    assert str(launcher.task_definition).endswith(":task-definition/run:1")
    assert launcher.container_name == "run"
    assert launcher.secrets_tags == []
    assert launcher.run_task_kwargs == {
        "cluster": CLUSTER,
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1", "subnet-2"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "DISABLED",
            }
        },
    }


def test_it_is_the_instance_that_the_architecture_asks_for(instance: dg.DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 50
    assert queue.max_user_code_failure_retries == 10
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_start_timeout_seconds == 600
    assert instance.run_monitoring_max_resume_run_attempts == 0
    assert instance.run_retries_max_retries == 2
    assert not instance.run_retries_retry_on_asset_or_op_failure


def test_a_run_needs_no_variables_of_the_launcher(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its task is given is the reference, and a URL."""
    reference = instance.get_ref()
    for name in ("REPORTS_RUN_SUBNETS", "REPORTS_ECS_CLUSTER", "REPORTS_RUN_TASK_DEFINITION"):
        monkeypatch.delenv(name)
    with dg.DagsterInstance.from_ref(reference) as of_run:
        assert of_run.get_runs() == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REPORTS_RUN_SUBNETS", "vpc-1"),
        ("REPORTS_RUN_SUBNETS", "subnet-1,,subnet-2"),
        ("REPORTS_RUN_SECURITY_GROUPS", "default"),
        ("REPORTS_RUN_PUBLIC_IP", "yes"),
    ],
)
def test_a_network_that_is_none_is_refused(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(dg.DagsterInvariantViolationError, match=r"ids like|ENABLED or DISABLED"):
        _ = instance.run_launcher
