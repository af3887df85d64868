"""Months of history in Dagster's storage, as runs of batches would have left them.

One real run of a batch goes through the daemon, the queue and a worker. Its rows are then copied in
the database for every batch of every month before it, with other runs, months and tenants in them;
so their number, size and order are those of real months, and a million of them take a minute. Times
inside the events stay those of the real run.
"""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import dagster as dg
import psycopg

from assets.monthly_reports import STAGES
from assets.tenant_batch import TenantSelection
from benchmarks.month import Queue, run_by_dagster
from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import LocalEnvironment
from reports_pipeline.launching import LAUNCH_TAG, MONTH_TAG, add_missing_partitions
from reports_pipeline.local import dagster_variables

FAILED_SHARE = 0.01
# What the real run writes has higher ids than its copies, so that it is the newest there is.
_FIRST_REAL_ID = 100_000_000
# Rows of a tenant that failed in it are missing from here on, but for what was planned here.
_FAILING_STAGE = STAGES[1].name


@dataclass(frozen=True)
class History:
    """What was written: of `tenants`, from `first_month` to `month`, which is that of the real run;
    `failed` are partitions of a month before it."""

    tenants: int
    first_month: Month
    month: Month
    runs: int
    events: int
    failed: int
    run_id: str  # the real one


@contextmanager
def opened_instance(environment: LocalEnvironment) -> Iterator[dg.DagsterInstance]:
    """The instance of an environment, while the context lasts; this process has its variables."""
    with (
        mock.patch.dict(os.environ, dagster_variables(environment)),
        dg.DagsterInstance.get() as instance,
    ):
        yield instance


def write_history(
    environment: LocalEnvironment,
    month: Month,
    *,
    tenant_ids: Sequence[str],
    months: int,
    tenants_per_run: int,
    seed: int = 1,
) -> History:
    """So many months of these tenants, the last of which is `month`. The ledger needs the first
    `tenants_per_run` of them and this month only."""
    url = environment.settings.dagster_url
    assert url is not None
    real = tenant_ids[:tenants_per_run]
    with opened_instance(environment):  # makes the tables
        _execute(url, f"alter sequence event_logs_id_seq restart with {_FIRST_REAL_ID}")
        _execute(url, f"alter sequence runs_id_seq restart with {_FIRST_REAL_ID}")
    run_by_dagster(environment, month, Queue(tenants_per_run, 1), real)
    with opened_instance(environment) as instance:
        add_missing_partitions(instance, tenant_ids)
        [run] = instance.get_runs(dg.RunsFilter(tags={LAUNCH_TAG: "benchmark"}))
    batches = [
        tenant_ids[start : start + tenants_per_run]
        for start in range(0, len(tenant_ids), tenants_per_run)
    ]
    # The rest of the last month, too.
    work = [
        (earlier, batch)
        for earlier in (month.plus(elapsed) for elapsed in range(1 - months, 1))
        for batch in (batches[1:] if earlier == month else batches)
    ]
    with psycopg.connect(url) as connection:
        failed = _write(connection, run, month, work, random.Random(seed))  # noqa: S311
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update asset_keys set cached_status_data = null")
        connection.execute("vacuum analyze")
        [events] = connection.execute("select count(*) from event_logs").fetchone() or (0,)
    return History(
        len(tenant_ids), month.plus(1 - months), month, len(work) + 1, events, failed, run.run_id
    )


