"""Which process of this machine executes a run: a file that it holds locked.

The kernel drops the lock of a process that has ended, in whatever way, so nobody has to trust a
process id that another process may have by now, and nothing is left of a machine that lost power
but files without a lock. A lock belongs to all processes that have the file open from before a
fork; it is free when the last of them has closed it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from resources.new_file import make_folder

_KEPT_SECONDS = 24 * 60 * 60


class RunWorkerFile:
    """The file of one run; `folder` is the same for all processes that use an instance."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self._path = folder / run_id

    def lock(self) -> int:
        """The descriptor of the file, locked until it is closed in this process and in those that
        it forks.

        Raises:
            BlockingIOError: another process holds the lock.
        """
        make_folder(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def is_held(self) -> bool:
        """Whether a process holds the lock."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def process_id(self) -> int | None:
        """Of the process that executes the run; None if there is none any more."""
        try:
            written = self._path.read_text()
        except FileNotFoundError:
            return None
        return int(written) if written and self.is_held() else None

    def remove(self) -> None:
        """For whoever holds the lock, when nobody shall ask any more."""
        self._path.unlink(missing_ok=True)


def write_process_id(descriptor: int, process_id: int | None) -> None:
    """Say which process executes the run of this file, or that none does any more."""
    os.ftruncate(descriptor, 0)
    if process_id is not None:
        os.pwrite(descriptor, str(process_id).encode(), 0)


def remove_old_files(folder: Path) -> None:
    """Remove what is left of processes that could not clear up, because they were killed together
    with the one that started them."""
    make_folder(folder)
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            # A new one may be opened and not locked yet.
            old = path.stat().st_mtime < time.time() - _KEPT_SECONDS
            if old and not RunWorkerFile(folder, path.name).is_held():
                path.unlink()
