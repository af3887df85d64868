"""Many tenants chosen at random, and the schedule: few runs, each started once."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.end_to_end.system import MONTH, System, new_system


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with new_system(tmp_path_factory.mktemp("selections")) as system:
        system.variables["REPORTS_TENANTS_PER_RUN"] = "100"
        system.reports(
            "ledger", "sample", "--companies", "600", "--months", "2", "--lines-per-month", "30000",
            "--seed", "5", "--last-month", MONTH,
        )  # fmt: skip
        with system.serving():
            yield system


def test_300_tenants_chosen_at_random_from_600_are_3_runs(system: System) -> None:
    chosen = random.Random(11).sample([f"t{number:04}" for number in range(1, 601)], 300)  # noqa: S311
    printed = system.reports("backfill", "--month", MONTH, "--tenant", ",".join(chosen), "--wait")
    assert "300 tenants in 3 runs" in printed
    assert "300 of 300 tenants delivered" in printed
    assert [run["status"] for run in system.runs()] == ["SUCCESS"] * 3
    assert {mail.name.split("_")[0] for mail in system.mails()} == set(chosen)


def test_a_tick_of_the_schedule_launches_the_month_and_a_second_one_nothing(
    system: System,
) -> None:
    before = {run["runId"] for run in system.runs()}
    first = tick(system)
    assert first["skipReason"] is None
    launch(system, first["runRequests"])
    launched = [run for run in system.wait_for_runs() if run["runId"] not in before]
    assert [run["status"] for run in launched] == ["SUCCESS"] * 6
    assert {mail.name.split("_")[0] for mail in system.mails()} == {
        f"t{number:04}" for number in range(1, 601)
    }
    mails = system.mails()

    second = tick(system)
    assert second["runRequests"] == []
    assert second["skipReason"] == f"{MONTH}: everybody expected has a run."
    assert system.mails() == mails


def tick(system: System) -> dict[str, Any]:
    """Evaluate the schedule as of the 1st of the next month, 01:00 in Tokyo."""
    moment = datetime.datetime(2025, 11, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
    data = system.graphql(
        """
        mutation ($schedule: ScheduleSelector!, $timestamp: Float) {
          scheduleDryRun(selectorData: $schedule, timestamp: $timestamp) {
            __typename
            ... on DryRunInstigationTick { evaluationResult {
              error { message } skipReason
              runRequests { runConfigYaml tags { key value } runKey }
            } }
          }
        }
        """,
        schedule=system.repository | {"scheduleName": "monthly_reports_schedule"},
        timestamp=moment.timestamp(),
    )
    result: dict[str, Any] = data["scheduleDryRun"]["evaluationResult"]
    assert result["error"] is None
    return result


def launch(system: System, run_requests: list[dict[str, Any]]) -> None:
    """What the web UI does with the runs of an evaluated tick."""
    data = system.graphql(
        """
        query ($schedule: ScheduleSelector!) {
          scheduleOrError(scheduleSelector: $schedule) { ... on Schedule { pipelineName } }
        }
        """,
        schedule=system.repository | {"scheduleName": "monthly_reports_schedule"},
    )
    job = data["scheduleOrError"]["pipelineName"]
    for request in run_requests:
        data = system.graphql(
            """
            mutation ($parameters: ExecutionParams!) {
              launchRun(executionParams: $parameters) {
                __typename ... on PythonError { message }
              }
            }
            """,
            parameters={
                "selector": system.repository | {"pipelineName": job},
                "runConfigData": request["runConfigYaml"],
                "executionMetadata": {"tags": request["tags"]},
                "mode": "default",
            },
        )
        assert data["launchRun"]["__typename"] == "LaunchRunSuccess", data
