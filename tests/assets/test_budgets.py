"""A tenant that breaks its worker, or takes too much of the database, is blocked alone; the others
of its run get mails. Documents that take too much are in tests/benchmarks/test_skew.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from reports_pipeline.documents.document import PDF_NAMES, WORKBOOK_NAMES
from tests.assets.monthly_runs import failures, run_month
from tests.assets.odd_rendering import DEADLY
from tests.sample_ledgers import APRIL, TENANTS, sample_database

ALL_NAMES = {*PDF_NAMES, *WORKBOOK_NAMES}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(
        str(tmp_path), overrides={"telemetry": {"enabled": False}}
    ) as instance:
        yield instance


@pytest.fixture
def url(postgres_server: str) -> str:
    return sample_database(postgres_server)


def stored(home: Path, tenant_id: str) -> set[str]:
    return {path.name for path in (home / "documents/reports" / tenant_id).rglob("*.*")}


def mailed(home: Path) -> set[str]:
    return {path.name.split("_")[0] for path in (home / "outbox").rglob("*.eml")}


def test_whose_documents_end_the_worker_each_time_is_blocked_alone(
    instance: dg.DagsterInstance, url: str, tmp_path: Path
) -> None:
    result = run_month(instance, url, tmp_path, APRIL, TENANTS, odd=True)
    assert failures(result, "report_pdfs") == {
        DEADLY: (
            "INTERNAL_ERROR",
            {"error": "WorkerEndedError: the worker was ended by SIGKILL"},
        ),
    }
    assert failures(result, "report_workbooks") == {}
    others = set(TENANTS) - {DEADLY}
    for tenant_id in others:
        assert stored(tmp_path, tenant_id) == ALL_NAMES
    assert stored(tmp_path, DEADLY) == set(WORKBOOK_NAMES)
    assert mailed(tmp_path) == others


def test_whom_the_database_cannot_finish_is_found_and_blocked_alone(
    instance: dg.DagsterInstance, url: str, tmp_path: Path
) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("alter function ledger.month_movements set schema public")
        connection.execute(
            """
            create function ledger.month_movements(tenants text[], month_start date)
            returns table (tenant_id text, account_code text, debit bigint, credit bigint,
                           closing_debit bigint, closing_credit bigint,
                           opening_debit bigint, opening_credit bigint,
                           inflow bigint, outflow bigint, with_retained_earnings boolean,
                           unbalanced boolean)
            language plpgsql stable as $$ begin
                if 't0003' = any(tenants) then perform pg_sleep(60); end if;
                return query select * from public.month_movements(tenants, month_start);
            end $$
            """
        )
    result = run_month(instance, url, tmp_path, APRIL, TENANTS, REPORTS_TENANT_SECONDS="3")
    assert failures(result, "ledger_extracts") == {
        "t0003": ("BUDGET_EXCEEDED", {"what": "seconds", "limit": 3})
    }
    others = set(TENANTS) - {"t0003"}
    for tenant_id in others:
        assert stored(tmp_path, tenant_id) == ALL_NAMES
    assert mailed(tmp_path) == others
