"""Runs on one machine, each a fork of a process that has imported what runs need.

Dagster's own launcher starts each run as a new program from the code server, which imports
everything anew and hands every event back to the code server. This one asks a process of its own
(reports_pipeline.run_server) to fork (docs/decisions/0017-forking-run-launcher.md). Nothing in a
run depends on who launched it: the daemon, the code server and the web server come and go.

`run_launcher` in local_dagster.yaml names `ForkingRunLauncher`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster import _check as check
from dagster._config.config_schema import UserConfigSchema
from dagster._core.launcher import (
    CheckRunHealthResult,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value

from reports_pipeline.run_server import PROGRAM, STARTED
from reports_pipeline.run_worker_files import RunWorkerFile

_SECONDS_TO_START = 120
_SECONDS_TO_ANSWER = 60
_ATTEMPTS = 3
# macOS aborts forks of programs that have used some of its frameworks.
_FORKS_ARE_SAFE = sys.platform == "linux"


class RunServerEndedError(RuntimeError):
    """The server that starts runs could not be started, or ended while it was asked."""


class ForkingRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Starts runs on this machine, and knows of each whether its process lives."""

    def __init__(
        self, preload: Sequence[str] = (), inst_data: ConfigurableClassData | None = None
    ) -> None:
        """`preload`: modules to import before any run; they must start no thread and open no
        connection."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._inst_data = inst_data
        self._preload = preload if _FORKS_ARE_SAFE else ()
        self._server: _RunServer | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"preload": dg.Field([str], default_value=[])}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        return cls(config_value["preload"], inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Let the server start the run's process; one that has ended, or whose code was changed
        since it began, is replaced.

        Raises:
            RunServerEndedError: a server could not be started, or several ended in turn.
        """
        arguments = ExecuteRunArgs(
            job_origin=check.not_none(context.job_code_origin),
            run_id=context.dagster_run.run_id,
            instance_ref=self._instance.get_ref(),
        )
        request = serialize_value(arguments).encode()
        with self._one_at_a_time:
            for _ in range(_ATTEMPTS):
                if self._server is None:
                    self._server = _RunServer(self._folder, self._preload)
                if self._server.starts(request):
                    return
                self._end_server()
        raise RunServerEndedError(f"{_ATTEMPTS} servers of runs ended before they started this one")

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run, as SIGTERM interrupts an ECS task; False if it has no process here."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        process_id = self._file(run_id).process_id()
        if process_id is None:
            self._instance.report_engine_event(
                "The run has no process on this machine any more.", run, cls=type(self)
            )
            return False
        try:
            os.kill(process_id, signal.SIGTERM)
        except ProcessLookupError:  # it ended meanwhile
            return False
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        if self._file(run.run_id).is_held():
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "The run's process has ended.")

    def dispose(self) -> None:
        """Ask for no more runs; those that there are go on."""
        with self._one_at_a_time:
            self._end_server()

    def _end_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def _folder(self) -> Path:
        return Path(self._instance.root_directory, "run_workers")

    def _file(self, run_id: str) -> RunWorkerFile:
        return RunWorkerFile(self._folder, run_id)


class _RunServer:
    """The program that forks, as long as this process holds its end of a socket."""

    def __init__(self, folder: Path, preload: Sequence[str]) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                # -P, and the path of this process: the modules that it would import itself
                [
                    *(sys.executable, "-P", "-m", PROGRAM),
                    *(str(theirs.fileno()), str(folder), *preload),
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        try:
            if not self._connection.poll(_SECONDS_TO_START):
                raise RunServerEndedError(
                    f"the server of runs did not start within {_SECONDS_TO_START} seconds"
                )
            self._connection.recv_bytes()
        except (EOFError, OSError):
            self._connection.close()
            raise RunServerEndedError(
                f"the server of runs ended with exit code {self._process.wait()}"
            ) from None
        except BaseException:
            self.close()
            raise

    def starts(self, request: bytes) -> bool:
        """Whether it has started the run; else it has ended, or shall be replaced."""
        try:
            self._connection.send_bytes(request)
            return (
                self._connection.poll(_SECONDS_TO_ANSWER)
                and self._connection.recv_bytes() == STARTED
            )
        except (EOFError, OSError):
            return False

    def close(self) -> None:
        """Let it end when its runs have."""
        self._connection.close()
        # Nobody waits for runs, but somebody has to for a process.
        threading.Thread(target=self._process.wait, daemon=True).start()
