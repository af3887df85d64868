"""What the growth model computes, against values worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from assets.monthly_reports import STAGES
from benchmarks import growth
from benchmarks.growth import figures, tables, with_tables
from benchmarks.growth_model import Growth, MeasuredMonth, largest

FIGURES: dict[str, float] = {
    "tenants": 1_000,
    "lines": 500_000,
    "tenants_per_run": 100,
    "concurrent_runs": 2,
    "run_outside_stages_seconds": 3.0,
    "run_worker_peak_mb": 500,
    "rendering_worker_peak_mb": 100,
    "daemon_peak_mb": 130,
    "code_server_peak_mb": 270,
    "wall_ms_per_tenant": 50.0,
    "cpu_ms_per_tenant": 90.0,
    "dagster_ms_per_tenant": 15.0,
    "postgres_cpu_seconds": 10.0,
    "document_files": 8_000,
    "document_bytes": 400_000_000,
    "mail_files": 2_000,
    "mail_bytes": 1_000_000_000,
    "events_per_tenant": 10.0,
    **{f"{stage.name}_ms_per_tenant": 20.0 for stage in STAGES},
}
MODEL = Growth(MeasuredMonth.of(FIGURES))


def test_one_machine_takes_as_long_as_the_measured_one_for_each_tenant() -> None:
    assert MODEL.machine_hours(72_000) == pytest.approx(1.0)
    assert [MODEL.machine_cores(72_000, hours) for hours in (1, 0.5, 6)] == [2, 4, 1]


def test_a_run_waits_for_its_task_its_documents_and_its_mails() -> None:
    # 100 ms in stages, 8 documents of 60 ms, 2 mails of 219 ms
    assert MODEL.tenant_seconds == pytest.approx(0.1 + 0.48 + 0.438)
    assert MODEL.run_seconds == pytest.approx(45 + 3 + 101.8)
    assert MODEL.runs(101) == 2
    # 5,000 runs of 149.8 s are 749,000 s
    assert MODEL.runs_needed(500_000) == 35  # of 21,600 s
    assert MODEL.work_hours(500_000) == pytest.approx(100 * 149.8 / 3600)


def test_mails_take_nine_tenths_of_the_rate() -> None:
    assert MODEL.mail_hours(22_680) == pytest.approx(1.0)  # 45,360 at 12.6 a second
    assert MODEL.mails_per_second_needed(9_720) == pytest.approx(1.0)  # 19,440 in 21,600 s


def test_deployments_follow_from_the_window() -> None:
    assert MODEL.tenants_per_deployment(18) == 5_555
    assert [MODEL.deployments(tenants, 18) for tenants in (5_555, 5_556)] == [1, 2]
    assert MODEL.deployments(50_000) == 4  # 16,666 each
    assert MODEL.deployments(500_000, 1) == 5


def test_a_limit_is_solved_for() -> None:
    assert largest(lambda tenants: math.ceil(tenants / 100), 6) == 600
    assert largest(lambda _: 6, 6) is None
    assert largest(lambda tenants: tenants, 0.5) == 0


def test_the_limit_that_is_met_first_comes_first() -> None:
    limits = {limit.name: limit.holds_until for limit in MODEL.limits()}
    assert list(limits.items())[:5] == [
        ("vCPUs of a new Fargate account", 400),  # services have 1.5 of 6
        ("partitions an asset, 18 months", 5_555),
        ("partitions an asset, 12 months", 8_333),
        ("partitions an asset, 6 months", 16_666),
        ("mails a day of a new SES account", 25_000),
    ]
    assert limits["seconds of the tick that opens a month"] == 750_000
    assert limits["RunTask calls a second"] is None


def test_dollars_by_item() -> None:
    dollars = MODEL.dollars(5_000)
    assert dollars["runs"] == pytest.approx(50 * 149.8 / 3600 * (0.05056 + 2 * 0.00553))
    assert dollars["deployments"] == pytest.approx(730 * (3 * (0.02528 + 0.00553) + 0.42))
    assert dollars["documents_written"] == pytest.approx(0.188)  # 40,000
    assert dollars["documents_kept"] == pytest.approx(4.2)  # 2 GB, 84 times
    assert dollars["mails"] == pytest.approx(1.0)  # 10,000
    assert dollars["mail_attachments"] == pytest.approx(0.6)  # 5 GB
    assert MODEL.dollars(50_000)["deployments"] == pytest.approx(4 * dollars["deployments"])


def test_old_months_of_the_event_log_are_pruned() -> None:
    event_gb = 5_000 * 10 * 1_621e6 / 946_693 / 1e9
    register_gb = 5_000 * 18_000 / 1e9
    assert MODEL.database_gb_a_month(5_000) == pytest.approx(event_gb + register_gb)
    assert MODEL.kept_database_gb(5_000) == pytest.approx(
        event_gb * (13 + 71 * 786 / 1_621) + register_gb * 84
    )


def test_the_page_has_a_place_for_each_table_and_keeps_its_text() -> None:
    page = Path("docs/scale.md").read_text(encoding="utf-8")
    written = with_tables(page, tables(MODEL))
    assert "| ledger lines of the month | 500 |" in written
    assert with_tables(written, tables(MODEL)) == written
    with pytest.raises(
        ValueError, match="no place for the table: <!-- tenant --> <!-- /tenant -->"
    ):
        with_tables("# Scale\n", tables(MODEL))


def test_too_much_is_bold() -> None:
    [partitions] = [
        line for line in tables(MODEL)["limits"].splitlines() if "asset, 6 months" in line
    ]
    assert "| 100,000 | 30,000 | **300,000** | **3,000,000** | 16,666 |" in partitions


def test_the_command_prints_tables_and_writes_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    month, written = tmp_path / "month.json", tmp_path / "growth.json"
    month.write_text(json.dumps(FIGURES), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["growth", str(month), "--json", str(written)])
    growth.main()
    assert "| minutes on 2 cores | 4.2 | 42 | 417 |" in capsys.readouterr().out
    assert json.loads(written.read_text(encoding="utf-8")) == figures(MODEL)


def test_figures_of_something_else_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    month = tmp_path / "peers.json"
    month.write_text('{"tenants": 100}', encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["growth", str(month)])
    with pytest.raises(SystemExit):
        growth.main()
    assert "no tenants_per_run among the figures" in capsys.readouterr().err
