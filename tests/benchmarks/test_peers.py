"""What stands between a peer's task and the stages, without any peer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.month import sample_month
from benchmarks.peers.__main__ import own_cost, ratios_to_ours
from benchmarks.peers.client import take_through, take_through_alone
from benchmarks.peers.installation import PeerUnavailableError, run, service, wait_until
from benchmarks.peers.tenant_workers import tenant_workers
from benchmarks.processes import command_line, tree


def test_a_task_has_its_tenant_taken_through_all_stages() -> None:
    with sample_month(tenants=2, lines=200) as sample:
        settings = sample.settings("tasks")
        with tenant_workers(settings, sample.month, processes=1) as workers:
            take_through(workers.address, "t0002")
            with pytest.raises(RuntimeError, match="t0404"):
                take_through(workers.address, "t0404")
        mails = (settings.home / "outbox").rglob("*.eml")
        assert {mail.name.partition("_")[0] for mail in mails} == {"t0002"}


def test_a_task_takes_its_tenant_through_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with sample_month(tenants=2, lines=200) as sample:
        settings = sample.settings("alone")
        monkeypatch.setenv("REPORTS_HOME", str(settings.home))
        monkeypatch.setenv("REPORTS_DATABASE_URL", str(settings.database_url))
        program = [sys.executable, "-m", "benchmarks.peers.tenant_alone", str(sample.month)]
        take_through_alone(program, "t0002")
        with pytest.raises(subprocess.CalledProcessError):
            take_through_alone(program, "t0404")
        mails = (settings.home / "outbox").rglob("*.eml")
        assert {mail.name.partition("_")[0] for mail in mails} == {"t0002"}


def test_a_program_that_fails_says_why() -> None:
    program = "import sys; sys.exit('ERROR: No matching distribution found\\nWARNING: old pip')"
    with pytest.raises(PeerUnavailableError, match=r"No matching distribution found$"):
        run([sys.executable, "-c", program], os.environ)


def test_a_service_ends_with_all_it_started(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "time.sleep(600)"
    )
    log = tmp_path / "service.log"
    with service([sys.executable, "-c", program], os.environ, log) as process:
        wait_until(lambda: len(tree(process.pid)) == 2, "it has a child", process, log)
        [_, child] = tree(process.pid)
    assert process.poll() is not None
    while "sleep" in command_line(child):  # killed, and about to end
        time.sleep(0.05)


def test_a_service_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    program = "import sys; sys.exit('the port is taken')"
    with (
        service([sys.executable, "-c", program], os.environ, log) as process,
        pytest.raises(PeerUnavailableError, match="the port is taken"),
    ):
        wait_until(lambda: False, "it answers", process, log)


def test_ratios_are_of_what_is_left_without_the_bare_work() -> None:
    costs = {
        "ours": own_cost(0.050, [0.029, 0.031]),
        "airflow": own_cost(1.040, [0.030, 0.050]),
    }
    assert ratios_to_ours(costs, "over_ours") == {
        "airflow_over_ours": 50.0,
        "airflow_over_ours_at_least": 47.14,  # 0.990 / 0.021
    }


@pytest.mark.parametrize("wall", [0.034, 0.029], ids=["within the noise", "negative"])
def test_a_cost_that_noise_may_have_made_has_no_ratio(wall: float) -> None:
    costs = {"ours": own_cost(wall, [0.025, 0.035]), "prefect": own_cost(0.100, [0.030, 0.030])}
    ratios = ratios_to_ours(costs, "over_ours")
    assert "prefect_over_ours" not in ratios
    assert "noise" in str(ratios["prefect_over_ours_unclear"])


def test_a_ratio_is_never_less_than_nothing() -> None:
    costs = {"ours": own_cost(0.040, [0.030]), "prefect": own_cost(0.031, [0.028, 0.034])}
    assert ratios_to_ours(costs, "over_ours")["prefect_over_ours_at_least"] == 0
