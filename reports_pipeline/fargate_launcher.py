"""Dagster's launcher of runs as ECS tasks, told by variables where in the network they run.

`run_task_kwargs` of `EcsRunLauncher` takes no variables for it, and Fargate starts no task without.
The image holds one dagster.yaml, and subnets differ between installations.

`run_launcher` in dagster.yaml names `FargateRunLauncher`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_aws.ecs import EcsRunLauncher


class FargateRunLauncher(EcsRunLauncher[dg.DagsterInstance]):
    """As `EcsRunLauncher`, in `subnets` with `security_groups`: ids, with commas between them.
    `assign_public_ip` is `ENABLED` in subnets that reach AWS by an internet gateway."""

    def __init__(
        self,
        *,
        subnets: str,
        security_groups: str,
        assign_public_ip: str,
        run_task_kwargs: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        """
        Raises:
            DagsterInvariantViolationError: the network is no network.
        """
        network = {
            "subnets": _ids(subnets, "subnet-"),
            "securityGroups": _ids(security_groups, "sg-"),
            "assignPublicIp": assign_public_ip,
        }
        if assign_public_ip not in ("ENABLED", "DISABLED"):
            raise dg.DagsterInvariantViolationError(
                f"assign_public_ip is ENABLED or DISABLED, not {assign_public_ip!r}"
            )
        super().__init__(
            run_task_kwargs={
                **(run_task_kwargs or {}),
                "networkConfiguration": {"awsvpcConfiguration": network},
            },
            **settings,
        )

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {
            **super().config_type(),  # type: ignore[no-untyped-call]
            "subnets": dg.Field(dg.StringSource),
            "security_groups": dg.Field(dg.StringSource),
            "assign_public_ip": dg.Field(dg.StringSource, default_value="DISABLED"),
        }


def _ids(text: str, prefix: str) -> list[str]:
    ids = [part.strip() for part in text.split(",")]
    if not all(part.startswith(prefix) for part in ids):
        raise dg.DagsterInvariantViolationError(
            f"not ids like {prefix}0a1b2c3d with commas between them: {text!r}"
        )
    return ids
