"""New tenants get partitions, launches get runs, and failed runs get a notice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from assets.monthly_reports import monthly_reports
from assets.tenant_batch import TenantSelection
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.deliveries import DeliveryMessage
from reports_pipeline.launching import MONTH_TAG
from reports_pipeline.sensors import (
    delivery_feedback_sensor,
    launch_sensor,
    run_failure_sensor,
    tenant_sensor,
)
from resources.delivery_register import PostgresDeliveryRegister
from resources.feedback_queue import FeedbackQueue, QueuedEvent
from resources.launches import SWEEPER, Launch, Launches
from resources.notifier import FolderNotifier, Notice, Notifier, Severity
from resources.tenants import Tenants
from tests.assets import batch_pipeline
from tests.delivery.examples import SATO, SUZUKI, delivery
from tests.reports_pipeline.requested_runs import create_runs, requested_tenants
from tests.sample_ledgers import APRIL, FIRST_MONTH, TENANTS

OCTOBER = Month(2025, 10)


def tick(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, **resources: object
) -> dg.SensorExecutionData:
    with dg.build_sensor_context(instance=instance, resources=resources) as context:
        return sensor.evaluate_tick(context)


def added_partitions(data: dg.SensorExecutionData) -> list[str]:
    """The tenants that a tick adds; it must not delete any."""
    added: list[str] = []
    for request in data.dynamic_partitions_requests or []:
        assert isinstance(request, dg.AddDynamicPartitionsRequest)
        assert request.partitions_def_name == "tenant"
        added += request.partition_keys
    return added


def test_every_company_gets_a_partition(instance: dg.DagsterInstance, sample_url: str) -> None:
    instance.add_dynamic_partitions("tenant", ["t0002"])
    found = tick(tenant_sensor, instance, tenants=Tenants(sample_url))
    assert added_partitions(found) == ["t0001", "t0003", "t0004", "t0005"]


def test_nothing_is_new_most_of_the_time(instance: dg.DagsterInstance, sample_url: str) -> None:
    instance.add_dynamic_partitions("tenant", TENANTS)
    found = tick(tenant_sensor, instance, tenants=Tenants(sample_url))
    assert added_partitions(found) == []
    assert found.skip_message == "Every company has its partition."


def test_who_left_or_vanished_keeps_the_partition(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute("update ledger.companies set status = 'left' where tenant_id = 't0004'")
    instance.add_dynamic_partitions("tenant", [*TENANTS[1:], "vanished"])
    found = tick(tenant_sensor, instance, tenants=Tenants(sample_url))
    assert added_partitions(found) == ["t0001"]
    assert {"t0004", "vanished"} <= set(instance.get_dynamic_partitions("tenant"))


def test_five_hundred_companies_at_once_get_their_partitions_in_one_tick(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    instance.add_dynamic_partitions("tenant", TENANTS)
    with psycopg.connect(sample_url) as connection:
        connection.execute(
            "insert into ledger.companies (tenant_id, name, status)"
            " select 'new' || number, '桜', 'active' from generate_series(1, 500) as number"
        )
    tenants = Tenants(sample_url)
    added = added_partitions(tick(tenant_sensor, instance, tenants=tenants))
    assert set(added) == {f"new{number}" for number in range(1, 501)}
    instance.add_dynamic_partitions("tenant", added)  # as the daemon does
    # those who were there keep their places, by which ranges of partitions are known
    assert instance.get_dynamic_partitions("tenant")[: len(TENANTS)] == TENANTS
    assert added_partitions(tick(tenant_sensor, instance, tenants=tenants)) == []


@pytest.fixture(scope="module")
def sensor() -> dg.SensorDefinition:
    return launch_sensor(monthly_reports(FIRST_MONTH, tenants_per_run=2))


@pytest.fixture
def launches(database_url: str) -> Launches:
    return Launches(database_url)


@pytest.fixture
def launch(launches: Launches) -> Launch:
    launch = Launch("backfill-1", APRIL, (("t0001", "t0003"), ("t0002",)))
    launches.request(launch, requested_by="yamada")
    return launch


def test_it_waits_for_launches(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, launches: Launches
) -> None:
    found = tick(sensor, instance, launches=launches)
    assert found.run_requests == []
    assert found.skip_message == "No launch lacks a run."


@pytest.mark.usefixtures("launch")
def test_each_batch_gets_one_run_and_then_the_launch_is_done(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, launches: Launches
) -> None:
    first = tick(sensor, instance, launches=launches)
    requests = first.run_requests or []
    assert requested_tenants(requests) == [["t0001", "t0003"], ["t0002"]]
    assert added_partitions(first) == ["t0001", "t0003", "t0002"]

    # the daemon died before it created the second run
    create_runs(instance, requests[:1])
    second = tick(sensor, instance, launches=launches)
    assert [request.run_key for request in second.run_requests or []] == [requests[1].run_key]
    assert launches.unlaunched() != []

    create_runs(instance, requests[1:])
    third = tick(sensor, instance, launches=launches)
    assert third.run_requests == []
    assert launches.unlaunched() == []
    assert tick(sensor, instance, launches=launches).skip_message == "No launch lacks a run."


@pytest.mark.usefixtures("launch")
def test_asked_twice_before_any_run_exists_it_names_the_same_runs(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, launches: Launches
) -> None:
    first, second = (tick(sensor, instance, launches=launches).run_requests for _ in range(2))
    assert first == second
    assert len({request.run_key for request in first or []}) == 2


def test_several_launches_are_served_at_once(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, launches: Launches, launch: Launch
) -> None:
    launches.request(Launch("backfill-2", APRIL, (("t0001",),)), requested_by="sato")
    found = tick(sensor, instance, launches=launches)
    batches = [list(batch) for batch in launch.batches]
    assert requested_tenants(found.run_requests or []) == [*batches, ["t0001"]]
    assert added_partitions(found) == ["t0001", "t0003", "t0002"]


def test_a_launch_of_mails_gets_runs_of_the_last_stage(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, launches: Launches
) -> None:
    mails = Launch("sweep-1", APRIL, (("t0001",), ("t0002",)), deliveries_only=True)
    launches.request(mails, requested_by=SWEEPER)
    requests = tick(sensor, instance, launches=launches).run_requests or []
    assert requested_tenants(requests) == [["t0001"], ["t0002"]]
    assert [request.asset_selection for request in requests] == [
        [dg.AssetKey("report_deliveries")]
    ] * 2


def test_a_launch_of_nobody_is_done_at_once(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, launches: Launches
) -> None:
    launches.request(Launch("backfill-3", APRIL, ()), requested_by="yamada")
    assert tick(sensor, instance, launches=launches).run_requests == []
    assert launches.unlaunched() == []


class RememberingNotifier(Notifier):
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)


class BrokenNotifier(Notifier):
    def notify(self, notice: Notice) -> None:
        raise OSError(f"no space left on device for {notice.key}")


@pytest.fixture
def in_memory(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance with the tenants of the small pipeline, whose outcomes are in the database."""
    monkeypatch.setenv("TEST_DATABASE_URL", database_url)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tenant", ["a", "b", "c"])
        yield instance


