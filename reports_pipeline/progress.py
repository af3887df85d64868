"""How far a month is, and what became of a launch: read from the register, not from Dagster."""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.storage.tags import WILL_RETRY_TAG

from assets.monthly_reports import STAGES
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.periods import Month
from reports_pipeline.launching import lost_retries, missing_runs, runs_of
from reports_pipeline.tokyo import now
from resources.launches import Launch
from resources.stage_outcomes import StageOutcome, StageOutcomes

# By now a running daemon has sent its first heartbeat or is not running.
_HEARTBEAT_SECONDS = 60


class LaunchStalledError(RuntimeError):
    """The runs of a launch will not finish by themselves; the message says why."""


@dataclass(frozen=True)
class MonthProgress:
    """The outcomes of a month by stage and tenant, for some tenants."""

    month: Month
    outcomes: dict[str, dict[str, StageOutcome]]

    @classmethod
    def read(
        cls,
        stage_outcomes: StageOutcomes,
        month: Month,
        tenant_ids: Sequence[str],
        run_ids: Collection[str] | None = None,
    ) -> MonthProgress:
        """The last outcomes of these tenants; those that came of one of `run_ids` only, if given:
        a run that died before its first outcome leaves those of the run before it."""
        outcomes = {}
        for stage in STAGES:
            found = stage_outcomes.read(stage.name, month, tenant_ids)
            outcomes[stage.name] = {
                tenant_id: outcome
                for tenant_id, outcome in found.items()
                if run_ids is None or outcome.run_id in run_ids
            }
        return cls(month, outcomes)

    @functools.cached_property
    def delivered(self) -> list[str]:
        """Tenants whose last stage is done, in order."""
        last = self.outcomes[STAGES[-1].name]
        return sorted(tenant_id for tenant_id, o in last.items() if o.artefact is not None)

    @functools.cached_property
    def failures(self) -> dict[str, TenantFailure]:
        """Each failed tenant with the failure of the first stage that failed."""
        failures: dict[str, TenantFailure] = {}
        for outcomes in self.outcomes.values():
            for tenant_id, outcome in sorted(outcomes.items()):
                if outcome.failure_code is not None and tenant_id not in failures:
                    failures[tenant_id] = TenantFailure(
                        tenant_id,
                        FailureCode(outcome.failure_code),
                        outcome.failure_details or {},
                    )
        return failures


def estimated_end(
    finished: Sequence[datetime.datetime], remaining: int, *, now: datetime.datetime
) -> datetime.datetime | None:
    """When the `remaining` tenants will be through, if they follow as others lately did; `finished`
    are their moments. None if nobody remains, or those moments make no rate.

    Tenants finish in batches, so time counts from the first batch on and its tenants do not.
    """
    first = min(finished, default=now)
    followed = sum(moment > first for moment in finished)
    if not remaining or not followed:
        return None
    return now + (now - first) / followed * remaining


def wait_for_runs(
    instance: dg.DagsterInstance, launch: Launch, *, check_daemon: Callable[[], None]
) -> set[str]:
    """Return when every batch of the launch has a run that has ended; returns the runs' ids.

    `check_daemon` raises LaunchStalledError when nobody would start the runs.
    """
    while True:
        # Runs are read after it is known that none is missing: one may be created in between.
        if not missing_runs(instance, launch):
            runs = runs_of(instance, launch.launch_id)
            retried = {run.parent_run_id for run in runs}
            retried |= lost_retries(instance, launch.launch_id, now())
            if all(_has_ended(run, retried) for run in runs):
                return {run.run_id for run in runs}
        check_daemon()
        time.sleep(0.5)


def _has_ended(run: dg.DagsterRun, retried: Collection[str | None]) -> bool:
    """Whether nothing more will come of a run: the daemon may be about to retry it. `retried` are
    the runs that it has retried, or will not any more."""
    awaits_retry = run.tags.get(WILL_RETRY_TAG) == "true" and run.run_id not in retried
    return run.is_finished and not awaits_retry


def require_daemon(instance: dg.DagsterInstance) -> None:
    """Check that a Dagster daemon is alive.

    Raises:
        LaunchStalledError: no daemon sent a heartbeat lately.
    """
    oldest = datetime.datetime.now(datetime.UTC).timestamp() - _HEARTBEAT_SECONDS
    heartbeats = instance.get_daemon_heartbeats().values()
    if not any(heartbeat.timestamp > oldest for heartbeat in heartbeats):
        raise LaunchStalledError(
            "No Dagster daemon is running, so nothing will start the runs: start `reports dev`, or "
            "on AWS the service `daemon`."
        )
