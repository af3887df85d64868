"""What Dagster loads, and that loading it touches nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from assets.monthly_reports import STAGES
from assets.tenant_batch import Stage
from reports_pipeline.build import build_definitions
from reports_pipeline.environments import LocalEnvironment, Settings


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("build") / "home"


@pytest.fixture(scope="module")
def definitions(home: Path) -> dg.Definitions:
    """Definitions of an environment whose server is not there."""
    variables = {
        "REPORTS_HOME": str(home),
        "REPORTS_DATABASE_URL": "postgresql://127.0.0.1:1/nowhere",
        "REPORTS_FIRST_MONTH": "2025-06",
        "REPORTS_TENANTS_PER_RUN": "7",
    }
    return build_definitions(LocalEnvironment(Settings.from_environment(variables)))


def test_they_load_without_any_server(definitions: dg.Definitions, home: Path) -> None:
    dg.Definitions.validate_loadable(definitions)
    assert not home.exists()


def test_importing_them_starts_nothing(tmp_path: Path) -> None:
    variables = {"REPORTS_HOME": str(tmp_path / "home"), "PYTHONPATH": str(_ROOT)}
    subprocess.run(
        [sys.executable, "-c", "from reports_pipeline.definitions import defs"],
        env={**_without_settings(), **variables},
        cwd=tmp_path,
        check=True,
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_asset_says_what_it_is_and_whose(definitions: dg.Definitions, stage: Stage) -> None:
    [spec] = [s for s in definitions.resolve_all_asset_specs() if s.key == dg.AssetKey(stage.name)]
    # its grain first
    assert re.match(r"(One|Three|Four) per month and tenant[:,] \S", spec.description or "")
    assert spec.owners == ["team:reporting"]
    assert spec.group_name == "monthly_reports"
    assert spec.kinds


def test_the_assets_are_the_stages_and_build_on_each_other(definitions: dg.Definitions) -> None:
    upstream = {
        spec.key.to_user_string(): {dep.asset_key.to_user_string() for dep in spec.deps}
        for spec in definitions.resolve_all_asset_specs()
    }
    assert upstream == {
        "ledger_extracts": set(),
        "statements": {"ledger_extracts"},
        "report_pdfs": {"statements"},
        "report_workbooks": {"statements"},
        "report_deliveries": {"statements", "report_pdfs", "report_workbooks"},
    }


def test_every_check_is_a_true_statement(definitions: dg.Definitions) -> None:
    checks = [
        spec
        for asset in definitions.resolve_asset_graph().assets_defs
        for spec in asset.check_specs
    ]
    assert {check.asset_key.to_user_string() for check in checks} == {"statements"}
    for check in checks:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", check.name)
        assert check.description


def test_no_job_is_defined_for_the_assets(definitions: dg.Definitions) -> None:
    # docs/decisions/0002: a backfill of a job gave every run the first tenant (dagster 28861)
    assert not definitions.jobs
    names = {job.name for job in definitions.resolve_all_job_defs()}
    assert {name for name in names if not name.startswith("__")} == set()


def test_a_backfill_is_cut_into_runs_of_the_size_that_was_set(definitions: dg.Definitions) -> None:
    policies = {
        definitions.resolve_asset_graph().get(dg.AssetKey(stage.name)).backfill_policy
        for stage in STAGES
    }
    assert policies == {dg.BackfillPolicy.multi_run(7)}


def test_schedule_and_sensors_run_from_the_start(definitions: dg.Definitions) -> None:
    schedules = {schedule.name: schedule for schedule in definitions.schedules or []}
    sensors = {sensor.name: sensor for sensor in definitions.sensors or []}
    assert set(schedules) == {
        "monthly_reports_schedule",
        "delivery_sweeper_schedule",
        "event_retention_schedule",
    }
    assert set(sensors) == {
        "tenant_sensor",
        "launch_sensor",
        "run_failure_sensor",
        "delivery_feedback_sensor",
    }
    for schedule in schedules.values():
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    for sensor in sensors.values():
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_an_adapter_can_be_replaced_by_its_role() -> None:
    environment = LocalEnvironment(Settings.from_environment({}))
    definitions = build_definitions(environment, {"mailer": "a carrier pigeon"})
    assert (definitions.resources or {})["mailer"] == "a carrier pigeon"
    assert set(definitions.resources or {}) == set(build_definitions(environment).resources or {})
    dg.Definitions.validate_loadable(definitions)


_ROOT = Path(__file__).parents[2]


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("REPORTS_")}
