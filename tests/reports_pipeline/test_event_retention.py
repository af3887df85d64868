"""Steps of old runs go from the event log, and no partition changes."""

from __future__ import annotations

import contextlib
import datetime
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest
import sqlalchemy
from click.testing import CliRunner

from assets.monthly_reports import monthly_reports
from reports_pipeline.cli import main
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.event_retention import EventRetention
from reports_pipeline.events_cli import event_commands
from reports_pipeline.schedules import event_retention_schedule
from reports_pipeline.tokyo import now
from resources.delivery_months import DeliveryMonths
from tests.assets import batch_pipeline
from tests.reports_pipeline.past_runs import (
    MONTH,
    connection,
    instance_with_runs,
    keys,
    partition_states,
    run,
)
from tests.sample_ledgers import FIRST_MONTH

# The runs were today; seen from here they are 14 months old, as whole months count.
LATER = now().replace(day=15) + datetime.timedelta(days=14 * 31)
_KEPT = {
    "ASSET_MATERIALIZATION",
    "ASSET_MATERIALIZATION_PLANNED",
    "ASSET_CHECK_EVALUATION",
    "ASSET_CHECK_EVALUATION_PLANNED",
    "STEP_FAILURE",
    "PIPELINE_START",
    "PIPELINE_SUCCESS",
    "PIPELINE_FAILURE",
}


@pytest.fixture
def past_runs(postgres_server: str, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance_with_runs(postgres_server, tmp_path) as instance:
        yield instance


@pytest.fixture
def months(database_url: str) -> DeliveryMonths:
    return DeliveryMonths(database_url)


def kinds(instance: dg.DagsterInstance) -> Counter[str | None]:
    """How many events of each kind there are; messages of loggers have none."""
    with connection(instance) as open_connection:
        rows = open_connection.execute(
            sqlalchemy.text("select dagster_event_type, count(*) from event_logs group by 1")
        )
        return Counter(dict(rows.tuples().all()))


def table_bytes(instance: dg.DagsterInstance) -> int:
    """What the events take, without room that is free to be used again."""
    with connection(instance) as open_connection:
        open_connection.execute(sqlalchemy.text("vacuum full event_logs"))
        size = open_connection.scalar(
            sqlalchemy.text("select pg_total_relation_size('event_logs')")
        )
        assert isinstance(size, int)
        return size


def test_steps_of_old_runs_go_and_every_state_stays(
    past_runs: dg.DagsterInstance, months: DeliveryMonths
) -> None:
    before, events, size = partition_states(past_runs), kinds(past_runs), table_bytes(past_runs)
    checks = past_runs.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("flour"), "flour_is_white"), limit=100
    )
    assert before["grains"]["materialized"] == keys("abcd")
    assert before["bread"]["failed"] == keys("c")

    retention = EventRetention(13, months)
    expected = retention.prunable(past_runs, LATER)
    assert retention.prune(past_runs, LATER) == expected

    kept = {kind: events[kind] for kind in _KEPT}
    # of what was made it is not kept that it was planned, in the same run
    kept["ASSET_MATERIALIZATION_PLANNED"] -= events["ASSET_MATERIALIZATION"]
    assert kinds(past_runs) == kept
    assert expected.events == sum(events.values()) - sum(kept.values())
    assert table_bytes(past_runs) < size
    assert partition_states(past_runs) == before
    assert partition_states(past_runs, anew=True) == before
    assert checks == past_runs.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("flour"), "flour_is_white"), limit=100
    )
    assert retention.prune(past_runs, LATER).events == 0


def test_a_pruned_run_can_be_executed_again_from_its_failure(
    past_runs: dg.DagsterInstance, months: DeliveryMonths
) -> None:
    failed = past_runs.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))[0]
    EventRetention(13, months).prune(past_runs, LATER)
    batch_pipeline.calls.clear()
    run(past_runs, retry_of=failed.run_id)
    assert ("flour", ["c"]) in batch_pipeline.calls
    states = partition_states(past_runs)
    assert {stage: found["failed"] for stage, found in states.items()} == {
        "grains": set(),
        "flour": set(),
        "bread": set(),
    }


