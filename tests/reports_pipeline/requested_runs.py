"""What the daemon does with requests, without running anything."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

# Dagster queues no run without one.
_ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("reports"), "__repository__"),
    "monthly_reports",
)


def create_runs(
    instance: dg.DagsterInstance,
    requests: Sequence[dg.RunRequest],
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> None:
    """Enter a run for each request."""
    for request in requests:
        instance.add_run(
            dg.DagsterRun(
                job_name="monthly_reports",
                run_id=str(uuid.uuid4()),
                status=status,
                run_config=request.run_config,
                tags=request.tags,
                remote_job_origin=_ORIGIN,
            )
        )


def requested_tenants(requests: Sequence[dg.RunRequest]) -> list[list[str]]:
    """The tenants of each request."""
    return [_selection(request)["tenants"] for request in requests]


def requested_months(requests: Sequence[dg.RunRequest]) -> set[str]:
    return {_selection(request)["month"] for request in requests}


def requested_verification(requests: Sequence[dg.RunRequest]) -> set[bool]:
    """Whether all tenants are verified, in any of the requests."""
    return {_selection(request)["verify_all"] for request in requests}


def _selection(request: dg.RunRequest) -> Any:
    return request.run_config["resources"]["tenant_selection"]["config"]
