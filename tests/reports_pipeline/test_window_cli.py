"""`reports window …` as it is typed; months leave the window and come back with their states."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner, Result
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.selector import (
    PartitionRangeSelector,
    PartitionsByAssetSelector,
    PartitionsSelector,
)
from dagster._core.execution.backfill import PartitionBackfill

from reports_pipeline import local
from reports_pipeline.accounting.periods import Month
from reports_pipeline.build import build_definitions
from reports_pipeline.cli import main
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.launching import missing_runs
from reports_pipeline.tokyo import last_month, this_month
from reports_pipeline.window_cli import window_commands
from resources.database import create_database
from resources.delivery_months import DeliveryMonths
from resources.hot_window import HotWindow
from resources.launches import Launch, Launches
from tests.http_server import QuietHandler, serving
from tests.reports_pipeline.past_runs import MONTH, instance_with_runs, keys, partition_states
from tests.reports_pipeline.requested_runs import create_runs

LAST = last_month()
ROLLING = this_month().plus(-18)
QUEUED = dg.DagsterRunStatus.QUEUED


@pytest.fixture(scope="module")
def dagster_url(postgres_server: str) -> str:
    """Dagster's tables, in a database of their own, which are made once."""
    return create_database(postgres_server, "dagster_of_window")


@pytest.fixture(autouse=True)
def _dagster(dagster_url: str, tmp_path: Path) -> Iterator[None]:
    """The commands set what Dagster's programs need."""
    with mock.patch.dict(os.environ, REPORTS_DAGSTER_URL=dagster_url, REPORTS_HOME=str(tmp_path)):
        yield


def environment(url: str, **settings: str) -> LocalEnvironment:
    given = {name: os.environ[name] for name in ("REPORTS_DAGSTER_URL", "REPORTS_HOME")}
    return LocalEnvironment(
        Settings.from_environment({**given, "REPORTS_DATABASE_URL": url, **settings})
    )


def window(url: str, *arguments: str, **settings: str) -> Result:
    with mock.patch("getpass.getuser", return_value="sato"):
        return CliRunner().invoke(window_commands, arguments, obj=environment(url, **settings))


def said(result: Result, exit_code: int = 0) -> list[str]:
    assert result.exit_code == exit_code, result.output
    return result.output.splitlines()


def loaded_months(url: str) -> list[str]:
    """The months of the partitions that a process has which loads the definitions now."""
    assets = build_definitions(environment(url)).resolve_asset_graph()
    partitions = assets.get(dg.AssetKey("statements")).partitions_def
    assert isinstance(partitions, dg.MultiPartitionsDefinition)
    return list(partitions.get_partitions_def_for_dimension("month").get_partition_keys())


def test_the_commands_are_part_of_reports() -> None:
    assert main.commands["window"] is window_commands


def test_it_rolls_on_until_somebody_sets_it(sample_url: str) -> None:
    assert said(window(sample_url, "show")) == [
        f"{ROLLING} to {LAST}: 18 months, 90 partitions",
        "rolls on with the months; nobody has set it",
    ]
    assert loaded_months(sample_url)[0] == str(ROLLING)


def test_who_loads_the_definitions_next_has_the_months_that_were_set(sample_url: str) -> None:
    earlier = LAST.plus(-20)
    first, advice = said(
        window(sample_url, "set", "--first-month", str(earlier), "--reason", "監査")
    )
    assert first == f"{earlier} to {LAST}: 21 months, 105 partitions"
    assert "Reload" in advice
    months = loaded_months(sample_url)
    assert (months[0], months[-1], len(months)) == (str(earlier), str(LAST), 21)
    [size, change] = said(window(sample_url, "show"))
    assert size == first
    assert change.endswith(f" Tokyo sato: from {earlier}: 監査")

    said(window(sample_url, "set", "--rolling", "--reason", "済み"))
    assert loaded_months(sample_url)[0] == str(ROLLING)
    assert [line.split(": ", 1)[1] for line in said(window(sample_url, "show"))[1:]] == [
        "rolls on: 済み",
        f"from {earlier}: 監査",
    ]


