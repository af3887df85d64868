"""How far a month is, and when a launch is over."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from reports_pipeline import progress
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.periods import Month
from reports_pipeline.launching import missing_runs
from reports_pipeline.progress import (
    LaunchStalledError,
    MonthProgress,
    estimated_end,
    require_daemon,
    wait_for_runs,
)
from reports_pipeline.tokyo import now
from resources.launches import Launch
from resources.stage_outcomes import StageOutcomes
from tests.reports_pipeline.requested_runs import create_runs

OCTOBER = Month(2026, 10)
LAUNCH = Launch("backfill-1", OCTOBER, (("t0001",), ("t0002",)))

ONE_BATCH = Launch("backfill-2", OCTOBER, (("t0001",),))
RETRY_ID = "5f3c9bd1-0a5e-4a53-9d0e-0a1f7c3f1b11"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def outcomes(database_url: str) -> StageOutcomes:
    """t0001 is through, t0002 failed in the statements, t0003 in the delivery; t0004 waits."""
    outcomes = StageOutcomes(database_url)
    extracted = dict.fromkeys(["t0001", "t0002", "t0003"], "extract.arrow")
    outcomes.record("ledger_extracts", OCTOBER, "run", extracted, [])
    violated = TenantFailure("t0002", FailureCode.IDENTITY_VIOLATED, {"control": "debits"})
    stated = dict.fromkeys(["t0001", "t0003"], "statements.arrow")
    outcomes.record("statements", OCTOBER, "run", stated, [violated])
    left_out = TenantFailure("t0002", FailureCode.INPUT_MISSING, {"stage": "statements"})
    for stage in ("report_pdfs", "report_workbooks"):
        outcomes.record(stage, OCTOBER, "run", dict.fromkeys(stated, "r1"), [left_out])
    nobody = TenantFailure("t0003", FailureCode.NO_RECIPIENT)
    outcomes.record("report_deliveries", OCTOBER, "run", {"t0001": "id"}, [left_out, nobody])
    return outcomes


ALL = ["t0001", "t0002", "t0003", "t0004"]


def test_who_is_through_the_last_stage_is_delivered(outcomes: StageOutcomes) -> None:
    assert MonthProgress.read(outcomes, OCTOBER, ALL).delivered == ["t0001"]


def test_a_failure_is_the_first_stages_that_failed(outcomes: StageOutcomes) -> None:
    assert MonthProgress.read(outcomes, OCTOBER, ALL).failures == {
        "t0002": TenantFailure("t0002", FailureCode.IDENTITY_VIOLATED, {"control": "debits"}),
        "t0003": TenantFailure("t0003", FailureCode.NO_RECIPIENT, {}),
    }


def test_only_the_tenants_and_the_month_asked_for_count(outcomes: StageOutcomes) -> None:
    some = MonthProgress.read(outcomes, OCTOBER, ["t0002", "t0004"])
    assert (some.delivered, list(some.failures)) == ([], ["t0002"])
    november = MonthProgress.read(outcomes, OCTOBER.plus(1), ALL)
    assert (november.delivered, november.failures) == ([], {})


def test_what_other_runs_did_can_be_left_out(outcomes: StageOutcomes) -> None:
    """A run that died before its first outcome must not be taken for the one before it."""
    of_this_run = MonthProgress.read(outcomes, OCTOBER, ALL, {"run-2"})
    assert (of_this_run.delivered, of_this_run.failures) == ([], {})
    unbalanced = TenantFailure("t0001", FailureCode.LEDGER_IMBALANCE)
    outcomes.record("ledger_extracts", OCTOBER, "run-2", {}, [unbalanced])
    of_this_run = MonthProgress.read(outcomes, OCTOBER, ALL, {"run-2", "run-3"})
    assert of_this_run.failures == {"t0001": unbalanced}
    assert MonthProgress.read(outcomes, OCTOBER, ALL, {"run"}).delivered == ["t0001"]


NOON = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)


def end_of(remaining: int, *minutes_ago: float) -> float | None:
    """In how many minutes, if others finished so long ago."""
    finished = [NOON - datetime.timedelta(minutes=ago) for ago in minutes_ago]
    end = estimated_end(finished, remaining, now=NOON)
    return None if end is None else (end - NOON) / datetime.timedelta(minutes=1)


def test_the_rest_takes_as_long_as_those_before() -> None:
    # four in the four minutes since the first batch, of which nobody knows how long it took
    assert end_of(10, 4, 4, 2, 2, 1, 1) == 10
    assert end_of(5, 4, 4, 2, 2, 1, 1) == 5
    assert end_of(10, 8, 4) == 80


@pytest.mark.parametrize("minutes_ago", [[], [3], [3, 3, 3]])
def test_one_batch_makes_no_rate(minutes_ago: list[float]) -> None:
    assert end_of(10, *minutes_ago) is None


def test_where_nobody_remains_there_is_no_end_to_tell() -> None:
    assert end_of(0, 4, 2) is None


def no_daemon() -> None:
    raise LaunchStalledError("no daemon")


def end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    instance.report_run_failed(run, "ended")


def test_a_launch_is_over_when_all_its_runs_have_ended(instance: dg.DagsterInstance) -> None:
    create_runs(instance, missing_runs(instance, LAUNCH))
    runs = instance.get_runs()
    for run in runs:
        end(instance, run)
    found = wait_for_runs(instance, LAUNCH, check_daemon=no_daemon)
    assert found == {run.run_id for run in runs}
    assert len(found) == 2


def test_until_then_it_is_waited_for(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon, checked at every look, does its work step by step."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    looks: list[str] = []

    def daemon() -> None:
        looks.append("look")
        match len(looks):
            case 1:
                create_runs(instance, missing_runs(instance, LAUNCH)[:1])
            case 2:
                end(instance, instance.get_runs()[0])
            case 3:
                create_runs(instance, missing_runs(instance, LAUNCH))
            case 4:
                [under_way] = [run for run in instance.get_runs() if not run.is_finished]
                end(instance, under_way)

    wait_for_runs(instance, LAUNCH, check_daemon=daemon)
    assert len(looks) == 4


def test_a_run_that_will_be_retried_has_not_ended(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    [request] = missing_runs(instance, ONE_BATCH)
    create_runs(instance, [request])
    [crashed] = instance.get_runs()
    end(instance, crashed)
    instance.add_run_tags(crashed.run_id, {"dagster/will_retry": "true"})
    looks: list[str] = []

    def daemon() -> None:
        looks.append("look")
        match len(looks):
            case 1:
                assert instance.get_runs_count() == 1
            case 2:
                retry = dg.DagsterRun(
                    job_name=crashed.job_name,
                    run_id=RETRY_ID,
                    status=dg.DagsterRunStatus.STARTED,
                    tags=crashed.tags,
                    parent_run_id=crashed.run_id,
                    root_run_id=crashed.run_id,
                )
                instance.add_run(retry)
            case 3:
                retry_under_way = instance.get_run_by_id(RETRY_ID)
                assert retry_under_way is not None
                end(instance, retry_under_way)

    found = wait_for_runs(instance, ONE_BATCH, check_daemon=daemon)
    assert found == {crashed.run_id, RETRY_ID}
    assert len(looks) == 3


def test_a_retry_that_dagster_has_lost_is_not_waited_for(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_runs(instance, missing_runs(instance, ONE_BATCH))
    [crashed] = instance.get_runs()
    end(instance, crashed)
    instance.add_run_tags(crashed.run_id, {"dagster/will_retry": "true"})
    later = now() + datetime.timedelta(minutes=11)
    monkeypatch.setattr(progress, "now", lambda: later)
    assert wait_for_runs(instance, ONE_BATCH, check_daemon=no_daemon) == {crashed.run_id}


def test_a_launch_without_runs_and_daemon_is_stalled(instance: dg.DagsterInstance) -> None:
    with pytest.raises(LaunchStalledError, match="no daemon"):
        wait_for_runs(instance, LAUNCH, check_daemon=no_daemon)


def test_a_launch_of_nobody_is_over_at_once(instance: dg.DagsterInstance) -> None:
    wait_for_runs(instance, Launch("backfill-2", OCTOBER, ()), check_daemon=no_daemon)


def beat(instance: dg.DagsterInstance, seconds_ago: float) -> None:
    instance.add_daemon_heartbeat(
        DaemonHeartbeat(
            timestamp=time.time() - seconds_ago, daemon_type="SENSOR", daemon_id="1", errors=[]
        )
    )


def test_a_daemon_is_there_while_its_heart_beats(instance: dg.DagsterInstance) -> None:
    beat(instance, seconds_ago=45)
    require_daemon(instance)


@pytest.mark.parametrize("seconds_ago", [None, 300])
def test_without_a_heartbeat_lately_nobody_will_start_the_runs(
    instance: dg.DagsterInstance, seconds_ago: float | None
) -> None:
    if seconds_ago is not None:
        beat(instance, seconds_ago)
    with pytest.raises(LaunchStalledError, match="start `reports dev`"):
        require_daemon(instance)