@pytest.fixture
def failed_batch(
    in_memory: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> dg.RunFailureSensorContext:
    """A real run on a, b and c, in which b and c failed."""
    monkeypatch.setitem(batch_pipeline.failing, "grains", {"b", "c"})
    result = batch_pipeline.job().execute_in_process(
        instance=in_memory,
        run_config=TenantSelection.run_config(OCTOBER, ["a", "b", "c"]),
        tags={MONTH_TAG: str(OCTOBER)},
        raise_on_error=False,
    )
    return failure_context(in_memory, result.run_id)


@pytest.fixture
def killed_run(in_memory: dg.DagsterInstance) -> dg.RunFailureSensorContext:
    """A run whose process vanished, as run monitoring reports it."""
    run = in_memory.create_run_for_job(batch_pipeline.job(), tags={MONTH_TAG: str(OCTOBER)})
    in_memory.report_run_failed(run, "The run worker was killed: out of memory.")
    return failure_context(in_memory, run.run_id)


def test_the_notice_names_tenants_codes_and_reasons_in_both_languages(
    failed_batch: dg.RunFailureSensorContext,
) -> None:
    notice = told(failed_batch)
    assert notice.severity is Severity.ERROR
    assert notice.key == f"run-failed_{failed_batch.dagster_run.run_id}"
    assert notice.links == {"run": f"/runs/{failed_batch.dagster_run.run_id}"}
    assert notice.title == {
        "ja": "月次レポート 2025-10：2 社が失敗しました",
        "en": "Monthly reports 2025-10: 2 tenants failed",
    }
    for tenant_id in ("b", "c"):
        for language, reason in (
            ("ja", "借方と貸方の合計が一致しません"),
            ("en", "debits that differ from its credits"),
        ):
            [line] = lines_about(tenant_id, notice.body[language])
            assert line.startswith(f"2025-10 {tenant_id} LEDGER_IMBALANCE: ")
            assert reason in line
            assert "difference=3" in line
    assert lines_about("a", notice.body["en"]) == []


def test_a_run_that_failed_as_a_whole_gets_a_notice_too(
    killed_run: dg.RunFailureSensorContext,
) -> None:
    notice = told(killed_run)
    run_id = killed_run.dagster_run.run_id
    assert notice.title == {
        "ja": f"月次レポート 2025-10：実行が失敗しました（{run_id}）",
        "en": f"Monthly reports 2025-10: the run failed ({run_id})",
    }
    for language in ("ja", "en"):
        assert "out of memory" in notice.body[language]


def test_the_folder_has_one_notice_however_often_the_sensor_ticks(
    failed_batch: dg.RunFailureSensorContext, tmp_path: Path
) -> None:
    for _ in range(2):
        run_failure_sensor(failed_batch, notifier=FolderNotifier(tmp_path))
    [record] = tmp_path.glob("*.json")
    assert record.stem == f"run-failed_{failed_batch.dagster_run.run_id}"
    assert json.loads(record.read_text(encoding="utf-8"))["severity"] == "error"
    assert "LEDGER_IMBALANCE" in record.with_suffix(".txt").read_text(encoding="utf-8")


def test_it_never_raises(
    failed_batch: dg.RunFailureSensorContext, killed_run: dg.RunFailureSensorContext
) -> None:
    for context in (failed_batch, killed_run):
        run_failure_sensor(context, notifier=BrokenNotifier())


def test_of_very_many_tenants_the_first_are_shown_and_all_are_counted(
    in_memory: dg.DagsterInstance,
) -> None:
    tenants = [f"x{number:03}" for number in range(70)]
    notice = told(failure_context(in_memory, fail_in_step(in_memory, tenants)))
    assert notice.title["en"] == "Monthly reports —: 70 tenants failed"
    *shown, last = notice.body["en"].splitlines()
    assert (len(shown), last) == (50, "…")
    assert lines_about("x049", notice.body["en"]) != []


def failure_context(instance: dg.DagsterInstance, run_id: str) -> dg.RunFailureSensorContext:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    [failure] = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    return dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor",
        dagster_instance=instance,
        dagster_run=run,
        dagster_event=failure.get_dagster_event(),
    ).for_run_failure()


