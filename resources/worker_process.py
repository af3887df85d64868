"""The program that `resources.worker` starts: it calls what it is handed, and answers.

`python -m resources.worker_process SOCKET SECONDS MODULE…`
"""

from __future__ import annotations

import gc
import importlib
import math
import pickle
import resource
import signal
import sys
import traceback
from multiprocessing.connection import Connection

# Of a tenant's budget. The run stops it long before; this is for a worker whose run is gone.
_PATIENCE = 2


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    seconds = math.ceil(_PATIENCE * float(sys.argv[2]))
    # Of a terminal it is for the run, which ends its worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # By default it ends the process, whatever code is running.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for module in sys.argv[3:]:
        importlib.import_module(module)
    gc.freeze()  # what was imported stays, and need not be looked at again and again
    try:
        connection.send_bytes(b"")  # ready
        while True:
            request = connection.recv_bytes()
            signal.alarm(seconds)
            connection.send_bytes(_answer(request))
            signal.alarm(0)
    except (EOFError, OSError):
        return  # the run has ended, or needs no worker any more


def _answer(request: bytes) -> bytes:
    """Whether the function returned, and what it returned or raised; pickled."""
    try:
        function, args, kwargs = pickle.loads(request)  # noqa: S301 - of our own run
        return pickle.dumps((True, function(*args, **kwargs)), protocol=5)
    except Exception as error:
        error.add_note(f"In the worker:\n{traceback.format_exc()}")
        return pickle.dumps((False, _portable(error)), protocol=5)


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same if it cannot be pickled and read again."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        substitute = RuntimeError(f"{type(error).__name__}: {error}")
        substitute.__notes__ = error.__notes__
        return substitute
    return error


if __name__ == "__main__":
    main()
