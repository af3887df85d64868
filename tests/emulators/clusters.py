"""A cluster with a task definition, for tests of what runs on it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.emulators.api_calls import ACCOUNT
from tests.emulators.aws import REGION, Aws
from tests.emulators.ecs_agent import SPOT
from tests.emulators.task_processes import Image

CLUSTER = "reports"
LOG_GROUP = "/reports/runs"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}


def python_image(folder: Path) -> Image:
    """Of this installation's programs, and of nothing else of the machine."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return Image({"PATH": path, "HOME": str(folder), "DAGSTER_HOME": str(folder)}, folder)


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def create_cluster(aws: Aws) -> None:
    aws.client("ecs").create_cluster(clusterName=CLUSTER, capacityProviders=["FARGATE", SPOT])
    aws.client("logs").create_log_group(logGroupName=LOG_GROUP)


def define_task(
    aws: Aws,
    family: str,
    command: Sequence[str] = (),
    *,
    image: str = "reports",
    environment: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    task_role: str | None = None,
    **container: Any,
) -> str:
    """The ARN of a new revision; it has one container, of the same name."""
    answer = aws.client("ecs").register_task_definition(
        family=family,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="512",
        memory="1024",
        executionRoleArn=role_arn("Execution"),
        **({"taskRoleArn": role_arn(task_role)} if task_role else {}),
        containerDefinitions=[
            {
                "name": family,
                "image": image,
                "essential": True,
                "command": list(command),
                "environment": _named("value", environment),
                "secrets": _named("valueFrom", secrets),
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": LOG_GROUP,
                        "awslogs-region": REGION,
                        "awslogs-stream-prefix": family,
                    },
                },
                **container,
            }
        ],
    )
    arn: str = answer["taskDefinition"]["taskDefinitionArn"]
    return arn


def _named(key: str, values: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"name": name, key: value} for name, value in (values or {}).items()]
