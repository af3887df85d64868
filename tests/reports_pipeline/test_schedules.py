"""On the 1st at 01:00 in Tokyo the month before is opened and launched, once."""

from __future__ import annotations

import datetime
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pytest
from dagster._core.errors import ScheduleExecutionError
from dagster._utils.schedules import schedule_execution_time_iterator

from assets.monthly_reports import monthly_reports
from reports_pipeline.accounting.periods import Month
from reports_pipeline.build import build_definitions
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.launching import LAUNCH_TAG
from reports_pipeline.month_opening import OpeningError
from reports_pipeline.schedules import monthly_reports_schedule
from resources.delivery_months import DeliveryMonths
from resources.launches import Launches
from resources.tenants import Tenants
from tests.reports_pipeline.requested_runs import create_runs, requested_months, requested_tenants
from tests.sample_ledgers import FIRST_MONTH, TENANTS

OCTOBER = Month(2026, 10)
NOVEMBER_FIRST = datetime.datetime(2026, 11, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))


@pytest.fixture(scope="module")
def schedule() -> dg.ScheduleDefinition:
    assets = monthly_reports(FIRST_MONTH, tenants_per_run=2)
    return monthly_reports_schedule(assets, tenants_per_run=2, canaries=["t0002"])


def tick(
    schedule: dg.ScheduleDefinition,
    instance: dg.DagsterInstance,
    url: str,
    at: datetime.datetime = NOVEMBER_FIRST,
    *,
    now: datetime.datetime | None = None,
) -> tuple[list[dg.RunRequest], str | None]:
    """The requests, and the reason why there are none; `now` is what the clock shows, if it does
    not show `at`."""
    resources = {
        "tenants": Tenants(url),
        "delivery_months": DeliveryMonths(url),
        "launches": Launches(url),
    }
    with (
        dg.build_schedule_context(
            instance=instance, scheduled_execution_time=at, resources=resources
        ) as context,
        mock.patch("reports_pipeline.schedules.now", return_value=now or at),
    ):
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


def test_the_month_is_opened_for_those_who_are_active_then(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute("update ledger.companies set status = 'left' where tenant_id = 't0004'")
    tick(schedule, instance, sample_url)
    months = DeliveryMonths(sample_url)
    found = months.find(OCTOBER)
    assert found is not None
    assert found.opened_by == "schedule"
    assert months.expected(OCTOBER) == ["t0001", "t0002", "t0003", "t0005"]
    assert months.canaries(OCTOBER) == ["t0002"]


def test_where_no_canary_is_a_customer_the_tick_fails(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute("update ledger.companies set status = 'left' where tenant_id = 't0002'")
    with pytest.raises(ScheduleExecutionError) as raised:
        tick(schedule, instance, sample_url)
    assert isinstance(raised.value.__cause__, OpeningError)
    assert "none of t0002 is an active tenant" in str(raised.value.__cause__)
    assert DeliveryMonths(sample_url).find(OCTOBER) is None


def test_tried_out_before_the_month_is_over_it_changes_nothing(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    before = rows(sample_url)
    requests, skipped = tick(
        schedule, instance, sample_url, now=NOVEMBER_FIRST - datetime.timedelta(hours=2)
    )
    assert (requests, skipped) == (
        [],
        "2026-10 is not over; it can be opened from 2026-11-01 on",
    )
    assert rows(sample_url) == before
    assert instance.get_dynamic_partitions("tenant") == []


def test_tried_out_later_it_launches_nothing_by_itself(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    first = tick(schedule, instance, sample_url)
    before = rows(sample_url)
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
        "2026-10: everybody expected has a run.",
    )


def test_a_tick_that_was_cut_short_is_completed(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    requests, _ = tick(schedule, instance, sample_url)
    create_runs(instance, requests[:1])
    rest, _ = tick(schedule, instance, sample_url)
    done, lacking = requested_tenants(requests[:1]), requested_tenants(rest)
    assert sorted(t for batch in [*done, *lacking] for t in batch) == TENANTS


def test_who_becomes_a_customer_later_is_not_expected(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, sample_url: str
) -> None:
    create_runs(instance, tick(schedule, instance, sample_url)[0])
    with psycopg.connect(sample_url) as connection:
        connection.execute("insert into ledger.companies values ('t0006', '株式会社新規')")
    assert tick(schedule, instance, sample_url)[0] == []
    assert DeliveryMonths(sample_url).expected(OCTOBER) == TENANTS


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


def test_open_months_are_swept_every_five_minutes(
    instance: dg.DagsterInstance, sample_url: str, tmp_path: Path
) -> None:
    variables = {"REPORTS_HOME": str(tmp_path), "REPORTS_DATABASE_URL": sample_url}
    environment = LocalEnvironment(Settings.from_environment(variables))
    definitions = build_definitions(environment)
    sweeper = definitions.resolve_schedule_def("delivery_sweeper_schedule")
    assert isinstance(sweeper, dg.ScheduleDefinition)
    assert (sweeper.cron_schedule, sweeper.execution_timezone) == ("*/5 * * * *", "Asia/Tokyo")
    assert sweeper.default_status is dg.DefaultScheduleStatus.RUNNING

    def sweep() -> dg.ScheduleExecutionData:
        # whatever moment somebody tries it out with, the clock counts
        with (
            dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=NOVEMBER_FIRST + datetime.timedelta(days=3650),
                resources={"sweeper": (definitions.resources or {})["sweeper"]},
            ) as context,
            mock.patch("reports_pipeline.schedules.now", return_value=NOVEMBER_FIRST),
        ):
            return sweeper.evaluate_tick(context)

    assert sweep().skip_message == "No month is open."
    environment.delivery_months().open(OCTOBER, TENANTS, opened_by="schedule")
    with psycopg.connect(sample_url) as connection:
        connection.execute(
            "update reporting.delivery_months set opened_at = %s",
            [NOVEMBER_FIRST - datetime.timedelta(hours=1)],
        )
    found = sweep()
    assert found.run_requests == []
    assert found.skip_message == (
        "2026-10: 5 tenants and the mails of 0 asked for again, 0 given up"
    )
    [launch] = environment.launches().unlaunched()
    assert launch.launch_id == "sweep-2026-10-20261101T0100"
