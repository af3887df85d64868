"""Dagster's instance and its services on one machine: what they are told, and how they end."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports_pipeline.environments import LocalEnvironment, Settings, current_environment
from reports_pipeline.local import dagster_instance, dagster_variables, run_command, running
from tests.reports_pipeline.aws_variables import ON_AWS


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> LocalEnvironment:
    return local_environment(tmp_path / "home", REPORTS_DATABASE_URL=database_url)


def local_environment(home: Path, **variables: str) -> LocalEnvironment:
    return LocalEnvironment(Settings.from_environment({"REPORTS_HOME": str(home), **variables}))


def test_dagsters_programs_find_instance_and_databases(
    environment: LocalEnvironment, database_url: str
) -> None:
    variables = dagster_variables(environment)
    home = environment.settings.home
    assert variables["REPORTS_HOME"] == str(home)
    assert variables["DAGSTER_HOME"] == str(home / "dagster")
    assert (home / "dagster" / "dagster.yaml").read_text().count("REPORTS_DAGSTER_URL") == 1
    assert variables["REPORTS_DATABASE_URL"] == database_url
    assert variables["REPORTS_DAGSTER_URL"] == database_url.replace(
        "postgresql://", "postgresql+psycopg2://"
    )
    # the variables are settings that the programs can use
    assert Settings.from_environment(variables).home == home


def test_dagsters_own_database_may_be_another(database_url: str, tmp_path: Path) -> None:
    environment = LocalEnvironment(
        Settings.from_environment(
            {
                "REPORTS_HOME": str(tmp_path),
                "REPORTS_DATABASE_URL": database_url,
                "REPORTS_DAGSTER_URL": "postgresql://elsewhere/dagster",
            }
        )
    )
    variables = dagster_variables(environment)
    assert variables["REPORTS_DAGSTER_URL"] == "postgresql+psycopg2://elsewhere/dagster"
    assert variables["REPORTS_DATABASE_URL"] == database_url


def test_elsewhere_the_instance_is_the_one_that_dagster_is_told_of(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    environment = current_environment(ON_AWS | {"REPORTS_DATABASE_URL": database_url})
    with dagster_instance(environment) as instance:
        assert instance.root_directory == str(tmp_path)


def test_a_command_runs_with_these_variables_and_its_exit_code_is_returned(
    environment: LocalEnvironment, tmp_path: Path, restored_signals: None
) -> None:
    written = tmp_path / "written"
    program = (
        "import os, pathlib, sys;"
        f"pathlib.Path({str(written)!r}).write_text(os.environ['DAGSTER_HOME']); sys.exit(7)"
    )
    assert run_command(environment, [sys.executable, "-c", program]) == 7
    assert written.read_text() == str(environment.settings.home / "dagster")


def test_a_request_to_end_is_passed_on_and_the_command_is_awaited(
    environment: LocalEnvironment, tmp_path: Path, restored_signals: None
) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    program = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        f"    pathlib.Path({str(ended)!r}).touch(); sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "time.sleep(30)\n"
    )

    def end_when_started() -> None:
        wait_for(started)
        os.kill(os.getpid(), signal.SIGTERM)

    killer = threading.Thread(target=end_when_started)
    killer.start()
    assert run_command(environment, [sys.executable, "-c", program]) == 3
    killer.join()
    assert ended.exists()


def test_a_service_runs_as_long_as_its_context(
    environment: LocalEnvironment, service: str, tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "service.log"
    with running(environment, service, "run", log=log) as process:
        wait_for(log, "serving")
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM
    assert log.read_text() == "run serving ['-m', 'reports_pipeline.definitions']\n"


def test_what_a_service_leaves_behind_ends_too(
    environment: LocalEnvironment, service: str, tmp_path: Path
) -> None:
    """Dagster's daemon starts a code server, which must not outlive the database."""
    log, lock = tmp_path / "service.log", tmp_path / "held"
    with lock.open("a") as file:
        with running(environment, service, str(lock), log=log):
            wait_for(log, "child serving")
            with pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_service_ends_even_when_the_work_beside_it_fails(
    environment: LocalEnvironment, service: str, tmp_path: Path
) -> None:
    log = tmp_path / "service.log"
    started: list[subprocess.Popen[bytes]] = []

    def work() -> None:
        with running(environment, service, log=log) as process:
            started.append(process)
            wait_for(log, "serving")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert [process.returncode for process in started] == [-signal.SIGTERM]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that serves until it is told to end; given a file, so does a child of it, which
    holds a lock on the file."""
    (tmp_path / "endless.py").write_text(
        """
import fcntl, subprocess, sys, time
name, *arguments = sys.argv[1:]
if name.startswith("/"):
    subprocess.Popen([sys.executable, "-m", "endless", "child", name])
if name == "child":
    file = open(arguments[0], "a")
    fcntl.flock(file, fcntl.LOCK_EX)
print(name, "serving", arguments, flush=True)
time.sleep(30)
"""
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "endless"


@pytest.fixture
def restored_signals() -> Iterator[None]:
    """`run_command` is the last thing a process does, so it leaves its handlers behind."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def wait_for(path: Path, text: str = "") -> None:
    deadline = time.monotonic() + 20
    while not (path.exists() and text in path.read_text()):
        if time.monotonic() > deadline:
            raise TimeoutError(str(path))
        time.sleep(0.02)
