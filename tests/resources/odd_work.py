"""What a worker may be given that does not end well."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

_MEGABYTE = 2**20


def process_id() -> int:
    return os.getpid()


def sleep_after(answer: str, seconds: float) -> str:
    time.sleep(seconds)
    return answer


def hold(megabytes: int, seconds: float = 30) -> int:
    """Have so much memory for a while; returns the process's id."""
    held = b"x" * (megabytes * _MEGABYTE)
    time.sleep(seconds)
    return os.getpid() if held else 0


_kept: list[bytes] = []


def keep(megabytes: int) -> int:
    """Leave so much memory behind; returns the process's id."""
    _kept.append(b"x" * (megabytes * _MEGABYTE))
    return os.getpid()


def end_by(number: signal.Signals, tries: Path) -> None:
    """End this process by a signal, and count in the file how often that was tried."""
    tries.write_text(f"{tries.read_text() if tries.exists() else ''}x")
    os.kill(os.getpid(), number)
    time.sleep(30)


def end_the_first_time(tries: Path) -> int:
    """End this process, unless that was tried before; returns the process's id."""
    if not tries.exists():
        end_by(signal.SIGSEGV, tries)
    return os.getpid()


class UnportableError(Exception):
    """Cannot be read again where it was not raised."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} in {where}")


def fail_unportably() -> None:
    raise UnportableError("sand", "the gearbox")
