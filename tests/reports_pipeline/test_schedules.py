"""On the 1st at 01:00 in Tokyo the month before is launched, once."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from assets.monthly_reports import monthly_reports
from reports_pipeline.launching import LAUNCH_TAG
from reports_pipeline.schedules import monthly_reports_schedule
from resources.tenants import Tenants
from tests.reports_pipeline.requested_runs import create_runs, requested_months, requested_tenants
from tests.sample_ledgers import FIRST_MONTH, TENANTS

NOVEMBER_FIRST = datetime.datetime(2026, 11, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))


@pytest.fixture(scope="module")
def schedule() -> dg.ScheduleDefinition:
    assets = monthly_reports(FIRST_MONTH, tenants_per_run=2)
    return monthly_reports_schedule(assets, tenants_per_run=2)


def tick(
    schedule: dg.ScheduleDefinition,
    instance: dg.DagsterInstance,
    url: str,
    at: datetime.datetime = NOVEMBER_FIRST,
) -> tuple[list[dg.RunRequest], str | None]:
    """The requests, and the reason why there are none."""
    with dg.build_schedule_context(
        instance=instance, scheduled_execution_time=at, resources={"tenants": Tenants(url)}
    ) as context:
        found = schedule.evaluate_tick(context)
    return list(found.run_requests or []), found.skip_message


def test_it_ticks_when_the_month_begins_in_tokyo(schedule: dg.ScheduleDefinition) -> None:
    after = datetime.datetime(2026, 10, 15, tzinfo=datetime.UTC).timestamp()
    ticks = schedule_execution_time_iterator(
        after, schedule.cron_schedule, schedule.execution_timezone
    )
    assert [next(ticks) for _ in range(2)] == [
        NOVEMBER_FIRST,
        datetime.datetime(2026, 12, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")),
    ]
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_the_month_before_is_requested_for_every_active_tenant(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute("update ledger.companies set status = 'left' where tenant_id = 't0004'")
    requests, _ = tick(schedule, instance, sample_url)
    assert requested_months(requests) == {"2026-10"}
    assert {request.tags[LAUNCH_TAG] for request in requests} == {"month-2026-10"}
    active = [tenant_id for tenant_id in TENANTS if tenant_id != "t0004"]
    assert sorted(t for batch in requested_tenants(requests) for t in batch) == active
    assert [len(batch) for batch in requested_tenants(requests)] == [2, 2]
    assert set(instance.get_dynamic_partitions("tenant")) == set(active)


def test_the_month_is_tokyos_whatever_the_zone_of_the_tick(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    # still October in UTC
    requests, _ = tick(schedule, instance, sample_url, NOVEMBER_FIRST.astimezone(datetime.UTC))
    assert requested_months(requests) == {"2026-10"}


def test_evaluating_it_as_a_test_launches_nothing(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    before = rows(sample_url)
    first = tick(schedule, instance, sample_url)
    assert tick(schedule, instance, sample_url) == first
    assert rows(sample_url) == before
    assert instance.get_runs() == []


def test_a_second_tick_after_the_launch_is_skipped(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    requests, _ = tick(schedule, instance, sample_url)
    create_runs(instance, requests)
    assert tick(schedule, instance, sample_url) == (
        [],
        "2026-10: every active tenant has its run.",
    )


def test_a_tick_that_was_cut_short_is_completed(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    requests, _ = tick(schedule, instance, sample_url)
    create_runs(instance, requests[:1])
    rest, _ = tick(schedule, instance, sample_url)
    done, lacking = requested_tenants(requests[:1]), requested_tenants(rest)
    assert sorted(t for batch in [*done, *lacking] for t in batch) == TENANTS


def test_a_tenant_added_later_gets_a_run_of_its_own(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    requests, _ = tick(schedule, instance, sample_url)
    create_runs(instance, requests)
    with psycopg.connect(sample_url) as connection:
        connection.execute("insert into ledger.companies values ('t0006', '株式会社新規')")
    later, _ = tick(schedule, instance, sample_url)
    assert requested_tenants(later) == [["t0006"]]
    assert "t0006" in instance.get_dynamic_partitions("tenant")


def rows(url: str) -> dict[str, int]:
    """How many rows every table of the database has."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('ledger', 'reporting')"
        ).fetchall()
        counts = {}
        for (table,) in tables:
            row = connection.execute(f"select count(*) from {table}").fetchone()
            assert row is not None
            counts[table] = row[0]
    return counts
