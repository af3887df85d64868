"""Who executes a run is known as long as it lives, and no longer."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from reports_pipeline.run_worker_files import RunWorkerFile, remove_old_files, write_process_id


def test_a_run_that_was_never_started_has_no_process(tmp_path: Path) -> None:
    file = RunWorkerFile(tmp_path / "run_workers", "run")
    assert not file.is_held()
    assert file.process_id() is None


def test_a_process_is_known_while_it_holds_the_file(tmp_path: Path) -> None:
    file = RunWorkerFile(tmp_path / "run_workers", "run")
    lock = file.lock()
    assert file.is_held()
    assert file.process_id() is None
    write_process_id(lock, 123456)
    assert file.process_id() == 123456
    write_process_id(lock, 99)
    assert file.process_id() == 99
    with pytest.raises(BlockingIOError):
        file.lock()
    os.close(lock)
    assert not file.is_held()
    assert file.process_id() is None


def test_a_program_that_the_process_starts_does_not_hold_it(tmp_path: Path) -> None:
    file = RunWorkerFile(tmp_path, "run")
    lock = file.lock()
    with subprocess.Popen(["sleep", "60"]) as program:
        os.close(lock)
        assert not file.is_held()
        program.kill()


def test_files_that_nobody_holds_are_removed_after_a_day(tmp_path: Path) -> None:
    two_days_ago = time.time() - 2 * 24 * 60 * 60
    for name in ("left", "held"):
        os.close(RunWorkerFile(tmp_path, name).lock())
        os.utime(tmp_path / name, (two_days_ago, two_days_ago))
    os.close(RunWorkerFile(tmp_path, "new").lock())
    lock = RunWorkerFile(tmp_path, "held").lock()
    remove_old_files(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"held", "new"}
    os.close(lock)
