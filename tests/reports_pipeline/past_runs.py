"""An instance on PostgreSQL with runs behind it, and what Dagster's pages show of them."""

from __future__ import annotations

import functools
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from unittest import mock

import dagster as dg
import sqlalchemy
import yaml  # type: ignore[import-untyped]
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from assets.partitions import month_tenant_partitions
from assets.tenant_batch import TenantSelection
from reports_pipeline.accounting.periods import Month
from reports_pipeline.launching import MONTH_TAG
from resources.database import create_database
from tests.assets import batch_pipeline

JANUARY = Month(2025, 1)
MONTH = Month(2025, 10)
TENANTS = ["a", "b", "c", "d"]

_numbers = itertools.count(1)

# asset -> state -> keys of the partitions in it
States = dict[str, dict[str, set[str]]]


@contextmanager
def instance_with_runs(server_url: str, folder: Path) -> Iterator[dg.DagsterInstance]:
    """Three runs of a month: one in which all is well, one in which tenants fail, and its
    re-execution, in which one of them fails again."""
    template, stages = _databases_with_runs(server_url)
    name = f"past{next(_numbers)}"
    with (
        mock.patch.dict(os.environ, {"TEST_DATABASE_URL": stages}),
        _instance(create_database(server_url, name, template), folder) as instance,
    ):
        yield instance


@functools.cache
def _databases_with_runs(server_url: str) -> tuple[str, str]:
    """Made once for each server: the name of Dagster's database, to be copied, and the URL of the
    one with what the stages left."""
    dagster = create_database(server_url, "template_past")
    stages = create_database(server_url, "past_stages", template="template_reports")
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, {"TEST_DATABASE_URL": stages}),
        _instance(dagster, Path(folder)) as instance,
    ):
        instance.add_dynamic_partitions("tenant", TENANTS)
        batch_pipeline.failing.clear()
        run(instance)
        batch_pipeline.failing.update(grains={"b"}, flour={"c"})
        failed = run(instance)
        del batch_pipeline.failing["grains"]
        run(instance, retry_of=failed)
        batch_pipeline.failing.clear()
    return "template_past", stages


@contextmanager
def _instance(url: str, folder: Path) -> Iterator[dg.DagsterInstance]:
    variables = {
        "REPORTS_DAGSTER_URL": url.replace("postgresql://", "postgresql+psycopg2://", 1),
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
    }
    settings = yaml.safe_load(files("reports_pipeline").joinpath("local_dagster.yaml").read_bytes())
    overrides = {"telemetry": {"enabled": False}, "storage": settings["storage"]}
    with (
        mock.patch.dict(os.environ, variables),
        dg.DagsterInstance.local_temp(str(folder), overrides=overrides) as instance,
    ):
        yield instance


def run(instance: dg.DagsterInstance, retry_of: str | None = None) -> str:
    """The id of a new run of all tenants, or of a re-execution from failure."""
    result = dg.execute_job(
        dg.reconstructable(batch_pipeline.job),
        instance=instance,
        run_config=TenantSelection.run_config(MONTH, TENANTS),
        tags={MONTH_TAG: str(MONTH), **({"dagster/is_resume_retry": "true"} if retry_of else {})},
        reexecution_options=(
            dg.ReexecutionOptions.from_failure(retry_of, instance) if retry_of else None
        ),
    )
    return result.run_id


def partition_states(
    instance: dg.DagsterInstance, first_month: Month = JANUARY, *, anew: bool = False
) -> States:
    """What the pages show of each asset while the window begins with that month; `anew`: not from
    what Dagster remembers of the last time, but from the events."""
    partitions = month_tenant_partitions(first_month)
    if anew:
        with connection(instance) as open_connection:
            open_connection.execute(
                sqlalchemy.text("update asset_keys set cached_status_data = null")
            )
    states: States = {}
    for stage in batch_pipeline.STAGES:
        found = get_and_update_asset_status_cache_value(
            instance, dg.AssetKey(stage.name), partitions, instance
        )
        assert found is not None
        states[stage.name] = {
            state: set(subset.get_partition_keys())
            for state, subset in {
                "materialized": found.deserialize_materialized_partition_subsets(partitions),
                "failed": found.deserialize_failed_partition_subsets(partitions),
                "in progress": found.deserialize_in_progress_partition_subsets(partitions),
            }.items()
        }
    return states


def keys(tenants: str) -> set[str]:
    """The partitions of the month for these tenants, a letter each."""
    return {f"{MONTH}|{tenant}" for tenant in tenants}


def connection(instance: dg.DagsterInstance) -> sqlalchemy.engine.Connection:
    """To the database of the events; use it as a context."""
    found: sqlalchemy.engine.Connection = instance.event_log_storage.index_connection()  # type: ignore[attr-defined]
    return found
