"""Dagster's instance and, on one machine, its services."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import dagster as dg

from reports_pipeline.environments import Environment, LocalEnvironment
from resources.database import create_database
from resources.new_file import make_folder

_SECONDS_TO_END = 20
DEFINITIONS = "reports_pipeline.definitions"


def dagster_variables(environment: LocalEnvironment) -> dict[str, str]:
    """Environment variables with which Dagster's programs find the instance and the databases.

    Makes the instance's folder, and its database if the server is ours.
    """
    settings = environment.settings
    home = settings.home / "dagster"
    make_folder(home)
    instance = files(__package__).joinpath("local_dagster.yaml").read_bytes()
    (home / "dagster.yaml").write_bytes(instance)
    url = settings.dagster_url or settings.database_url
    if url is None:
        url = create_database(environment.server_url, "dagster")
    return {
        # Dagster's programs of this installation, also where it is not activated
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "DAGSTER_HOME": str(home),
        "REPORTS_HOME": str(settings.home),
        "REPORTS_DATABASE_URL": environment.database_url,
        "REPORTS_DAGSTER_URL": _for_sqlalchemy(url),
        "REPORTS_CONCURRENT_RUNS": str(settings.concurrent_runs),
        # Materializations of a batch of tenants are written as one statement.
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
    }


@contextlib.contextmanager
def dagster_instance(environment: Environment) -> Iterator[dg.DagsterInstance]:
    """The instance that Dagster's programs use: on one machine ours, and this process has their
    variables from then on; elsewhere that of DAGSTER_HOME."""
    if isinstance(environment, LocalEnvironment):
        os.environ.update(dagster_variables(environment))
    with dg.DagsterInstance.get() as instance:
        yield instance


def _for_sqlalchemy(url: str) -> str:
    # Names the driver: SQLAlchemy's choice for a bare postgresql:// changes with its version.
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def run_command(environment: LocalEnvironment, command: Sequence[str]) -> int:
    """Run a program, for example `dagster`, in this environment; returns its exit code.

    A request to end (SIGTERM, Ctrl-C) is the program's to obey, so that it can end its own
    children; this process waits for it.
    """
    # A shell's background jobs ignore SIGINT, children inherit that, and Dagster's services end
    # by a SIGINT to themselves.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, env=os.environ | dagster_variables(environment)) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the terminal interrupted both
                return process.wait()


@contextlib.contextmanager
def running(
    environment: LocalEnvironment, *arguments: str, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """One of Dagster's services (`python -m …`) while the context lasts, logging to a file."""
    variables = os.environ | dagster_variables(environment)
    make_folder(log.parent)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments, "-m", DEFINITIONS],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_SECONDS_TO_END)
            _end_group(process)


def _end_group(leader: subprocess.Popen[bytes]) -> None:
    """End what a service left behind: its code server, while the database still answers it."""
    deadline = time.monotonic() + _SECONDS_TO_END
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            leader.poll()  # a zombie would keep its group alive
            os.killpg(leader.pid, signal.SIGTERM)
            time.sleep(0.1)
        # Not until all are gone: in a container, nobody may wait for an orphan that has ended.
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()