def fail_in_step(instance: dg.DagsterInstance, tenants: Sequence[str]) -> str:
    """The id of a run in which a step says that these tenants failed."""
    facts: list[Any] = [
        {
            "month": "2025-10",
            "tenant_id": tenant_id,
            "code": "INTERNAL_ERROR",
            "message_ja": "内部エラー",
            "message_en": "internal error",
        }
        for tenant_id in tenants
    ]

    @dg.op
    def grind() -> None:
        raise dg.Failure("failed", metadata={"failed_tenants": dg.MetadataValue.json(facts)})

    @dg.job
    def mill() -> None:
        grind()

    return mill.execute_in_process(instance=instance, raise_on_error=False).run_id


def told(context: dg.RunFailureSensorContext) -> Notice:
    """The one notice that the sensor gives."""
    notifier = RememberingNotifier()
    run_failure_sensor(context, notifier=notifier)
    [notice] = notifier.notices
    return notice


def lines_about(tenant_id: str, body: str) -> list[str]:
    return [line for line in body.splitlines() if tenant_id in line.split()]


class Events(FeedbackQueue):
    """Events in memory; what is not settled comes again after `time_out`."""

    def __init__(self, *texts: str) -> None:
        self.waiting = [QueuedEvent(text, str(number)) for number, text in enumerate(texts)]
        self.received: list[QueuedEvent] = []

    def receive(self) -> list[QueuedEvent]:
        taken, self.waiting = self.waiting[:2], self.waiting[2:]
        self.received += taken
        return taken

    def settle(self, events: Sequence[QueuedEvent]) -> None:
        for event in events:
            self.received.remove(event)

    def time_out(self) -> None:
        self.waiting, self.received = self.received, []


