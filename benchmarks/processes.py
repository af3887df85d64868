"""What a process costs with all that it started: CPU time and memory, as Linux counts them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SECONDS_BETWEEN_LOOKS = 0.1


def own_cpu_seconds(pid: int) -> float:
    """CPU time of the process so far, without its children's."""
    return sum(_times(pid)[:2])


def tree_cpu_seconds(pid: int) -> float:
    """CPU time so far of the process and all that it started, ended ones included: what its
    parent has waited for is counted with the parent."""
    return sum(sum(_times(member)) for member in tree(pid))


def tree(pid: int) -> list[int]:
    """The process and its living descendants."""
    members = [pid]
    for member in members:  # grows
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{member}/task").iterdir():
                members += map(int, (thread / "children").read_text().split())
    return members


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def command_line(pid: int) -> str:
    """The words with which the process was started; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def process_name(pid: int) -> str:
    """What the process calls itself, at first its program; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextlib.contextmanager
def watched_memory(pid: int, kind: Callable[[int], str]) -> Iterator[dict[str, float]]:
    """While the context lasts, the most that a process of each kind under `pid` held, in MB."""
    peaks: dict[str, float] = {}
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            for member in tree(pid):
                if (peak := _peak_mb(member)) is not None:
                    name = kind(member)
                    peaks[name] = max(peaks.get(name, 0.0), peak)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        ended.set()
        watcher.join()


def _peak_mb(pid: int) -> float | None:
    """The kernel's own high-water mark, so that nothing between two looks is missed."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1_000
    return None  # it has ended and nobody has waited for it yet


def _times(pid: int) -> list[float]:
    """Seconds in user and kernel mode: its own, then those of children that were waited for."""
    try:
        fields = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        return [0.0] * 4
    return [int(field) / _TICKS_PER_SECOND for field in fields[11:15]]


def _stat(pid: int) -> list[str]:
    # from the field `state` on; the name before it may have blanks and brackets
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