def _write(
    connection: psycopg.Connection,
    run: dg.DagsterRun,
    month: Month,
    work: Sequence[tuple[Month, Sequence[str]]],
    dice: random.Random,
) -> int:
    """Copy the rows of the run for each piece of work; returns how many tenants fail in all."""
    real = TenantSelection.of_run(run)
    connection.execute(
        """
        create temporary table template as
        select row_number() over (order by id) as row_no, id as real_id, event,
               dagster_event_type, timestamp, step_key, asset_key, partition,
               array_position(%s::text[], split_part(partition, '|', 2)) as tenant_no,
               array_position(%s::text[], asset_key) as stage_no
        from event_logs where run_id = %s
        """,
        [real, [json.dumps([stage.name]) for stage in STAGES], run.run_id],
    )
    [rows] = connection.execute("select count(*) from template").fetchone() or (0,)
    connection.execute(
        """
        create temporary table batches
            (run_no int, run_id text, month text, tenants text[], failed text[])
        """
    )
    [run_body] = connection.execute(
        "select run_body from runs where run_id = %s", [run.run_id]
    ).fetchone() or ("",)
    all_failed = 0
    with connection.cursor() as cursor:
        for number, (of_month, tenants) in enumerate(work):
            run_id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
            failed = [tenant for tenant in tenants if dice.random() < FAILED_SHARE]
            all_failed += len(failed)
            body = (
                run_body.replace(run.run_id, run_id)
                .replace(json.dumps(real), json.dumps(list(tenants)))
                .replace(str(month), str(of_month))
            )
            cursor.execute(
                "insert into batches values (%s, %s, %s, %s, %s)",
                [number, run_id, str(of_month), list(tenants), failed],
            )
            cursor.execute(
                """
                insert into runs (id, run_id, snapshot_id, pipeline_name, mode, status, run_body,
                    partition, partition_set, create_timestamp, update_timestamp, start_time,
                    end_time)
                select %(id)s, %(run_id)s, snapshot_id, pipeline_name, mode, %(status)s, %(body)s,
                    partition, partition_set, %(at)s, %(at)s, extract(epoch from %(at)s::timestamp),
                    extract(epoch from %(at)s::timestamp) + (end_time - start_time)
                from runs where run_id = %(real)s
                """,
                {
                    "id": number + 1,
                    "run_id": run_id,
                    "status": "FAILURE" if failed else "SUCCESS",
                    "body": body.replace(
                        '"DagsterRunStatus.SUCCESS"',
                        '"DagsterRunStatus.FAILURE"' if failed else '"DagsterRunStatus.SUCCESS"',
                    ),
                    "at": of_month.end,
                    "real": run.run_id,
                },
            )
            cursor.execute(
                """
                insert into run_tags (run_id, key, value)
                select %s, key, case when key = %s then %s else value end
                from run_tags where run_id = %s
                """,
                [run_id, MONTH_TAG, str(of_month), run.run_id],
            )
    given = {
        "rows": rows,
        "real_run": run.run_id,
        "real_month": str(month),
        "real_tenants": real,
        "failing": next(n for n, stage in enumerate(STAGES, 1) if stage.name == _FAILING_STAGE),
    }
    connection.execute(
        """
        insert into event_logs
            (id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
        select 1 + run_no * %(rows)s + row_no, run_id,
            replace(
                replace(replace(event, %(real_run)s, run_id), %(real_month)s, month),
                coalesce((%(real_tenants)s::text[])[tenant_no], '-none-'),
                coalesce(tenants[tenant_no], '')
            ),
            dagster_event_type, (month || '-01')::date + interval '1 month', step_key, asset_key,
            case when partition is null then null
                 when tenant_no is null then replace(partition, %(real_month)s, month)
                 else month || '|' || tenants[tenant_no] end
        from batches join template on tenant_no is null or tenant_no <= cardinality(tenants)
        where tenant_no is null or not tenants[tenant_no] = any(failed)
           or stage_no < %(failing)s
           or (stage_no = %(failing)s and dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED')
        order by run_no, row_no
        """,
        given,
    )
    connection.execute(
        """
        insert into asset_check_executions (asset_key, check_name, partition, run_id,
            execution_status, evaluation_event, evaluation_event_timestamp,
            evaluation_event_storage_id, materialization_event_storage_id, create_timestamp)
        select checks.asset_key, check_name, checks.partition, batches.run_id, execution_status,
            replace(replace(evaluation_event, %(real_run)s, batches.run_id),
                    %(real_month)s, month),
            (month || '-01')::date + interval '1 month',
            1 + run_no * %(rows)s + evaluated.row_no,
            1 + run_no * %(rows)s + materialized.row_no,
            (month || '-01')::date + interval '1 month'
        from asset_check_executions checks
        join template evaluated on evaluated.real_id = evaluation_event_storage_id
        left join template materialized on materialized.real_id = materialization_event_storage_id,
            batches
        where checks.run_id = %(real_run)s
        order by run_no, checks.id
        """,
        given,
    )
    return all_failed


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
