"""From a month, or a selection of its tenants, to a few balanced runs.

Dagster's own backfill makes one run of every contiguous range of tenants, 449 runs for 500
tenants chosen at random (dagster 32335). Here a run is handed an explicit list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from assets.partitions import TENANTS
from assets.tenant_batch import TenantSelection
from reports_pipeline.accounting.periods import Month
from resources.launches import Launch, Launches
from resources.tenants import Tenants

LAUNCH_TAG = "reports/launch"
BATCH_TAG = "reports/batch"
MONTH_TAG = "reports/month"


class InactiveTenantsError(ValueError):
    """Some of the chosen tenants do not exist or are not active; the message names them."""


def balanced_batches(
    line_counts: Mapping[str, int], tenants_per_batch: int
) -> tuple[tuple[str, ...], ...]:
    """Cut tenants into as few batches as fit, with about as many ledger lines in each.

    Tenants are skewed, so equal counts of tenants would make one run last far longer than the
    others. The heaviest tenant goes first, each to the lightest batch that has a place.
    """
    batches: list[list[str]] = [[] for _ in range(-(-len(line_counts) // tenants_per_batch))]
    lines = [0] * len(batches)
    for tenant_id in sorted(line_counts, key=lambda t: (-line_counts[t], t)):
        open_batches = [n for n, batch in enumerate(batches) if len(batch) < tenants_per_batch]
        lightest = min(open_batches, key=lambda n: (lines[n], n))
        batches[lightest].append(tenant_id)
        lines[lightest] += line_counts[tenant_id]
    return tuple(tuple(sorted(batch)) for batch in batches)


def request_launch(
    launches: Launches,
    tenants: Tenants,
    *,
    launch_id: str,
    month: Month,
    tenant_ids: Collection[str] | None,
    tenants_per_run: int,
    requested_by: str,
    verify_all: bool = False,
) -> Launch:
    """Write down the launch of a month for these tenants, or for all active ones if None.

    Another program computes the statements of a sample of them, or with `verify_all` of all.

    Raises:
        InactiveTenantsError: a tenant does not exist or is not active.
    """
    active = tenants.active_ids(tenant_ids)
    if tenant_ids is not None and (unknown := sorted(set(tenant_ids) - set(active))):
        raise InactiveTenantsError(f"no such active tenants: {', '.join(unknown)}")
    batches = balanced_batches(tenants.line_counts(month, active), tenants_per_run)
    launch = Launch(launch_id, month, batches, verify_all)
    launches.request(launch, requested_by=requested_by)
    return launch


def runs_of(instance: dg.DagsterInstance, launch_id: str) -> list[dg.DagsterRun]:
    """The runs of a launch, automatic retries among them.

    A run that was created and never submitted is none: its daemon died in between, and Dagster
    submits it when it is requested again under its key.
    """
    runs = instance.get_runs(dg.RunsFilter(tags={LAUNCH_TAG: launch_id}))
    return [run for run in runs if run.status is not dg.DagsterRunStatus.NOT_STARTED]


def missing_runs(instance: dg.DagsterInstance, launch: Launch) -> list[dg.RunRequest]:
    """A request for every batch of the launch that has no run yet."""
    launched = {run.tags[BATCH_TAG] for run in runs_of(instance, launch.launch_id)}
    return [request for request in _run_requests(launch) if request.tags[BATCH_TAG] not in launched]


def month_runs(
    instance: dg.DagsterInstance, tenants: Tenants, month: Month, tenants_per_run: int
) -> list[dg.RunRequest]:
    """Requests for the scheduled runs of a month: every active tenant that is in none yet.

    Nothing is written down, so evaluating the schedule as a test changes nothing.
    """
    launch_id = f"month-{month}"
    launched = {
        tenant_id
        for run in runs_of(instance, launch_id)
        for tenant_id in TenantSelection.of_run(run)
    }
    remaining = [tenant_id for tenant_id in tenants.active_ids() if tenant_id not in launched]
    counts = tenants.line_counts(month, remaining)
    return _run_requests(Launch(launch_id, month, balanced_batches(counts, tenants_per_run)))


def _run_requests(launch: Launch) -> list[dg.RunRequest]:
    """A run for each batch. Its key makes Dagster create it once, however often it is asked."""
    return [
        dg.RunRequest(
            run_key=f"{launch.launch_id}/{hashlib.sha256(','.join(batch).encode()).hexdigest()}",
            run_config=TenantSelection.run_config(
                launch.month, batch, verify_all=launch.verify_all
            ),
            tags={
                LAUNCH_TAG: launch.launch_id,
                BATCH_TAG: f"{number}/{len(launch.batches)}",
                MONTH_TAG: str(launch.month),
            },
        )
        for number, batch in enumerate(launch.batches, start=1)
    ]


def missing_partitions(instance: dg.DagsterInstance, tenant_ids: Sequence[str]) -> list[str]:
    """Those of the tenants that Dagster has no partition for yet."""
    known = set(instance.get_dynamic_partitions(str(TENANTS.name)))
    return [tenant_id for tenant_id in tenant_ids if tenant_id not in known]


def add_missing_partitions(instance: dg.DagsterInstance, tenant_ids: Sequence[str]) -> None:
    """Give each of the tenants its partition."""
    if new := missing_partitions(instance, tenant_ids):
        instance.add_dynamic_partitions(str(TENANTS.name), new)
