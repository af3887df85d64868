"""ECS takes 8,192 characters of overrides; what Dagster's launcher makes of a run is fewer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import Settings
from reports_pipeline.launching import ANYWHERE, TaskPlacement, run_requests
from resources.launches import Launch
from tests.deploy.account import DEPLOY, variables
from tests.emulators.aws import REGION, Aws
from tests.emulators.cloudformation import Stack
from tests.emulators.ecs_agent import Task

MOST_CHARACTERS = 8_192
# What a setting or a longer name adds later must still fit.
SPARE_CHARACTERS = 1_500
LONGEST_TENANT_ID = 32


@pytest.fixture
def instance(
    aws: Aws, stack: Stack, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """Production's, as the daemon has it; only its database is another."""
    for name, value in variables(aws.client, stack, "DaemonTask").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(
        "REPORTS_DAGSTER_URL", database_url.replace("postgresql://", "postgresql+psycopg2://", 1)
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    checkout = DEPLOY.parents[1]
    ref = InstanceRef.from_dir("/opt/dagster", config_dir=str(checkout))
    with dg.DagsterInstance.from_ref(ref) as instance:
        yield instance


def launched(instance: dg.DagsterInstance, aws: Aws, request: dg.RunRequest) -> Task:
    """The task of a run that was asked for."""
    repository = RepositoryPythonOrigin(
        executable_path="/opt/reports/bin/python",
        code_pointer=ModuleCodePointer(
            "reports_pipeline.definitions", "defs", working_directory="/var/lib/reports"
        ),
        container_image=None,
        entry_point=["dagster"],
        container_context={},
    )
    run = dg.DagsterRun(
        job_name="__ASSET_JOB",
        run_id=str(uuid.uuid4()),
        run_config=request.run_config,
        tags=request.tags,
        job_code_origin=JobPythonOrigin("__ASSET_JOB", repository),
    )
    instance.add_run(run)
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    [task] = [
        task for task in aws.ecs.tasks.values() if task.tags.get("dagster/run_id") == run.run_id
    ]
    return task


def overrides(task: Task) -> str:
    """As they travel."""
    return json.dumps(task.request["overrides"], separators=(",", ":"))


def longest_ids(count: int) -> tuple[str, ...]:
    return tuple(f"{number:0{LONGEST_TENANT_ID}}" for number in range(count))


def requested(
    *batches: tuple[str, ...], placement: TaskPlacement = ANYWHERE
) -> list[dg.RunRequest]:
    return run_requests(Launch("l" * 64, Month(2026, 10), batches, verify_all=True), placement)


def test_a_run_of_the_most_tenants_with_the_longest_names_fits(
    instance: dg.DagsterInstance, aws: Aws
) -> None:
    one, most = (
        overrides(launched(instance, aws, request))
        for request in requested(longest_ids(1), longest_ids(1_000))
    )
    assert len(most) == len(one) <= MOST_CHARACTERS - SPARE_CHARACTERS


def test_only_a_batch_with_a_very_large_company_gets_a_larger_task(
    instance: dg.DagsterInstance, aws: Aws, stack: Stack
) -> None:
    aws_settings = Settings.from_environment(variables(aws.client, stack, "CodeTask")).aws
    assert aws_settings is not None
    placement = TaskPlacement(
        aws_settings.large_task, line_counts=lambda _month, _tenants: {"heavy": 1_000_000}
    )
    heavy, usual = (
        launched(instance, aws, request).request["overrides"]
        for request in requested(("heavy", "t0001"), ("t0002",), placement=placement)
    )
    cpu, memory = stack.parameters["LargeTask"].split(":")
    assert (heavy["cpu"], heavy["memory"]) == (cpu, memory)
    assert usual.keys().isdisjoint({"cpu", "memory"})


def test_a_range_of_the_web_ui_fits(instance: dg.DagsterInstance, aws: Aws) -> None:
    """Such a run names its tenants in tags."""
    longest = f"2026-10|{'z' * LONGEST_TENANT_ID}"
    tags = {ASSET_PARTITION_RANGE_START_TAG: longest, ASSET_PARTITION_RANGE_END_TAG: longest}
    task = launched(instance, aws, dg.RunRequest(tags=tags))
    assert len(overrides(task)) <= MOST_CHARACTERS - SPARE_CHARACTERS


def test_the_network_is_that_of_runs(instance: dg.DagsterInstance, aws: Aws, stack: Stack) -> None:
    task = launched(instance, aws, dg.RunRequest())
    network = task.request["networkConfiguration"]["awsvpcConfiguration"]
    assert network["securityGroups"] == [stack.ref("RunGroup")]
    assert network["assignPublicIp"] == "DISABLED"


def test_the_overrides_name_no_place_of_this_machine(
    instance: dg.DagsterInstance, aws: Aws
) -> None:
    assert str(Path.cwd()) not in overrides(launched(instance, aws, dg.RunRequest()))
