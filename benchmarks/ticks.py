"""How long a tick of each sensor and schedule takes.

    python -m benchmarks.ticks [--tenants N] [--lines L] [--months M] [--json FILE]

A sample ledger in a fresh PostgreSQL, and months of history in Dagster's storage beside it
(benchmarks.history). Each tick is evaluated in this process, as a code server does it, with the
real definitions; where one does the same however often it is asked, the median of five is taken.
What the daemon does with the answer (creating runs, adding partitions) is not part of a tick; the
partitions of new tenants are added here all the same, since the next tick depends on it.

`…_seconds` are of one tick. Dagster gives up a tick after a minute; the target is a second. The
feedback of the mail provider takes as many ticks as it has events, so its figure is per event.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import statistics
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import psycopg
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from assets.monthly_reports import STAGES
from assets.partitions import TENANTS
from benchmarks.history import opened_instance, write_history
from benchmarks.month import sample_month
from reports_pipeline.accounting.periods import Month
from reports_pipeline.build import build_definitions
from reports_pipeline.environments import LocalEnvironment
from reports_pipeline.launching import request_launch
from reports_pipeline.sensors import run_failure_sensor
from reports_pipeline.tokyo import TOKYO
from resources.feedback_queue import FeedbackQueue, QueuedEvent

MONTHS = 18
TENANTS_PER_RUN = 100
_NEW_TENANTS = 500
_FAILED_TENANTS = 100
_EVENTS = 500
_REPEATS = 5
# Dagster queues no run without one.
_ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("reports"), "__repository__"),
    "monthly_reports",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=5_000)
    parser.add_argument("--lines", type=int, default=5_000_000, help="of all tenants in a month")
    parser.add_argument("--months", type=int, default=MONTHS, help="of history")
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    figures = measure(arguments.tenants, arguments.lines, months=arguments.months)
    for name, value in figures.items():
        print(f"{name:60}{value:>14,}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(tenants: int, lines: int, *, months: int = MONTHS) -> dict[str, float]:
    """The figures by name."""
    with sample_month(tenants, lines, months=1) as sample:
        environment = sample.environment("ticks")
        tenant_ids = environment.tenants().all_ids()
        history = write_history(
            environment,
            sample.month,
            tenant_ids=tenant_ids,
            months=months,
            tenants_per_run=min(TENANTS_PER_RUN, tenants),
        )
        with psycopg.connect(environment.database_url) as connection:
            # What the real run did, so that the month begins here.
            connection.execute("truncate reporting.stage_outcomes, reporting.launches cascade")
            connection.execute("truncate reporting.report_revisions cascade")
        with opened_instance(environment) as instance:
            ticks = Ticks(environment, instance, sample.month)
            figures = {
                "tenants": tenants,
                "lines": lines,
                "runs": history.runs,
                "events": history.events,
                **ticks.measure(),
            }
        seconds = [value for name, value in figures.items() if name.endswith("_seconds")]
        return figures | {"slowest_tick_seconds": max(seconds)}


class Ticks:
    """The sensors and schedules of an environment, from before a month is opened to its end."""

    def __init__(
        self, environment: LocalEnvironment, instance: dg.DagsterInstance, month: Month
    ) -> None:
        self._environment = environment
        self._instance = instance
        self._month = month
        self._queue = Events()
        definitions = build_definitions(environment, {"feedback_queue": self._queue})
        self._repository = definitions.get_repository_def()
        self._resources: Mapping[str, Any] = definitions.resources or {}

    def measure(self) -> dict[str, float]:
        """In the order of a month; each depends on those before."""
        environment, month = self._environment, self._month
        figures = {"tenant_sensor_idle_seconds": self._median(self._sensor, "tenant_sensor")}
        self._add_companies(_NEW_TENANTS)
        figures["tenant_sensor_500_new_seconds"] = self._once(self._sensor, "tenant_sensor")
        [added] = self._sensor("tenant_sensor").dynamic_partitions_requests or []
        assert len(added.partition_keys) == _NEW_TENANTS
        started = time.perf_counter()
        self._instance.add_dynamic_partitions(str(TENANTS.name), list(added.partition_keys))
        figures["adding_500_partitions_seconds"] = round(time.perf_counter() - started, 3)
        assert not self._sensor("tenant_sensor").dynamic_partitions_requests

        figures["launch_sensor_idle_seconds"] = self._median(self._sensor, "launch_sensor")
        figures["sweeper_no_month_seconds"] = self._median(self._schedule, _SWEEPER)
        figures["monthly_schedule_opening_seconds"] = self._once(self._schedule, _MONTHLY)
        figures["monthly_schedule_again_seconds"] = self._median(self._schedule, _MONTHLY)
        requests = self._schedule(_MONTHLY).run_requests or []
        self._create_runs(requests, dg.DagsterRunStatus.QUEUED)
        figures["monthly_schedule_launched_seconds"] = self._median(self._schedule, _MONTHLY)
        figures["sweeper_all_under_way_seconds"] = self._median(self._schedule, _SWEEPER)

        request_launch(
            environment.launches(),
            environment.tenants(),
            launch_id="benchmark-ticks",
            month=month,
            tenant_ids=None,
            tenants_per_run=TENANTS_PER_RUN,
            requested_by="benchmark",
        )
        figures["launch_sensor_all_tenants_seconds"] = self._median(self._sensor, "launch_sensor")
        launched = self._sensor("launch_sensor").run_requests or []
        self._create_runs(launched, dg.DagsterRunStatus.SUCCESS)
        figures["launch_sensor_launched_seconds"] = self._once(self._sensor, "launch_sensor")
        self._end_runs()

        self._finish_month("READY")
        figures["sweeper_all_waiting_seconds"] = self._once(self._schedule, _SWEEPER)
        figures["sweeper_all_asked_for_seconds"] = self._median(self._schedule, _SWEEPER)
        self._move_mails("ACCEPTED")
        figures["feedback_idle_seconds"] = self._median(self._sensor, _FEEDBACK)
        self._queue.fill(self._events(_EVENTS))
        started = time.perf_counter()
        self._sensor(_FEEDBACK)
        assert not self._queue.waiting
        figures["feedback_ms_per_event"] = round(
            (time.perf_counter() - started) * 1000 / _EVENTS, 2
        )
        figures["sweeper_all_delivered_seconds"] = self._median(self._schedule, _SWEEPER)

        context = self._failure()
        figures["run_failure_sensor_seconds"] = self._median(
            lambda _: run_failure_sensor(context, notifier=environment.notifier()), ""
        )
        figures["event_retention_first_seconds"] = self._once(self._schedule, _RETENTION)
        figures["event_retention_again_seconds"] = self._median(self._schedule, _RETENTION)
        return figures

    def _sensor(self, name: str) -> dg.SensorExecutionData:
        sensor = self._repository.get_sensor_def(name)
        with dg.build_sensor_context(
            instance=self._instance,
            repository_def=self._repository,
            resources=self._resources_of(sensor.required_resource_keys),
        ) as context:
            return sensor.evaluate_tick(context)

    def _schedule(self, name: str) -> Any:
        schedule = self._repository.get_schedule_def(name)
        at = datetime.datetime.combine(self._month.end, datetime.time(1), TOKYO)
        with dg.build_schedule_context(
            instance=self._instance,
            repository_def=self._repository,
            resources=self._resources_of(schedule.required_resource_keys),
            scheduled_execution_time=at,
        ) as context:
            return schedule.evaluate_tick(context)

    def _resources_of(self, keys: set[str]) -> dict[str, Any]:
        return {key: self._resources[key] for key in keys}

    def _median(self, tick: Callable[[str], object], name: str) -> float:
        return round(statistics.median(_timed(tick, name) for _ in range(_REPEATS)), 3)

    def _once(self, tick: Callable[[str], object], name: str) -> float:
        return round(_timed(tick, name), 3)

    def _add_companies(self, count: int) -> None:
        with psycopg.connect(self._environment.database_url) as connection:
            connection.execute(
                """
                insert into ledger.companies (tenant_id, name, status)
                select 'new' || number, '新規', 'active' from generate_series(1, %s) as number
                """,
                [count],
            )

    def _create_runs(self, requests: Sequence[dg.RunRequest], status: dg.DagsterRunStatus) -> None:
        """What the daemon does with requests, without running anything."""
        assert requests
        for request in requests:
            self._instance.add_run(
                dg.DagsterRun(
                    job_name="monthly_reports",
                    run_id=str(uuid.uuid4()),
                    status=status,
                    run_config=request.run_config,
                    tags=request.tags,
                    remote_job_origin=_ORIGIN,
                )
            )

    def _end_runs(self) -> None:
        url = self._environment.settings.dagster_url
        assert url is not None
        with psycopg.connect(url) as connection:
            connection.execute(
                """
                update runs set status = 'SUCCESS',
                    run_body = replace(run_body, 'DagsterRunStatus.QUEUED',
                                       'DagsterRunStatus.SUCCESS')
                where status = 'QUEUED'
                """
            )

    def _finish_month(self, state: str) -> None:
        """Every expected tenant has its reports and a mail in this state."""
        given = {
            "month": self._month.start,
            "state": state,
            "stages": [stage.name for stage in STAGES],
        }
        with psycopg.connect(self._environment.database_url) as connection:
            for statement in _FINISHED_MONTH:
                connection.execute(statement, given)

    def _move_mails(self, state: str) -> None:
        with psycopg.connect(self._environment.database_url) as connection:
            connection.execute(
                """
                update reporting.delivery_messages
                set state = %s, provider_id = 'ses-' || left(delivery_id, 32)
                """,
                [state],
            )

    def _events(self, count: int) -> list[str]:
        with psycopg.connect(self._environment.database_url) as connection:
            rows = connection.execute(
                """
                select tenant_id, delivery_id, recipient_no, provider_id
                from reporting.deliveries join reporting.delivery_messages using (delivery_id)
                order by tenant_id limit %s
                """,
                [count],
            ).fetchall()
        return [
            json.dumps(
                {
                    "eventType": "Delivery",
                    "mail": {
                        "messageId": provider_id,
                        "tags": {
                            "tenant_id": [tenant_id],
                            "month": [str(self._month)],
                            "delivery_id": [delivery_id],
                            "recipient_no": [str(recipient_no)],
                        },
                    },
                    "delivery": {"smtpResponse": "250 ok"},
                }
            )
            for tenant_id, delivery_id, recipient_no, provider_id in rows
        ]

    def _failure(self) -> dg.RunFailureSensorContext:
        """Of a run in which a whole batch failed."""
        facts: list[Any] = [
            {
                "month": str(self._month),
                "tenant_id": f"t{number:04}",
                "code": "INTERNAL_ERROR",
                "message_ja": "内部エラー",
                "message_en": "internal error",
            }
            for number in range(1, _FAILED_TENANTS + 1)
        ]

        @dg.op
        def statements_stage() -> None:
            raise dg.Failure("failed", metadata={"failed_tenants": dg.MetadataValue.json(facts)})

        @dg.job
        def failing() -> None:
            statements_stage()

        with mock.patch("sys.stderr"):  # Dagster logs the failure there, at length
            run = failing.execute_in_process(instance=self._instance, raise_on_error=False)
        [event] = self._instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        return dg.build_run_status_sensor_context(
            sensor_name="run_failure_sensor",
            dagster_instance=self._instance,
            dagster_run=run.dagster_run,
            dagster_event=event.get_dagster_event(),
        ).for_run_failure()


class Events(FeedbackQueue):
    """Events in memory, ten at a time as from SQS."""

    def __init__(self) -> None:
        self.waiting: dict[str, QueuedEvent] = {}

    def fill(self, texts: Sequence[str]) -> None:
        for number, text in enumerate(texts):
            self.waiting[str(number)] = QueuedEvent(text, str(number))

    def receive(self) -> list[QueuedEvent]:
        return list(itertools.islice(self.waiting.values(), 10))

    def settle(self, events: Sequence[QueuedEvent]) -> None:
        for event in events:
            del self.waiting[event.receipt]


_MONTHLY = "monthly_reports_schedule"
_SWEEPER = "delivery_sweeper_schedule"
_RETENTION = "event_retention_schedule"
_FEEDBACK = "delivery_feedback_sensor"
_FINISHED_MONTH = (
    """
    insert into reporting.report_revisions
        (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
    select tenant_id, month, 1, repeat('a', 64), false, 'a.arrow', 'run'
    from reporting.expected_tenants where month = %(month)s
    """,
    """
    insert into reporting.deliveries
        (tenant_id, month, revision, delivery_id, numbers_hash, letter, documents)
    select tenant_id, month, 1, encode(sha256(tenant_id::bytea), 'hex'), repeat('a', 64),
        '{}', '[]'
    from reporting.expected_tenants where month = %(month)s
    """,
    """
    insert into reporting.delivery_messages (delivery_id, recipient_no, name, email, state)
    select delivery_id, 1, '佐藤', tenant_id || '@example.com', %(state)s
    from reporting.deliveries where month = %(month)s
    """,
    """
    insert into reporting.stage_outcomes (month, tenant_id, stage, run_id, artefact)
    select month, tenant_id, stage, 'run', 'a'
    from reporting.expected_tenants, unnest(%(stages)s::text[]) as stage where month = %(month)s
    """,
    "analyze",
)


def _timed(tick: Callable[[str], object], name: str) -> float:
    started = time.perf_counter()
    tick(name)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
