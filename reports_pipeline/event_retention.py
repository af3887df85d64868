"""What Dagster's event log may lose of runs that ended long ago; Dagster itself never removes
anything from it (dagster 33785).

The steps of a run go: when they began, what they logged, which resources they opened; and, of each
partition that it made, that it was about to. What it made, what it was about to make and did not,
what its checks found, why a step failed and how it ended stays for good: the state of a partition
is read off these rows.
docs/web-ui-at-scale.md tells what a run's page shows afterwards.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import dagster as dg
import sqlalchemy
from dagster_postgres import PostgresEventLogStorage

from reports_pipeline.accounting.periods import Month
from reports_pipeline.launching import tenants_of_run
from reports_pipeline.tokyo import TOKYO
from resources.delivery_months import DeliveryMonths

# Named one by one, so that a kind that Dagster adds later stays. Messages of loggers have none.
_PRUNED = [
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_INPUT,
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_SKIPPED,
    dg.DagsterEventType.STEP_UP_FOR_RETRY,
    dg.DagsterEventType.STEP_RESTARTED,
    dg.DagsterEventType.STEP_WORKER_STARTING,
    dg.DagsterEventType.STEP_WORKER_STARTED,
    dg.DagsterEventType.RESOURCE_INIT_STARTED,
    dg.DagsterEventType.RESOURCE_INIT_SUCCESS,
    dg.DagsterEventType.RESOURCE_INIT_FAILURE,
    dg.DagsterEventType.LOADED_INPUT,
    dg.DagsterEventType.HANDLED_OUTPUT,
    dg.DagsterEventType.ENGINE_EVENT,
    dg.DagsterEventType.LOGS_CAPTURED,
]
_FINISHED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
# Few enough that nobody who writes events waits for them: 10,000 rows of batches of 100 tenants.
_RUNS_AT_ONCE = 20

# A run loses all at once, so one that has lost its steps has nothing left to lose.
_RUNS = """
    select distinct run_id
    from event_logs join runs using (run_id)
    where dagster_event_type = any(:kinds) and runs.status = any(:finished)
      and coalesce(runs.end_time, extract(epoch from runs.update_timestamp)) < :before
    order by run_id
"""
_PRUNABLE = """
    from event_logs planned
    where run_id = any(:runs) and (
        dagster_event_type = any(:kinds) or dagster_event_type is null
        or dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED' and exists (
            select from event_logs made
            where made.asset_key = planned.asset_key and made.partition = planned.partition
              and made.dagster_event_type = 'ASSET_MATERIALIZATION'
              and made.run_id = planned.run_id and made.id > planned.id
        )
    )
"""
_COUNT = f"select count(*), coalesce(sum(octet_length(event)), 0) {_PRUNABLE}"
_DELETE = f"""
    with pruned as (delete {_PRUNABLE} returning octet_length(event) as bytes)
    select count(*), coalesce(sum(bytes), 0) from pruned
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Pruning:
    """What was removed, or would be: of runs that ended before `before`. `is_complete`: nothing is
    left for the next time."""

    before: datetime.date
    events: int
    text_bytes: int
    is_complete: bool = True

    def __str__(self) -> str:
        rest = "" if self.is_complete else "; more is left for the next time"
        return (
            f"{self.events:,} events of runs that ended before {self.before}, "
            f"{self.text_bytes / 1e6:,.1f} MB of text{rest}"
        )


@dataclass(frozen=True)
class EventRetention:
    """Keeps everything for `months` whole months and the current one, and of a month that is open
    for delivery for as long as it is open."""

    months: int
    delivery_months: DeliveryMonths

    def prunable(self, instance: dg.DagsterInstance, now: datetime.datetime) -> Pruning:
        """What `prune` would remove.

        Raises:
            ValueError: the instance does not keep its events in PostgreSQL.
        """
        return self._each(_COUNT, instance, now, seconds=None)

    def prune(
        self,
        instance: dg.DagsterInstance,
        now: datetime.datetime,
        *,
        seconds: float | None = None,
    ) -> Pruning:
        """Remove it, some runs at a time, for about so many seconds at most. Several may do so at
        once, and what was removed stays so if this ends before its time.

        Raises:
            ValueError: the instance does not keep its events in PostgreSQL.
        """
        return self._each(_DELETE, instance, now, seconds=seconds)

    def _each(
        self,
        statement: str,
        instance: dg.DagsterInstance,
        now: datetime.datetime,
        *,
        seconds: float | None,
    ) -> Pruning:
        """Execute the statement for some runs after others, and add up what it says."""
        before = self._before(now)
        deadline = None if seconds is None else time.monotonic() + seconds
        kinds = {"kinds": [kind.value for kind in _PRUNED]}
        events = size = 0
        with _events(instance).index_connection() as connection:
            runs = self._runs(instance, connection, before, kinds)
            for first in range(0, len(runs), _RUNS_AT_ONCE):
                if deadline is not None and time.monotonic() > deadline:
                    return Pruning(before, events, size, is_complete=False)
                [(count, text_bytes)] = connection.execute(
                    sqlalchemy.text(statement), kinds | {"runs": runs[first:][:_RUNS_AT_ONCE]}
                )
                events += count
                size += int(text_bytes)
        return Pruning(before, events, size)

    def _before(self, now: datetime.datetime) -> datetime.date:
        return Month.of(now.astimezone(TOKYO).date()).plus(-self.months).start

    def _runs(
        self,
        instance: dg.DagsterInstance,
        connection: sqlalchemy.engine.Connection,
        before: datetime.date,
        kinds: Mapping[str, object],
    ) -> list[str]:
        start = datetime.datetime.combine(before, datetime.time(), TOKYO)
        found = connection.scalars(
            sqlalchemy.text(_RUNS),
            {
                **kinds,
                "finished": [status.value for status in _FINISHED],
                "before": start.timestamp(),
            },
        )
        open_months = [month for month in self.delivery_months.open_months() if month.end <= before]
        kept = _runs_of(instance, open_months, start)
        return [run_id for run_id in found if run_id not in kept]


def _runs_of(
    instance: dg.DagsterInstance, months: Collection[Month], before: datetime.datetime
) -> set[str]:
    """The finished runs of these months that began before then."""
    if not months:  # as always, unless somebody leaves a month open for a year
        return set()
    runs = instance.get_runs(dg.RunsFilter(statuses=_FINISHED, created_before=before))
    return {
        run.run_id for run in runs if any(tenants_of_run(instance, run, month) for month in months)
    }


def _events(instance: dg.DagsterInstance) -> PostgresEventLogStorage:
    storage = instance.event_log_storage
    if not isinstance(storage, PostgresEventLogStorage):
        raise ValueError(
            f"events are pruned in PostgreSQL, and this instance has {type(storage).__name__}"
        )
    return storage
