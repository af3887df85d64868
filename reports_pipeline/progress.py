"""How far a month is, and what became of a launch: read from the register, not from Dagster."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dagster as dg

from assets.monthly_reports import STAGES
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.periods import Month
from reports_pipeline.launching import LAUNCH_TAG, missing_runs
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
        cls, stage_outcomes: StageOutcomes, month: Month, tenant_ids: Sequence[str]
    ) -> MonthProgress:
        return cls(
            month,
            {stage.name: stage_outcomes.read(stage.name, month, tenant_ids) for stage in STAGES},
        )

    @property
    def delivered(self) -> list[str]:
        """Tenants whose last stage is done, in order."""
        last = self.outcomes[STAGES[-1].name]
        return sorted(tenant_id for tenant_id, o in last.items() if o.artefact is not None)

    @property
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


def wait_for_runs(
    instance: dg.DagsterInstance, launch: Launch, *, check_daemon: Callable[[], None]
) -> None:
    """Return when every batch of the launch has a run that has ended.

    `check_daemon` raises LaunchStalledError when nobody would start the runs.
    """
    while True:
        runs = instance.get_runs(dg.RunsFilter(tags={LAUNCH_TAG: launch.launch_id}))
        if runs and not missing_runs(instance, launch) and all(run.is_finished for run in runs):
            return
        check_daemon()
        time.sleep(0.5)


def require_daemon(instance: dg.DagsterInstance) -> None:
    """Check that a Dagster daemon is alive.

    Raises:
        LaunchStalledError: no daemon sent a heartbeat lately.
    """
    oldest = datetime.datetime.now(datetime.UTC).timestamp() - _HEARTBEAT_SECONDS
    heartbeats = instance.get_daemon_heartbeats().values()
    if not any(heartbeat.timestamp > oldest for heartbeat in heartbeats):
        raise LaunchStalledError(
            "No Dagster daemon is running, so nothing will start the runs: start `reports dev`."
        )
