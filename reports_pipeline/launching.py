"""From a month, or a selection of its tenants, to a few balanced runs.

Dagster's own backfill makes one run of every contiguous range of tenants, 449 runs for 500
tenants chosen at random (dagster 32335). Here a run is handed an explicit list.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
    WILL_RETRY_TAG,
)

from assets.monthly_reports import STAGES
from assets.partitions import TENANTS
from assets.tenant_batch import TenantSelection
from reports_pipeline.accounting.periods import Month
from resources.launches import Launch, Launches
from resources.tenants import Tenants

LAUNCH_TAG = "reports/launch"
BATCH_TAG = "reports/batch"
MONTH_TAG = "reports/month"

# A run that was created and never submitted is not among them: see `runs_of`.
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_BACKFILLS_UNDER_WAY = [
    BulkActionStatus.REQUESTED,
    BulkActionStatus.CANCELING,
    BulkActionStatus.FAILING,
]
_MAILS = [dg.AssetKey(STAGES[-1].name)]
# Dagster retries a run within a minute of its failure, or has lost the retry: dagster 14605, 33741.
_RETRY_IS_LOST_AFTER = datetime.timedelta(minutes=10)
# That cost as much as a tenant does however few it has: 6 µs each, claims and all, and 75 ms.
_LINES_A_PLACE = 12_500


# More would not fit a terminal.
_MOST_TYPED = 20
# Of a company whose run gets a larger task: one of 560,000 took 0.55 GB, run and worker together.
_LINES_OF_A_LARGE_TASK = 500_000
# Launches that people ask for, rather than the schedule or the sweeper.
BACKFILL_PREFIX = "backfill-"


LineCounts = Callable[[Month, Collection[str]], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class TaskPlacement:
    """Where on ECS a run is to be placed, if not where every run is; it means nothing elsewhere.

    `large_task` is for a run with a company of very many lines: CPU units and MiB. `line_counts`
    tells of how many, by tenant. `backfill_capacity` is the capacity provider of what people ask
    for, such as FARGATE_SPOT, whose tasks may be interrupted; the month itself always has the
    provider of dagster.yaml.
    """

    large_task: tuple[int, int] | None = None
    backfill_capacity: str | None = None
    line_counts: LineCounts = lambda _month, _tenant_ids: {}

    def tags(self, launch: Launch) -> list[dict[str, str]]:
        """Those of the run of each batch."""
        on_provider = {}
        if self.backfill_capacity is not None and launch.launch_id.startswith(BACKFILL_PREFIX):
            strategy = [{"capacityProvider": self.backfill_capacity, "weight": 1}]
            on_provider["ecs/run_task_kwargs"] = json.dumps({"capacityProviderStrategy": strategy})
        if self.large_task is None:
            return [on_provider for _ in launch.batches]
        cpu, memory = self.large_task
        of_size = {"ecs/cpu": str(cpu), "ecs/memory": str(memory)}
        lines = self.line_counts(launch.month, [t for batch in launch.batches for t in batch])
        return [
            on_provider | of_size
            if any(lines.get(tenant_id, 0) >= _LINES_OF_A_LARGE_TASK for tenant_id in batch)
            else on_provider
            for batch in launch.batches
        ]


ANYWHERE = TaskPlacement()


class InactiveTenantsError(ValueError):
    """Some of the chosen tenants do not exist or are not active; the message names them."""


def backfill_command(month: Month, tenant_ids: Sequence[str]) -> str:
    """What an operator types to launch a month for these tenants, who lack a run; if they are many,
    for everybody who does."""
    named = f"--tenant {','.join(tenant_ids)}" if len(tenant_ids) <= _MOST_TYPED else "--failed"
    return f"reports backfill --month {month} {named}"


def balanced_batches(
    line_counts: Mapping[str, int], tenants_per_batch: int
) -> tuple[tuple[str, ...], ...]:
    """Cut tenants into few batches of about as much work, which last about as long.

    A batch has places for so many usual tenants. One of very many ledger lines takes several, so
    that it has fewer neighbours, or none. The heaviest goes first, each to the batch of the least
    work that has the places.
    """
    places = {
        tenant_id: min(tenants_per_batch, 1 + lines // _LINES_A_PLACE)
        for tenant_id, lines in line_counts.items()
    }
    batches = [_Batch() for _ in range(-(-sum(places.values()) // tenants_per_batch))]
    for tenant_id in sorted(line_counts, key=lambda t: (-line_counts[t], t)):
        most_taken = tenants_per_batch - places[tenant_id]
        fitting = [batch for batch in batches if batch.places <= most_taken]
        if not fitting:  # the places that are left are scattered
            fitting = [_Batch()]
            batches += fitting
        lightest = min(fitting, key=lambda batch: batch.work)
        lightest.tenant_ids.append(tenant_id)
        lightest.places += places[tenant_id]
        lightest.work += _LINES_A_PLACE + line_counts[tenant_id]
    return tuple(tuple(sorted(batch.tenant_ids)) for batch in batches if batch.tenant_ids)


@dataclass
class _Batch:
    tenant_ids: list[str] = field(default_factory=list)
    places: int = 0
    work: int = 0  # as ledger lines


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


def missing_runs(
    instance: dg.DagsterInstance,
    launch: Launch,
    placement: TaskPlacement = ANYWHERE,
) -> list[dg.RunRequest]:
    """A request for every batch of the launch that has no run yet."""
    lacking = _batches_without_run(instance, launch)
    # Each is looked at once more when it lacks none; the placement may ask the ledger.
    requests = run_requests(launch, placement) if lacking else []
    return [request for request in requests if request.tags[BATCH_TAG] in lacking]


def _batches_without_run(
    instance: dg.DagsterInstance, launch: Launch
) -> dict[str, tuple[str, ...]]:
    """Its batches that have no run yet, by the value of their tag."""
    launched = {run.tags[BATCH_TAG] for run in runs_of(instance, launch.launch_id)}
    return {tag: batch for tag, batch in _tagged_batches(launch).items() if tag not in launched}


def _tagged_batches(launch: Launch) -> dict[str, tuple[str, ...]]:
    count = len(launch.batches)
    return {f"{number}/{count}": batch for number, batch in enumerate(launch.batches, start=1)}


def tenants_under_way(
    instance: dg.DagsterInstance, launches: Launches, month: Month, now: datetime.datetime
) -> set[str]:
    """Tenants for whose month a run is on its way: one that has not ended, whoever started it and
    in whatever way it names its tenants; one that failed and is about to be retried; and one that
    is asked for and not created yet."""
    # Launches first: what is created in between is found as a run.
    asked = {
        tenant_id
        for launch in launches.unlaunched()
        if launch.month == month
        for batch in _batches_without_run(instance, launch).values()
        for tenant_id in batch
    }
    runs = _runs_under_way(instance, now)
    return asked.union(*(tenants_of_run(instance, run, month) for run in runs))


def months_under_way(
    instance: dg.DagsterInstance, launches: Launches, now: datetime.datetime
) -> set[Month]:
    """Months of which anything is on its way: a launch without its runs, a backfill from Dagster's
    pages, or a run as `tenants_under_way` counts them."""
    # In the order in which one becomes the other.
    months = {
        launch.month for launch in launches.unlaunched() if _batches_without_run(instance, launch)
    }
    for backfill in instance.get_backfills(BulkActionsFilter(statuses=_BACKFILLS_UNDER_WAY)):
        if (data := backfill.asset_backfill_data) is not None:
            for subset in data.target_subset.partitions_subsets_by_asset_key.values():
                months.update(_months_of(subset.get_partition_keys()))
    return months.union(*map(_months_of_run, _runs_under_way(instance, now)))


def _runs_under_way(instance: dg.DagsterInstance, now: datetime.datetime) -> list[dg.DagsterRun]:
    """Those that have not ended, and those that failed and are about to be retried."""
    retried = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE],
        tags={WILL_RETRY_TAG: "true"},
        updated_after=_retries_are_lost_of(now),
    )
    return [
        *instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)),
        *(run for run in instance.get_runs(retried) if run.is_complete_and_waiting_to_retry),
    ]


def lost_retries(instance: dg.DagsterInstance, launch_id: str, now: datetime.datetime) -> set[str]:
    """The runs of a launch that failed some time ago, were to be retried and never were.

    Dagster loses a retry, for example, when it reads the event of the failure before the run's
    status says the same.
    """
    runs = instance.get_runs(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE],
            tags={WILL_RETRY_TAG: "true", LAUNCH_TAG: launch_id},
            updated_before=_retries_are_lost_of(now),
        )
    )
    return {run.run_id for run in runs if run.is_complete_and_waiting_to_retry}


def _retries_are_lost_of(now: datetime.datetime) -> datetime.datetime:
    """What failed before this moment and was not retried will not be; in UTC, since Dagster drops
    the time zone."""
    return (now - _RETRY_IS_LOST_AFTER).astimezone(datetime.UTC)


def tenants_of_run(instance: dg.DagsterInstance, run: dg.DagsterRun, month: Month) -> list[str]:
    """Those for whose month the run is: its selection, its range of partitions, or its one."""
    if selected := TenantSelection.of_run(run):
        return selected if TenantSelection.month_of_run(run) == str(month) else []
    if (partitions := _range_of_run(run)) is None:
        return []
    (first_month, first_tenant), (last_month, last_tenant) = partitions
    if not first_month <= str(month) <= last_month:
        return []
    if first_tenant == last_tenant:
        return [first_tenant]
    # A range is in the order in which tenants were added.
    order = list(instance.get_dynamic_partitions(str(TENANTS.name)))
    return order[order.index(first_tenant) : order.index(last_tenant) + 1]


def _months_of_run(run: dg.DagsterRun) -> set[Month]:
    if (selected := TenantSelection.month_of_run(run)) is not None:
        return {Month.parse(selected)}
    if (partitions := _range_of_run(run)) is None:
        return set()
    first, last = (Month.parse(month) for month, _ in partitions)
    return {first.plus(elapsed) for elapsed in range(last.ordinal - first.ordinal + 1)}


def _range_of_run(run: dg.DagsterRun) -> tuple[tuple[str, str], tuple[str, str]] | None:
    """Month and tenant of the first and of the last partition of a run from Dagster's pages; None
    if it is of another job."""
    partition = run.tags.get(PARTITION_NAME_TAG, "")
    start = run.tags.get(ASSET_PARTITION_RANGE_START_TAG, partition)
    end = run.tags.get(ASSET_PARTITION_RANGE_END_TAG, partition)
    if "|" not in start or "|" not in end:
        return None
    first_month, _, first_tenant = start.partition("|")
    last_month, _, last_tenant = end.partition("|")
    return (first_month, first_tenant), (last_month, last_tenant)


def _months_of(partition_keys: Iterable[str]) -> set[Month]:
    return {Month.parse(name) for name in {key.partition("|")[0] for key in partition_keys}}


def month_launch(
    instance: dg.DagsterInstance,
    launches: Launches,
    tenants: Tenants,
    month: Month,
    expected: Collection[str],
    *,
    tenants_per_run: int,
) -> Launch:
    """What an opened month still lacks of its first launch: the expected tenants that are active
    and have no run of it, nor are asked for."""
    launch_id = f"month-{month}"
    # Launches first: what is created in between is found as a run.
    taken = {
        tenant_id
        for launch in launches.unlaunched()
        if launch.launch_id == launch_id
        for batch in launch.batches
        for tenant_id in batch
    }
    for run in runs_of(instance, launch_id):
        taken.update(TenantSelection.of_run(run))
    remaining = [tenant_id for tenant_id in tenants.active_ids(expected) if tenant_id not in taken]
    counts = tenants.line_counts(month, remaining)
    return Launch(launch_id, month, balanced_batches(counts, tenants_per_run))


def run_requests(launch: Launch, placement: TaskPlacement = ANYWHERE) -> list[dg.RunRequest]:
    """A run for each batch. Its key makes Dagster create it once, however often it is asked."""
    return [
        dg.RunRequest(
            run_key=f"{launch.launch_id}/{hashlib.sha256(','.join(batch).encode()).hexdigest()}",
            run_config=TenantSelection.run_config(
                launch.month, batch, verify_all=launch.verify_all
            ),
            asset_selection=_MAILS if launch.deliveries_only else None,
            tags={
                LAUNCH_TAG: launch.launch_id,
                BATCH_TAG: tag,
                MONTH_TAG: str(launch.month),
                **tags,
            },
        )
        for (tag, batch), tags in zip(
            _tagged_batches(launch).items(), placement.tags(launch), strict=True
        )
    ]


def missing_partitions(instance: dg.DagsterInstance, tenant_ids: Sequence[str]) -> list[str]:
    """Those of the tenants that Dagster has no partition for yet."""
    known = set(instance.get_dynamic_partitions(str(TENANTS.name)))
    return [tenant_id for tenant_id in tenant_ids if tenant_id not in known]


def add_missing_partitions(instance: dg.DagsterInstance, tenant_ids: Sequence[str]) -> None:
    """Give each of the tenants its partition."""
    if new := missing_partitions(instance, tenant_ids):
        instance.add_dynamic_partitions(str(TENANTS.name), new)
