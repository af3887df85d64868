"""What the storage keeps is what Dagster's own keeps; how it gets there differs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import sqlalchemy
import yaml  # type: ignore[import-untyped]
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from reports_pipeline.dagster_storage import BatchingEventLogStorage
from resources.database import create_database
from tests.assets import batch_pipeline
from tests.reports_pipeline.past_runs import MONTH, TENANTS, run

STAGES = ["grains", "flour", "bread"]
REPOSITORY = Path(__file__).parents[2]

# Of every table that a run writes; what is random or a time is left out.
QUERIES = {
    "event_logs": """
        select dense_rank() over (order by first_id), dagster_event_type, step_key, asset_key,
            partition
        from event_logs join (
            select run_id, min(id) as first_id from event_logs group by run_id
        ) as runs using (run_id)
        order by id
    """,
    "asset_keys": """
        select asset_key, last_materialization::json->'event_log_entry'->'dagster_event'
            ->'event_specific_data'->'materialization'->>'partition',
            (select count(*) from runs as r where r.id <= runs.id),
            last_materialization_timestamp is not null
        from asset_keys join runs on runs.run_id = last_run_id order by asset_key
    """,
    "asset_check_executions": """
        select asset_key, check_name, partition, execution_status
        from asset_check_executions order by id
    """,
    "asset_event_tags": "select asset_key, key, value from asset_event_tags order by id",
    "dynamic_partitions": "select partitions_def_name, partition from dynamic_partitions",
    "runs": "select status from runs order by id",
}


def dagster_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def storage_settings(file: str) -> Mapping[str, Any]:
    """The storage in one of the project's settings of an instance."""
    folder = files("reports_pipeline") if file == "local_dagster.yaml" else REPOSITORY
    settings = yaml.safe_load(folder.joinpath(file).read_text(encoding="utf-8"))
    storage: Mapping[str, Any] = settings["storage"]
    return storage


