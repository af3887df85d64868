"""A process of its own for work that may take too long, take too much memory or crash.

Python cannot stop a function, and a crash in a C library ends everything around it. So what is made
of one tenant's data, once it may be large or odd, is made in a worker: a second process, which is
started once for a run and handed one tenant at a time. What it cannot finish within the budget ends
with it, and another worker serves the next tenant.

It is a new program and no fork, since the run has threads and connections. Its end of a socket is
all that it shares with the run: if the run dies, in whatever way, the worker ends at once, or by
its alarm if it is busy.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import ParamSpec, TypeVar

from resources.budgets import Budget, BudgetExceededError

_P = ParamSpec("_P")
_T = TypeVar("_T")

_PROGRAM = "resources.worker_process"
_SECONDS_TO_START = 120
_SECONDS_TO_END = 10
_SECONDS_BETWEEN_LOOKS = 0.05
_STATM = Path("/proc/self/statm")  # of Linux
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MEGABYTE = 2**20


class WorkerEndedError(RuntimeError):
    """The worker ended by itself, or was ended by somebody else; the message says how."""


class Worker:
    """Calls functions in another process, one after the other.

    The process is started when it is first needed. It imports `modules` before it is given any
    work, so that no tenant's budget pays for that. It lives until `close`, or as long as this
    object or this process.
    """

    def __init__(self, budget: Budget, *, modules: Sequence[str]) -> None:
        self._budget = budget
        self._modules = modules
        self._end: Callable[[], object] | None = None  # of the process that there is, if any

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What the function returns. It has to be one of a module; it, the arguments and the
        result are pickled.

        A worker that ends by itself, or that has too much memory, which tenants before this one
        may have left behind, is replaced, and the function is called a second time.

        Raises:
            BudgetExceededError: it took too many seconds, or twice too many megabytes.
            WorkerEndedError: the process ended twice, or could not be started.
            Exception: whatever the function raises, with the traceback there as a note.
        """
        request = pickle.dumps((function, args, kwargs), protocol=5)
        try:
            answer = self._answer(request)
        except WorkerEndedError:
            answer = self._answer(request)
        except BudgetExceededError as error:
            if error.what == "seconds":
                raise
            answer = self._answer(request)
        is_result, outcome = pickle.loads(answer)  # noqa: S301 - of our own process
        if not is_result:
            raise outcome
        result: _T = outcome
        return result

    def close(self) -> None:
        """End the process, if there is one; the next call starts another."""
        if self._end is not None:
            self._end()
            self._end = None

    def _answer(self, request: bytes) -> bytes:
        if self._end is None:
            self._start()
        process, connection = self._process, self._connection
        try:
            connection.send_bytes(request)
            self._wait(process.pid, connection)
            return connection.recv_bytes()
        except (EOFError, OSError):
            raise WorkerEndedError(self._obituary()) from None
        except BaseException:
            # Nobody must take what it may still answer for the answer to the next request.
            self.close()
            raise

    def _start(self) -> None:
        ours, theirs = Pipe()
        with theirs:
            process = subprocess.Popen(
                # -P, and the path of this process: the modules that it would import itself
                [
                    *(sys.executable, "-P", "-m", _PROGRAM),
                    *(str(theirs.fileno()), str(self._budget.seconds)),
                    *self._modules,
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._process, self._connection = process, ours
        self._end = weakref.finalize(self, _end, process, ours)
        try:
            if not ours.poll(_SECONDS_TO_START):
                self.close()
                raise WorkerEndedError(
                    f"the worker did not start within {_SECONDS_TO_START} seconds"
                )
            ours.recv_bytes()
        except (EOFError, OSError):
            raise WorkerEndedError(self._obituary()) from None
        except BaseException:
            self.close()
            raise

    def _wait(self, pid: int, connection: Connection) -> None:
        """Until there is an answer, or nobody to give one.

        Raises:
            BudgetExceededError: too much time or memory is used.
        """
        budget = self._budget
        deadline = time.monotonic() + budget.seconds
        while not connection.poll(_SECONDS_BETWEEN_LOOKS):
            if time.monotonic() >= deadline:
                raise BudgetExceededError("seconds", budget.seconds)
            if _resident_bytes(pid) > budget.megabytes * _MEGABYTE:
                raise BudgetExceededError("megabytes", budget.megabytes)

    def _obituary(self) -> str:
        # Its end of the socket is closed a moment before it has ended.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS_TO_END)
        self.close()
        code = self._process.returncode
        if code < 0:
            return f"the worker was ended by {signal.Signals(-code).name}"
        return f"the worker ended with exit code {code}"


def _end(process: subprocess.Popen[bytes], connection: Connection) -> int:
    connection.close()
    process.kill()  # nothing, if it has ended already
    return process.wait()


def _resident_bytes(pid: int) -> int:
    """What the process holds of memory; 0 if it has ended."""
    try:
        if _STATM.exists():
            return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE_BYTES
        ps = ["ps", "-o", "rss=", "-p", str(pid)]  # macOS
        return int(subprocess.run(ps, capture_output=True, check=False).stdout) * 1024
    except (ValueError, FileNotFoundError, ProcessLookupError):
        return 0
