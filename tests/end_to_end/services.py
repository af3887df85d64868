"""Dagster's services as processes of their own, as a service manager runs them; any may be killed,
and what the manager keeps is started again at once."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml  # type: ignore[import-untyped]

from reports_pipeline.local import DEFINITIONS
from tests.end_to_end.system import free_port

Victim = Literal["run worker", "run server", "code server", "daemon"]

# What an operator waits minutes for.
_SOONER = {"poll_interval_seconds": 2, "start_timeout_seconds": 25}


class Services:
    """A code server, and the daemon with the run server that it starts, and that one's workers."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        """`folder` is for the instance and the logs; `variables` are those of Dagster's programs,
        whose instance is replaced by one with shorter intervals."""
        folder.mkdir()
        (folder / "dagster.yaml").write_text(_instance_settings())
        self.instance_folder = folder
        port = free_port()
        workspace = folder / "workspace.yaml"
        server = {"host": "127.0.0.1", "port": port, "location_name": DEFINITIONS}
        workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        variables = {
            **variables,
            "DAGSTER_HOME": str(folder),
            "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1",
        }
        self._code_server = _Service(
            [
                "dagster", "api", "grpc", "--host", "127.0.0.1", "--port", str(port),
                "-m", DEFINITIONS, "--use-python-environment-entry-point",
            ],
            variables,
            folder / "code_server.log",
        )  # fmt: skip
        self._daemon = _Service(
            ["dagster._daemon", "run", "-w", str(workspace)], variables, folder / "daemon.log"
        )

    def kill(self, victim: Victim, dice: random.Random) -> int | None:
        """Kill one of them, of several run workers or servers any; returns its process id, or None
        if there is none."""
        if victim == "daemon":
            return self._daemon.kill()
        if victim == "code server":
            return self._code_server.kill()
        processes = self.workers() if victim == "run worker" else self._daemon.named("run_server")
        dice.shuffle(processes)
        for process in processes:
            with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                os.kill(process, signal.SIGKILL)
                return process
        return None

    def workers(self) -> list[int]:
        """The process ids of those that execute runs, also where those that started them were
        killed."""
        return self._daemon.named("run_worker")

    def end(self) -> None:
        self._daemon.end()
        self._code_server.end()


@contextmanager
def running_services(folder: Path, variables: Mapping[str, str]) -> Iterator[Services]:
    """The services, while the context lasts; then none of their processes is left."""
    services = Services(folder, variables)
    try:
        yield services
    finally:
        services.end()


class _Service:
    def __init__(self, command: list[str], variables: Mapping[str, str], log: Path) -> None:
        self._command = command
        self._variables = variables
        self._log = log
        self._started: list[subprocess.Popen[bytes]] = []
        self._start()

    def _start(self) -> None:
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *self._command],
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # by which its children are found when it is no more
            )
        self._started.append(process)

    def kill(self) -> int:
        process = self._started[-1]
        assert process.poll() is None, f"{self._command} ended by itself: {self._log.read_text()}"
        process.kill()
        # Waited for and not reaped: as long as that is not done, nobody else gets its id.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self._start()
        return process.pid

    def named(self, name: str) -> list[int]:
        """The process ids of those that the service started, or a killed one, by what they call
        themselves."""
        sessions = {process.pid for process in self._started}
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                _, process_name, rest = re.split(r" \((.*)\) ", (process / "stat").read_text())
                state, _, _, session, *_ = rest.split()
                if process_name == name and int(session) in sessions and state != "Z":
                    found.append(int(process.name))
        return sorted(found)

    def end(self) -> None:
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(is_so: Callable[[], bool], what: str, seconds: float) -> None:
    """Return when it is so.

    Raises:
        TimeoutError: it is not; `what` says of what.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)


def _instance_settings() -> str:
    settings = yaml.safe_load(files("reports_pipeline").joinpath("local_dagster.yaml").read_bytes())
    settings["run_monitoring"] |= _SOONER
    text: str = yaml.safe_dump(settings)
    return text