@pytest.fixture(scope="module")
def instances(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, dg.DagsterInstance]]:
    """Dagster's own storage and ours after the same runs: one in which all is well, one in which
    tenants fail, and its re-execution, in which one of them fails again."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
        started = {}
        for name in ("dagster", "ours"):
            url = dagster_url(create_database(postgres_server, f"storage_{name}"))
            monkeypatch.setenv("REPORTS_DAGSTER_URL", url)
            monkeypatch.setenv(
                "TEST_DATABASE_URL",
                create_database(postgres_server, f"stages_{name}", template="template_reports"),
            )
            instance = dg.DagsterInstance.local_temp(
                str(tmp_path_factory.mktemp(name)),
                overrides={
                    "telemetry": {"enabled": False},
                    "storage": (
                        {"postgres": {"postgres_url": url}}
                        if name == "dagster"
                        else storage_settings("local_dagster.yaml")
                    ),
                },
            )
            instance.add_dynamic_partitions("tenant", TENANTS)
            batch_pipeline.failing.clear()
            run(instance)
            batch_pipeline.failing.update(grains={"b"}, flour={"c"})
            failed = run(instance)
            del batch_pipeline.failing["grains"]
            run(instance, retry_of=failed)
            started[name] = instance
        batch_pipeline.failing.clear()
        yield started
        for instance in started.values():
            instance.dispose()


@pytest.fixture
def instance(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """An instance on the storage that has seen nothing yet."""
    monkeypatch.setenv("REPORTS_DAGSTER_URL", dagster_url(database_url))
    overrides = {
        "telemetry": {"enabled": False},
        "storage": storage_settings("local_dagster.yaml"),
    }
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
        yield instance


def planned(run_id: str, tenant_id: str, stage: str = "grains") -> dg.EventLogEntry:
    return dg.EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None,
        level="debug",
        user_message="",
        run_id=run_id,
        timestamp=1_762_000_000.0,
        dagster_event=DagsterEvent.build_asset_materialization_planned_event(
            "bake",
            f"{stage}_stage",
            AssetMaterializationPlannedData(dg.AssetKey(stage), partition=f"{MONTH}|{tenant_id}"),
        ),
    )


def rows(instance: dg.DagsterInstance, query: str) -> list[tuple[Any, ...]]:
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        return [tuple(row) for row in connection.execute(sqlalchemy.text(query))]


def backends(url: str, count: int) -> set[int]:
    """The server's processes for connections to the database, as soon as there are so many: one
    goes a moment after its connection was closed."""
    deadline = time.monotonic() + 20
    found: set[int] = set()
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            rows = connection.execute(
                "select pid from pg_stat_activity where datname = current_database() "
                "and pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
            found = {pid for (pid,) in rows}
            if len(found) == count:
                break
            time.sleep(0.05)
    return found


@pytest.mark.parametrize("table", QUERIES)
def test_the_same_runs_leave_the_same_rows(
    instances: Mapping[str, dg.DagsterInstance], table: str
) -> None:
    ours = rows(instances["ours"], QUERIES[table])
    assert ours == rows(instances["dagster"], QUERIES[table])
    assert ours or table == "asset_event_tags"


@pytest.mark.parametrize(
    ("stage", "materialized", "failed"),
    [("grains", "abcd", ""), ("flour", "abcd", "c"), ("bread", "abcd", "c")],
)
def test_pages_show_the_same_tenants_as_done_and_failed(
    instances: Mapping[str, dg.DagsterInstance], stage: str, materialized: str, failed: str
) -> None:
    partitions = (
        batch_pipeline.definitions().resolve_asset_graph().get(dg.AssetKey(stage)).partitions_def
    )
    assert partitions is not None
    for instance in instances.values():
        status = get_and_update_asset_status_cache_value(
            instance, dg.AssetKey(stage), partitions, instance
        )
        assert status is not None
        shown = [
            {key.partition("|")[2] for key in subset.get_partition_keys()}
            for subset in (
                status.deserialize_materialized_partition_subsets(partitions),
                status.deserialize_failed_partition_subsets(partitions),
            )
        ]
        assert shown == [set(materialized), set(failed)]


@pytest.mark.parametrize("file", ["local_dagster.yaml", "dagster.yaml"])
def test_instances_of_both_environments_use_it(
    file: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTS_DAGSTER_URL", dagster_url(database_url))
    with dg.DagsterInstance.local_temp(
        str(tmp_path), overrides={"storage": storage_settings(file)}
    ) as instance:
        assert isinstance(instance.event_log_storage, BatchingEventLogStorage)


def test_planned_events_are_stored_in_their_order_and_the_last_run_with_the_asset(
    instance: dg.DagsterInstance,
) -> None:
    instance.event_log_storage.store_event_batch(
        [planned("1", "a"), planned("1", "a", "flour"), planned("2", "b"), planned("2", "a")]
    )
    assert rows(instance, "select run_id, asset_key, partition from event_logs order by id") == [
        ("1", '["grains"]', "2025-10|a"),
        ("1", '["flour"]', "2025-10|a"),
        ("2", '["grains"]', "2025-10|b"),
        ("2", '["grains"]', "2025-10|a"),
    ]
    assert rows(instance, "select asset_key, last_run_id from asset_keys order by 1") == [
        ('["flour"]', "1"),
        ('["grains"]', "2"),
    ]


def test_a_batch_that_fails_leaves_nothing_that_dagster_would_write_twice(
    instance: dg.DagsterInstance, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("alter table asset_keys add check (last_run_id <> 'refused')")
    events = [planned("fine", "a"), planned("refused", "b")]
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        instance.event_log_storage.store_event_batch(events)
    assert rows(instance, "select 1 from event_logs") == []


def test_a_process_keeps_one_connection_until_the_instance_is_disposed_of(
    instance: dg.DagsterInstance, database_url: str
) -> None:
    instance.event_log_storage.store_event(planned("1", "a"))
    [first] = backends(database_url, 1)
    instance.event_log_storage.store_event(planned("1", "b"))
    instance.add_dynamic_partitions("tenant", TENANTS)
    instance.get_runs()
    instance.all_instigator_state()
    assert backends(database_url, 1) == {first}
    instance.dispose()
    assert backends(database_url, 0) == set()


def test_a_connection_that_the_server_ended_is_replaced(
    instance: dg.DagsterInstance, database_url: str
) -> None:
    instance.get_runs()
    [pid] = backends(database_url, 1)
    with psycopg.connect(database_url) as connection:
        connection.execute("select pg_terminate_backend(%s, 20000)", [pid])
    instance.event_log_storage.store_event(planned("1", "a"))
    assert rows(instance, "select run_id from event_logs") == [("1",)]


def test_a_forked_process_has_a_connection_of_its_own(database_url: str) -> None:
    """In a process of its own, since a fork of one with threads is warned of."""
    program = f"""
import os, sqlalchemy
from reports_pipeline.dagster_storage import PooledPostgresStorage
events = PooledPostgresStorage({dagster_url(database_url)!r}).event_log_storage
def backend():
    with events.index_connection() as connection:
        return connection.scalar(sqlalchemy.text("select pg_backend_pid()"))
before = backend()
if (child := os.fork()) == 0:
    os._exit(backend() == before)
assert os.waitpid(child, 0)[1] == 0
assert backend() == before
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
