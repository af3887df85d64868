"""Runs outlive whoever launched them, end when they are told to, and are missed when they die."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pytest
import yaml  # type: ignore[import-untyped]
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster._core.origin import JobPythonOrigin
from dagster._core.workspace.context import BaseWorkspaceRequestContext
from dagster._daemon.monitoring.run_monitoring import monitor_started_run
from dagster._serdes import serialize_value

from reports_pipeline.forking_launcher import ForkingRunLauncher
from resources.database import create_database
from tests.reports_pipeline.launched_job import launched_job

# A run asks nothing of it.
NO_WORKSPACE = cast("BaseWorkspaceRequestContext", None)
SETTINGS = yaml.safe_load(files("reports_pipeline").joinpath("local_dagster.yaml").read_bytes())
Run = Callable[..., dg.DagsterRun]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For modules that a test writes."""
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="module")
def instance(
    postgres_server: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.DagsterInstance]:
    """With its launcher, as on a machine of ours but for the modules that are imported first."""
    url = create_database(postgres_server, "launched")
    (folder / "flour.py").write_text("number = 1")
    launcher = SETTINGS["run_launcher"] | {
        "config": {"preload": ["reports_pipeline.dagster_storage", "flour"]}
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Dagster leaves out the first one, where it expects a script.
        monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
        monkeypatch.setenv("REPORTS_DAGSTER_URL", url.replace("://", "+psycopg2://", 1))
        instance_folder = tmp_path_factory.mktemp("instance")
        settings = {
            "telemetry": {"enabled": False},
            "storage": SETTINGS["storage"],
            "run_launcher": launcher,
        }
        (instance_folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
        with dg.DagsterInstance.from_config(str(instance_folder)) as instance:
            yield instance


@pytest.fixture
def launcher(instance: dg.DagsterInstance) -> ForkingRunLauncher:
    assert isinstance(instance.run_launcher, ForkingRunLauncher)
    return instance.run_launcher


@pytest.fixture
def new_run(instance: dg.DagsterInstance, tmp_path: Path) -> Run:
    """Makes a run whose op is handed the arguments."""

    def make(*, origin: JobPythonOrigin | None = None, **config: object) -> dg.DagsterRun:
        given = {"folder": str(tmp_path), **config}
        return instance.create_run_for_job(
            launched_job,
            run_config={"ops": {"work": {"config": given}}},
            job_code_origin=origin or dg.reconstructable(launched_job).get_python_origin(),
        )

    return make


@pytest.fixture
def launch(instance: dg.DagsterInstance, new_run: Run) -> Run:
    """Launches a run whose op is handed the arguments."""

    def launched(**given: Any) -> dg.DagsterRun:
        return instance.launch_run(new_run(**given).run_id, NO_WORKSPACE)

    return launched


def found(folder: Path) -> Mapping[str, Any]:
    """What the op of the run with this folder found."""
    wait_until((folder / "found").exists, "the op to begin")
    read: Mapping[str, Any] = json.loads((folder / "found").read_text())
    return read


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    current = instance.get_run_by_id(run.run_id)
    assert current is not None
    return current.status


def wait_for_end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    def has_ended() -> bool:
        current = instance.get_run_by_id(run.run_id)
        return current is not None and current.is_finished

    wait_until(has_ended, "the run to end")
    return status(instance, run)


def messages(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    return "\n".join(map(serialize_value, instance.all_logs(run.run_id)))


def is_alive(process_id: int) -> bool:
    """Whether there is such a process, and be it one that nobody has waited for."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_run_is_a_fork_of_the_server(
    instance: dg.DagsterInstance, launcher: ForkingRunLauncher, launch: Run, tmp_path: Path
) -> None:
    run = launch(waits=True)
    process = found(tmp_path)
    assert process["parent"] not in (os.getpid(), 1)
    assert process["standard_input"] == os.devnull
    if sys.platform == "linux":
        assert command_line(process["process_id"]) == command_line(process["parent"])
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    (tmp_path / "go_on").touch()
    assert wait_for_end(instance, run) is dg.DagsterRunStatus.SUCCESS
    wait_until(lambda: not is_alive(process["process_id"]), "its process to end")
    wait_until(lambda: not any(Path(instance.root_directory, "run_workers").iterdir()), "no file")


def command_line(process_id: int) -> bytes:
    return Path(f"/proc/{process_id}/cmdline").read_bytes()


def test_runs_are_beside_each_other(
    instance: dg.DagsterInstance, launch: Run, tmp_path: Path
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    runs = [launch(folder=str(folder), waits=True) for folder in folders]
    processes = [found(folder) for folder in folders]
    assert processes[0]["process_id"] != processes[1]["process_id"]
    assert processes[0]["parent"] == processes[1]["parent"]
    for folder in folders:
        (folder / "go_on").touch()
    assert {wait_for_end(instance, run) for run in runs} == {dg.DagsterRunStatus.SUCCESS}


def test_a_run_whose_process_is_killed_fails_and_says_how(
    instance: dg.DagsterInstance, launch: Run, tmp_path: Path
) -> None:
    run = launch(waits=True)
    os.kill(found(tmp_path)["process_id"], signal.SIGKILL)
    assert wait_for_end(instance, run) is dg.DagsterRunStatus.FAILURE
    assert "SIGKILL" in messages(instance, run)


def test_monitoring_misses_a_run_that_was_killed_with_its_server(
    instance: dg.DagsterInstance, launcher: ForkingRunLauncher, launch: Run, tmp_path: Path
) -> None:
    """A program that the run started lives on, and must not pass for the run."""
    run = launch(waits=True, starts_program=True)
    process = found(tmp_path)
    os.kill(process["parent"], signal.SIGKILL)
    monitor(instance, run)
    assert status(instance, run) is dg.DagsterRunStatus.STARTED
    os.kill(process["process_id"], signal.SIGKILL)
    wait_until(
        lambda: launcher.check_run_worker_health(run).status is WorkerStatus.NOT_FOUND, "its death"
    )
    monitor(instance, run)
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE
    assert "The run's process has ended" in messages(instance, run)
    os.kill(process["program"], signal.SIGKILL)


def monitor(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """What Dagster's daemon does every few seconds."""
    record = instance.get_run_record_by_id(run.run_id)
    assert record is not None
    monitor_started_run(instance, NO_WORKSPACE, record, logging.getLogger(__name__))


def test_a_run_that_is_terminated_is_canceled(
    instance: dg.DagsterInstance, launcher: ForkingRunLauncher, launch: Run, tmp_path: Path
) -> None:
    run = launch(waits=True)
    found(tmp_path)
    assert launcher.terminate(run.run_id)
    assert wait_for_end(instance, run) is dg.DagsterRunStatus.CANCELED
    assert not launcher.terminate(run.run_id)


def test_a_run_without_a_process_here_cannot_be_terminated(
    instance: dg.DagsterInstance, launcher: ForkingRunLauncher, new_run: Run
) -> None:
    run = new_run()
    assert not launcher.terminate(run.run_id)
    assert status(instance, run) is dg.DagsterRunStatus.CANCELING
    assert "no process on this machine" in messages(instance, run)


def test_a_run_goes_on_when_whoever_launched_it_is_killed(
    instance: dg.DagsterInstance, launcher: ForkingRunLauncher, new_run: Run, tmp_path: Path
) -> None:
    run = new_run(waits=True)
    program = f"""
import dagster as dg, time
with dg.DagsterInstance.from_config({instance.root_directory!r}) as instance:
    instance.launch_run({run.run_id!r}, None)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        server = found(tmp_path)["parent"]
        process.kill()
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    (tmp_path / "go_on").touch()
    assert wait_for_end(instance, run) is dg.DagsterRunStatus.SUCCESS
    wait_until(lambda: not is_alive(server) or is_zombie(server), "its server to end")


def is_zombie(process_id: int) -> bool:
    """In a container, nobody may wait for an orphan."""
    stat = Path(f"/proc/{process_id}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_code_that_does_not_load_fails_the_run_with_its_message(
    instance: dg.DagsterInstance, launch: Run, folder: Path
) -> None:
    (folder / "burnt.py").write_text("raise ValueError('the oven is off')")
    origin = dg.reconstructable(launched_job).get_python_origin()
    repository = origin.repository_origin._replace(code_pointer=ModuleCodePointer("burnt", "job"))
    run = launch(origin=origin._replace(repository_origin=repository))
    assert wait_for_end(instance, run) is dg.DagsterRunStatus.FAILURE
    assert "the oven is off" in messages(instance, run)


def test_a_run_has_code_that_was_edited_since_the_last_one(
    instance: dg.DagsterInstance, launch: Run, folder: Path, tmp_path: Path
) -> None:
    assert wait_for_end(instance, launch(module="flour")) is dg.DagsterRunStatus.SUCCESS
    before = found(tmp_path)
    (folder / "flour.py").write_text("number = 1 + 1")
    (tmp_path / "found").unlink()
    assert wait_for_end(instance, launch(module="flour")) is dg.DagsterRunStatus.SUCCESS
    assert (before["number"], found(tmp_path)["number"]) == (1, 2)


def test_a_server_that_cannot_be_started_fails_the_run(
    instance: dg.DagsterInstance,
    launcher: ForkingRunLauncher,
    new_run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launcher.dispose()
    monkeypatch.setattr(sys, "executable", "false")
    run = new_run()
    with pytest.raises(RuntimeError, match="the server of runs ended with exit code 1"):
        instance.launch_run(run.run_id, NO_WORKSPACE)
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE


def test_where_forks_are_not_safe_a_run_is_a_program_of_its_own(
    instance: dg.DagsterInstance, new_run: Run, tmp_path: Path
) -> None:
    launcher = ForkingRunLauncher()
    launcher.register_instance(instance)
    run = new_run(waits=True)
    launcher.launch_run(LaunchRunContext(run, None))
    process = found(tmp_path)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    if sys.platform == "linux":
        assert b"execute" in command_line(process["process_id"])
    os.kill(process["process_id"], signal.SIGKILL)
    assert wait_for_end(instance, run) is dg.DagsterRunStatus.FAILURE
    assert "SIGKILL" in messages(instance, run)
    launcher.dispose()


def test_a_machine_has_as_many_runs_as_its_setting_says(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTS_DAGSTER_URL", database_url.replace("://", "+psycopg2://", 1))
    monkeypatch.setenv("REPORTS_CONCURRENT_RUNS", "7")
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=SETTINGS) as instance:
        queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 7


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc; forks on Linux only")
def test_what_is_imported_first_starts_no_thread_and_connects_to_nothing() -> None:
    modules = SETTINGS["run_launcher"]["config"]["preload"]
    program = f"""
import os, sys
from reports_pipeline.run_server import preload
preload({modules!r})
assert set({modules!r}) <= set(sys.modules)
assert len(os.listdir("/proc/self/task")) == 1
opened = [os.path.realpath(f"/proc/self/fd/{{number}}") for number in range(3, 100)]
assert not [path for path in opened if "socket" in path], opened
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
