"""The program that `reports_pipeline.forking_launcher` starts: it forks a process for each run.

`python -m reports_pipeline.run_server SOCKET FOLDER MODULE…`

What runs need is imported once, and a fork has it for nothing. So that a fork is safe, the modules
start no thread and open no connection, and nothing else happens here. Without modules, as where
forks cannot be trusted, a fork does nothing but become a program of its own:
`python -m reports_pipeline.run_server execute RUN`.

Whoever asks for runs may end, or be killed: the server stays until the processes that it forked
have ended, and they stay if the server is killed. Of a process that crashed it fails the run.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

# The body of `dagster api execute_run`, which ECS runs; the command itself keeps all events.
from dagster._cli.api import _execute_run_command_body
from dagster._cli.utils import get_instance_for_cli
from dagster._core.storage.dagster_run import DagsterRunStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import deserialize_value
from dagster._utils import get_run_crash_explanation
from dagster._utils.interrupts import capture_interrupts

from reports_pipeline.run_worker_files import RunWorkerFile, remove_old_files, write_process_id

PROGRAM = "reports_pipeline.run_server"
# What the server answers: the run has a process, or code of the server's was changed since.
STARTED, STALE = b"started", b"stale"

_SECONDS_BETWEEN_LOOKS = 0.2
# Else numpy's and pyarrow's libraries start threads where they are loaded.
_NO_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
_COMM = Path("/proc/self/comm")  # of Linux: the name that ps and top show
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def main() -> None:
    if (work := _WORK.get(sys.argv[1])) is not None:
        work(*sys.argv[2:])
        return
    connection, folder, modules = Connection(int(sys.argv[1])), Path(sys.argv[2]), sys.argv[3:]
    _show_as("run_server")
    # Of a terminal it is for whoever asks, and for the runs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    remove_old_files(folder)
    preload(modules)
    fork = _RunServer(connection, folder).serve()
    if fork is None:
        return
    if modules:
        _WORK[fork.work](*fork.arguments)
    else:
        program = [sys.executable, "-P", "-m", PROGRAM, fork.work, *fork.arguments]
        os.set_inheritable(fork.lock, True)
        os.execv(sys.executable, program)  # noqa: S606 - of our own


def preload(modules: Sequence[str]) -> None:
    """Import what runs need. What cannot be imported is theirs to report."""
    os.environ.update(_NO_THREADS)
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:
            traceback.print_exc()
    gc.collect()
    gc.freeze()  # what was imported stays; left alone, its memory is shared with the forks


@dataclass(frozen=True)
class _Fork:
    """A process for one run."""

    work: str  # a key of _WORK
    arguments: Sequence[str]  # of that function, the serialized ExecuteRunArgs first
    lock: int  # of the run's file; both processes have it


class _RunServer:
    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._code = {path: _modified(path) for path in _editable_files()}
        self._forks: dict[int, _Fork] = {}  # by process id

    def serve(self) -> _Fork | None:
        """Start runs as long as somebody asks for them, and see to those that end. Returns None
        then, and in a process that it forked what this one has to do."""
        self._answer(b"")  # ready
        while self._forks or not self._connection.closed:
            if (run := self._next_request()) is not None:
                try:
                    fork = _Fork("execute", [run], self._file(run).lock())
                except BlockingIOError:
                    pass  # started by a server that died before it said so
                else:
                    if self._is_in(fork):
                        return fork
                self._answer(STARTED)
            for ended, exit_code in self._ended():
                run = ended.arguments[0]
                if exit_code == 0 or ended.work == "report":
                    self._file(run).remove()
                    os.close(ended.lock)
                    continue
                fork = _Fork("report", [run, str(exit_code)], ended.lock)
                if self._is_in(fork):
                    return fork
        return None

    def _next_request(self) -> str | None:
        """Which run to start; None if nobody has asked for one for a moment."""
        if self._connection.closed:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            return None
        try:
            if not self._connection.poll(_SECONDS_BETWEEN_LOOKS):
                return None
            run = self._connection.recv_bytes().decode()
        except (EOFError, OSError):
            self._connection.close()
            return None
        if any(_modified(path) != before for path, before in self._code.items()):
            self._answer(STALE)
            return None
        return run

    def _answer(self, answer: bytes) -> None:
        try:
            self._connection.send_bytes(answer)
        except OSError:
            self._connection.close()

    def _is_in(self, fork: _Fork) -> bool:
        """Make this fork: True there, and False in the server, which knows it from then on."""
        sys.stdout.flush()
        sys.stderr.flush()
        process_id = os.fork()
        if process_id:
            write_process_id(fork.lock, process_id if fork.work == "execute" else None)
            self._forks[process_id] = fork
            return False
        self._connection.close()
        for other in self._forks.values():
            os.close(other.lock)
        return True

    def _ended(self) -> Iterator[tuple[_Fork, int]]:
        """The forks that have ended, with their exit codes; below 0 is a signal's number."""
        for process_id in list(self._forks):
            ended, status = os.waitpid(process_id, os.WNOHANG)
            if ended:
                yield self._forks.pop(process_id), os.waitstatus_to_exitcode(status)

    def _file(self, run: str) -> RunWorkerFile:
        return RunWorkerFile(self._folder, _parsed(run).run_id)


def _execute(run: str) -> None:
    """What `dagster api execute_run` does."""
    _show_as("run_worker")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    args = _parsed(run)
    with capture_interrupts(), get_instance_for_cli(instance_ref=args.instance_ref) as instance:
        _execute_run_command_body(
            args.run_id, instance, lambda _: None, set_exit_code_on_failure=False
        )


def _report_crash(run: str, exit_code: str) -> None:
    """End a run whose process could not."""
    args = _parsed(run)
    with get_instance_for_cli(instance_ref=args.instance_ref) as instance:
        crashed = instance.get_run_by_id(args.run_id)
        if crashed is None or crashed.is_finished:
            return
        message = get_run_crash_explanation(f"The process of run {args.run_id}", int(exit_code))
        if crashed.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(crashed, message)
        else:
            instance.report_run_failed(crashed, message)


_WORK: Mapping[str, Callable[..., None]] = {"execute": _execute, "report": _report_crash}


def _parsed(run: str) -> ExecuteRunArgs:
    return deserialize_value(run, ExecuteRunArgs)


def _editable_files() -> Iterator[str]:
    """Of the modules that were imported, but for those that were installed."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if path and not path.startswith(_INSTALLED):
            yield path


def _modified(path: str) -> int | None:
    """When a file was changed, in nanoseconds; None if it is gone."""
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return None


def _show_as(name: str) -> None:
    if _COMM.exists():
        _COMM.write_text(name)


if __name__ == "__main__":
    main()