def test_what_is_young_stays(past_runs: dg.DagsterInstance, months: DeliveryMonths) -> None:
    retention = EventRetention(13, months)
    before = kinds(past_runs)
    for moment in (now(), LATER - datetime.timedelta(days=65)):
        assert retention.prune(past_runs, moment).events == 0
    assert kinds(past_runs) == before


def test_a_run_that_has_not_ended_keeps_all(
    past_runs: dg.DagsterInstance, months: DeliveryMonths
) -> None:
    with connection(past_runs) as open_connection:
        open_connection.execute(sqlalchemy.text("update runs set status = 'STARTED'"))
    assert EventRetention(13, months).prune(past_runs, LATER).events == 0


def test_nothing_goes_of_a_month_that_is_open(
    past_runs: dg.DagsterInstance, months: DeliveryMonths
) -> None:
    months.open(MONTH, ["a"], opened_by="schedule")
    retention = EventRetention(13, months)
    assert retention.prunable(past_runs, LATER).events == 0
    assert retention.prune(past_runs, LATER).events == 0
    months.close(MONTH, closed_by="sato")
    assert retention.prune(past_runs, LATER).events > 0


def test_what_takes_longer_than_it_may_goes_on_the_next_time(
    past_runs: dg.DagsterInstance, months: DeliveryMonths
) -> None:
    retention = EventRetention(13, months)
    whole = retention.prunable(past_runs, LATER)
    first = retention.prune(past_runs, LATER, seconds=-1)
    assert (first.events, first.is_complete) == (0, False)
    assert str(first).endswith("; more is left for the next time")
    with mock.patch("reports_pipeline.event_retention._RUNS_AT_ONCE", 1):
        assert retention.prune(past_runs, LATER) == whole


def test_an_instance_without_postgresql_is_told(
    instance: dg.DagsterInstance, months: DeliveryMonths
) -> None:
    with pytest.raises(ValueError, match="PostgreSQL"):
        EventRetention(13, months).prune(instance, LATER)


def test_the_schedule_does_it_every_night(
    past_runs: dg.DagsterInstance, months: DeliveryMonths
) -> None:
    schedule = event_retention_schedule(monthly_reports(FIRST_MONTH, tenants_per_run=2))
    assert schedule.cron_schedule == "30 4 * * *"
    assert schedule.execution_timezone == "Asia/Tokyo"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    retention = EventRetention(13, months)
    expected = retention.prunable(past_runs, LATER)
    with (
        dg.build_schedule_context(
            instance=past_runs, resources={"event_retention": retention}
        ) as context,
        mock.patch("reports_pipeline.schedules.now", return_value=LATER),
    ):
        ticked = schedule.evaluate_tick(context)
    assert ticked.run_requests == []
    assert ticked.skip_message == f"removed {expected}"


def test_the_command_says_what_goes_and_removes_it(
    past_runs: dg.DagsterInstance, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def dagster_instance(_: LocalEnvironment) -> Iterator[dg.DagsterInstance]:
        yield past_runs

    monkeypatch.setattr("reports_pipeline.events_cli.dagster_instance", dagster_instance)
    monkeypatch.setattr("reports_pipeline.events_cli.now", lambda: LATER)
    variables = {"REPORTS_DATABASE_URL": database_url, "REPORTS_EVENT_MONTHS": "14"}

    def prune(*arguments: str) -> str:
        environment = LocalEnvironment(Settings.from_environment(variables))
        result = CliRunner().invoke(event_commands, ["prune", *arguments], obj=environment)
        assert result.exit_code == 0, result.output
        return result.output.strip()

    assert main.commands["events"] is event_commands
    assert prune("--dry-run").startswith("would remove 0 events of runs that ended before ")
    announced = prune("--older-than-months", "13", "--dry-run")
    assert announced == prune("--older-than-months", "13", "--dry-run")
    assert prune("--older-than-months", "13") == announced.replace("would remove", "removed")