def test_a_launch_of_a_month_outside_names_the_command(
    sample_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTS_DATABASE_URL", sample_url)
    monkeypatch.delenv("REPORTS_FIRST_MONTH", raising=False)
    outside = ROLLING.plus(-1)
    result = CliRunner().invoke(main, ["backfill", "--month", str(outside), "--all"])
    assert said(result, exit_code=1) == [
        f"Error: {outside} is outside the window {ROLLING} to {LAST}; "
        f"`reports window set --first-month {outside} --reason …` brings it back"
    ]
    assert Launches(sample_url).unlaunched() == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--reason", "監査"], "--first-month and --rolling"),
        (["--first-month", "2025-01", "--rolling", "--reason", "監査"], "--rolling"),
        (["--first-month", "2025-01", "--reason", " "], "--reason"),
        (["--first-month", "2025-13", "--reason", "監査"], "2025-13"),
        (["--first-month", str(this_month()), "--reason", "監査"], f"{this_month()} is not over"),
    ],
)
def test_what_cannot_be_is_refused(database_url: str, arguments: list[str], reason: str) -> None:
    result = window(database_url, "set", *arguments)
    assert result.exit_code != 0
    assert reason in result.output
    assert HotWindow(database_url).changes() == []


def test_a_month_that_is_being_delivered_stays(database_url: str) -> None:
    DeliveryMonths(database_url).open(LAST.plus(-1), [], opened_by="schedule")
    arguments = ["--first-month", str(LAST), "--reason", "速くしたい"]
    [refusal] = said(window(database_url, "set", *arguments), exit_code=1)
    assert f"{LAST.plus(-1)}: open for delivery" in refusal
    assert f"`reports month close --month {LAST.plus(-1)}`" in refusal
    assert HotWindow(database_url).changes() == []


@pytest.fixture
def dagster_instance(database_url: str) -> Iterator[dg.DagsterInstance]:
    """That which the commands ask."""
    with local.dagster_instance(environment(database_url)) as instance:
        yield instance
        instance.wipe()


def shrink(url: str) -> Result:
    return window(url, "set", "--first-month", str(LAST), "--reason", "速くしたい")


def test_a_month_that_is_asked_for_or_under_way_stays(
    database_url: str, dagster_instance: dg.DagsterInstance
) -> None:
    earlier, launches = LAST.plus(-2), Launches(database_url)
    launch = Launch("backfill-1", earlier, (("t0001",),))
    launches.request(launch, requested_by="sato")
    refusal = said(shrink(database_url), exit_code=1)
    assert refusal == [
        f"Error: {earlier}: a launch, backfill or run is under way, and would lose its partitions; "
        "wait until it has ended, or cancel it in the web UI (Runs)"
    ]
    create_runs(dagster_instance, missing_runs(dagster_instance, launch), QUEUED)
    launches.mark_launched([launch.launch_id])
    assert said(shrink(database_url), exit_code=1) == refusal
    [run] = dagster_instance.get_runs()
    dagster_instance.report_run_canceled(run)
    assert said(shrink(database_url))[0].startswith(f"{LAST} to {LAST}: 1 months")


def test_a_month_of_which_dagsters_pages_asked_for_a_backfill_stays(
    sample_url: str, dagster_instance: dg.DagsterInstance
) -> None:
    earlier = LAST.plus(-1)
    dagster_instance.add_dynamic_partitions("tenant", ["t0001"])
    asked = PartitionRangeSelector(start=f"{earlier}|t0001", end=f"{earlier}|t0001")
    with partition_loading_context(dynamic_partitions_store=dagster_instance):
        backfill = PartitionBackfill.from_partitions_by_assets(
            backfill_id="abcdefgh",
            asset_graph=build_definitions(environment(sample_url)).resolve_asset_graph(),
            backfill_timestamp=0.0,
            tags={},
            dynamic_partitions_store=dagster_instance,
            partitions_by_assets=[
                PartitionsByAssetSelector(
                    asset_key=dg.AssetKey("statements"), partitions=PartitionsSelector([asked])
                )
            ],
            title=None,
            description=None,
            run_config=None,
        )
    dagster_instance.add_backfill(backfill)
    [refusal] = said(shrink(sample_url), exit_code=1)
    assert refusal.startswith(f"Error: {earlier}: a launch, backfill or run is under way")


