"""A job for the tests of the launcher: its op says what process it is in, and waits if it shall."""

import importlib
import json
import os
import subprocess
import time
from pathlib import Path

import dagster as dg

_MOST_SECONDS = 60


class Work(dg.Config):
    """`folder`: where to write what the op finds, and to wait for a file `go_on` if it `waits`;
    it takes `number` from the module that is named, and may leave a program running."""

    folder: str
    waits: bool = False
    module: str | None = None
    starts_program: bool = False


@dg.op
def work(config: Work) -> None:
    folder = Path(config.folder)
    found = {
        "process_id": os.getpid(),
        "parent": os.getppid(),
        "number": config.module and importlib.import_module(config.module).number,
        "program": config.starts_program and subprocess.Popen(["sleep", str(_MOST_SECONDS)]).pid,
        "standard_input": os.readlink("/dev/fd/0"),
    }
    (folder / "new").write_text(json.dumps(found))
    (folder / "new").rename(folder / "found")
    deadline = time.monotonic() + _MOST_SECONDS
    while config.waits and not (folder / "go_on").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@dg.job(executor_def=dg.in_process_executor)
def launched_job() -> None:
    work()