def event(message: DeliveryMessage, kind: str, **detail: object) -> str:
    tags = {
        "tenant_id": "t0001",
        "month": "2026-10",
        "delivery_id": message.delivery_id,
        "recipient_no": str(message.recipient_no),
    }
    return json.dumps(
        {
            "eventType": kind,
            "mail": {"messageId": "ses-1", "tags": {k: [v] for k, v in tags.items()}},
            kind.lower(): detail,
        }
    )


def test_events_of_mails_reach_the_register_and_a_person(
    instance: dg.DagsterInstance, sample_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute(
            """
            insert into reporting.report_revisions
                (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
            values ('t0001', '2026-10-01', 1, repeat('a', 64), true, 'a.arrow', 'run')
            """
        )
        connection.execute(
            "update ledger.contacts set name = '経理 次郎', email = 'jiro@sakura.example'"
            " where tenant_id = 't0001' and contact_no = 1"
        )
        connection.execute(
            "insert into ledger.contacts values"
            " ('t0001', 9, '顧問税理士 三郎', 'saburo@example.jp', 'alternative')"
        )
    with PostgresDeliveryRegister(sample_url, actor="run-1") as register:
        messages = register.register(delivery(SATO, SUZUKI)).messages
        posting = [
            register.begin_posting(register.claim(message))
            for message in register.release(register.verify(messages))
        ]
        register.accept(posting[0], "ses-1")
        queue = Events(
            event(messages[0], "Bounce", bounceType="Permanent"),
            event(messages[0], "Delivery"),
            "what is this?",
            "Successfully validated SNS topic for Amazon SES event publishing.",
            event(messages[1], "Delivery"),  # before the answer to its post
            event(messages[0], "Bounce", bounceType="Permanent"),
        )
        resources = {
            "feedback_queue": queue,
            "delivery_register": register,
            "tenants": Tenants(sample_url),
            "notifier": FolderNotifier(tmp_path),
        }

        def states() -> list[str]:
            [found] = register.read(Month(2026, 10), ["t0001"])["t0001"]
            return [message.state.value for message in found.messages]

        for _ in range(2):
            tick(delivery_feedback_sensor, instance, **resources)
            queue.time_out()
        assert states() == ["BOUNCED", "POSTING"]
        register.accept(posting[1], "ses-2")
        tick(delivery_feedback_sensor, instance, **resources)
        assert states() == ["BOUNCED", "DELIVERED"]
        assert [left.text for left in queue.received] == ["what is this?"]
    [notice] = tmp_path.glob("*.txt")
    text = notice.read_text()
    assert "2026-10 t0001：月次レポートのメールが戻りました" in text
    assert "他の連絡先：顧問税理士 三郎（代替連絡先）, 経理 次郎, " in text
    assert "saburo@example.jp" not in text
    assert SATO.email not in text