def test_what_is_under_way_of_a_month_that_stays_is_in_nobodys_way(
    database_url: str, dagster_instance: dg.DagsterInstance
) -> None:
    launch = Launch("backfill-1", LAST, (("t0001",),))
    create_runs(dagster_instance, missing_runs(dagster_instance, launch), QUEUED)
    Launches(database_url).request(launch, requested_by="sato")
    said(shrink(database_url))


def test_a_setting_that_fixes_it_is_named(database_url: str) -> None:
    fixed = {"REPORTS_FIRST_MONTH": "2025-02"}
    HotWindow(database_url).set(Month(2025, 1), reason="監査", set_by="sato")
    assert said(window(database_url, "show", **fixed))[:2] == [
        f"2025-02 to {LAST}: {LAST.ordinal - Month(2025, 2).ordinal + 1} months, 0 partitions",
        "fixed by REPORTS_FIRST_MONTH; what is set below does not count",
    ]
    arguments = ["set", "--first-month", "2025-01", "--reason", "監査"]
    [refusal] = said(window(database_url, *arguments, **fixed), exit_code=1)
    assert "REPORTS_FIRST_MONTH fixes the window to 2025-02" in refusal


def test_too_many_partitions_are_warned_of(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into ledger.companies (tenant_id, name, status)"
            " select 't' || number, '桜', 'active' from generate_series(1, 5000) as number"
        )
    earlier = LAST.plus(-20)
    first, _ = said(window(database_url, "set", "--first-month", str(earlier), "--reason", "監査"))
    assert first == (
        f"{earlier} to {LAST}: 21 months, 105,000 partitions; "
        "more than 100,000 make Dagster's pages slow"
    )


class WebUi(QuietHandler):
    """Answers as Dagster's does when it is asked to load a location again."""

    answers = "RepositoryLocation"

    def do_POST(self) -> None:  # noqa: N802 - what http.server calls
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert body["variables"] == {"location": "reports_pipeline.definitions"}
        entry = {"locationOrLoadError": {"__typename": self.answers}}
        answer = json.dumps({"data": {"reloadRepositoryLocation": entry}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class BrokenWebUi(WebUi):
    answers = "PythonError"


def test_a_running_web_ui_is_told(database_url: str) -> None:
    arguments = ["set", "--first-month", str(LAST), "--reason", "監査", "--web-ui"]
    with serving(WebUi) as address:
        assert said(window(database_url, *arguments, f"{address}/"))[-1] == (
            f"{address}/ has loaded the definitions again."
        )
    with serving(BrokenWebUi) as address:
        refusal = said(window(database_url, *arguments, address), exit_code=1)[-1]
        assert refusal.endswith(f"{address} has not reloaded: PythonError")
    refusal = said(window(database_url, *arguments, "http://127.0.0.1:1"), exit_code=1)[-1]
    assert "the window is set, but http://127.0.0.1:1 has not reloaded" in refusal
    assert HotWindow(database_url).first_month() == LAST


@pytest.fixture
def past_runs(postgres_server: str, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instance_with_runs(postgres_server, tmp_path) as instance:
        yield instance


def test_a_month_leaves_and_comes_back_with_its_states(past_runs: dg.DagsterInstance) -> None:
    before = partition_states(past_runs)
    assert before["flour"] == {
        "materialized": keys("abcd"),
        "failed": keys("c"),
        "in progress": set(),
    }
    gone = partition_states(past_runs, MONTH.plus(1))
    assert gone["flour"] == {"materialized": set(), "failed": set(), "in progress": set()}
    assert partition_states(past_runs) == before
