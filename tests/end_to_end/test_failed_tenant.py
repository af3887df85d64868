"""One tenant of twelve has an unbalanced ledger: the others are served, and only it runs again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.end_to_end.system import MONTH, System, new_system

BAD = "t0005"
STAGES = ["ledger_extracts", "statements", "report_pdfs", "report_workbooks", "report_deliveries"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with new_system(tmp_path_factory.mktemp("failed-tenant")) as system:
        system.reports(
            "ledger", "sample", "--companies", "12", "--months", "3", "--lines-per-month", "2000",
            "--seed", "7", "--last-month", MONTH,
        )  # fmt: skip
        with system.serving():
            yield system


def change_ledger(system: System, statement: str) -> None:
    with system.database() as url, psycopg.connect(url) as connection:
        changed = connection.execute(statement, {"tenant": BAD, "month": f"{MONTH}-01"})
        assert changed.rowcount == 1


UNBALANCE = """
    update ledger.journal_lines set debit = debit + 1
    where (tenant_id, posted_on, entry_id, line_no) = (
        select tenant_id, posted_on, entry_id, line_no from ledger.journal_lines
        where tenant_id = %(tenant)s and posted_on >= %(month)s and debit > 0
          and status = 'posted' order by posted_on, entry_id, line_no limit 1
    )
"""


def partition_statuses(system: System, asset: str) -> dict[str, set[str]]:
    """What the asset's page shows: tenants of the month by status."""
    data = system.graphql(
        """
        query ($key: AssetKeyInput!) {
          assetNodeOrError(assetKey: $key) { ... on AssetNode { assetPartitionStatuses {
            ... on MultiPartitionStatuses { ranges {
              primaryDimStartKey primaryDimEndKey
              secondaryDim { ... on DefaultPartitionStatuses {
                materializedPartitions failedPartitions unmaterializedPartitions
              } }
            } }
          } } }
        }
        """,
        key={"path": [asset]},
    )
    for row in data["assetNodeOrError"]["assetPartitionStatuses"]["ranges"]:
        if row["primaryDimStartKey"] <= MONTH <= row["primaryDimEndKey"]:
            status = row["secondaryDim"]
            return {
                "materialized": set(status["materializedPartitions"]),
                "failed": set(status["failedPartitions"]),
            }
    return {"materialized": set(), "failed": set()}


def test_the_others_are_served_and_only_the_mended_one_runs_again(system: System) -> None:
    change_ledger(system, UNBALANCE)
    printed = system.reports("backfill", "--month", MONTH, "--all", "--wait", exit_code=1)
    assert "11 of 12 tenants delivered" in printed
    assert f"{BAD}" in printed
    assert "LEDGER_IMBALANCE" in printed

    # the web UI shows one failed tenant on every asset
    everybody = {f"t{number:04}" for number in range(1, 13)}
    for stage in STAGES:
        statuses = partition_statuses(system, stage)
        assert statuses == {"materialized": everybody - {BAD}, "failed": {BAD}}
    [failed_run] = system.runs()
    assert failed_run["status"] == "FAILURE"
    [failure] = failed_tenants(system, failed_run["runId"])
    assert (failure["tenant_id"], failure["code"]) == (BAD, "LEDGER_IMBALANCE")
    assert failure["details"]["difference"] == 1
    assert f"{BAD} LEDGER_IMBALANCE" in wait_for_notice(system).read_text()
    mails = set(system.mails())
    assert not [mail for mail in mails if mail.name.startswith(BAD)]

    # mended, and re-executed from failure as the button in the web UI does
    change_ledger(system, UNBALANCE.replace("debit + 1", "debit - 1"))
    re_execute_from_failure(system, failed_run["runId"])
    for stage in STAGES:
        assert partition_statuses(system, stage) == {"materialized": everybody, "failed": set()}
    new_mails = set(system.mails()) - mails
    assert new_mails
    assert all(mail.name.startswith(f"{BAD}_") for mail in new_mails)


def test_the_command_line_re_runs_only_the_failed_tenant(system: System) -> None:
    change_ledger(system, UNBALANCE)
    system.reports("backfill", "--month", MONTH, "--tenant", f"t0001,{BAD}", "--wait", exit_code=1)
    change_ledger(system, UNBALANCE.replace("debit + 1", "debit - 1"))
    mails = system.mails()
    printed = system.reports("backfill", "--month", MONTH, "--failed", "--wait")
    assert "1 tenant in 1 run" in printed
    assert "1 of 1 tenants delivered" in printed
    # the numbers are the same as those that went out before: no second mail
    assert system.mails() == mails


def failed_tenants(system: System, run_id: str) -> list[dict[str, Any]]:
    data = system.graphql(
        """
        query ($run: ID!) { runOrError(runId: $run) { ... on Run {
          eventConnection(limit: 1000) { events { ... on ExecutionStepFailureEvent {
            failureMetadata { metadataEntries { label ... on JsonMetadataEntry { jsonString } } }
          } } }
        } } }
        """,
        run=run_id,
    )
    return [
        tenant
        for event in data["runOrError"]["eventConnection"]["events"]
        for entry in (event.get("failureMetadata") or {"metadataEntries": []})["metadataEntries"]
        if entry["label"] == "failed_tenants"
        for tenant in json.loads(entry["jsonString"])
    ]


def re_execute_from_failure(system: System, run_id: str) -> None:
    """The button of that name on the run's page."""
    data = system.graphql(
        """
        mutation ($parent: String!) {
          launchRunReexecution(reexecutionParams: {parentRunId: $parent, strategy: FROM_FAILURE}) {
            __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
          }
        }
        """,
        parent=run_id,
    )
    assert data["launchRunReexecution"]["__typename"] == "LaunchRunSuccess", data
    new_run = data["launchRunReexecution"]["run"]["runId"]
    statuses = {run["runId"]: run["status"] for run in system.wait_for_runs()}
    assert statuses[new_run] == "SUCCESS"


def wait_for_notice(system: System) -> Path:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if found := list((system.home / "notices").glob("run-failed_*.json")):
            return found[0].with_suffix(".txt")
        time.sleep(0.5)
    raise TimeoutError("no notice of the failed run")
