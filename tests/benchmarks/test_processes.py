"""CPU time and memory of processes, as the month's benchmark counts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.processes import (
    command_line,
    own_cpu_seconds,
    parent,
    process_name,
    tree,
    tree_cpu_seconds,
    watched_memory,
)

# A shell-like parent: it says when its child has spent half a second, and waits to be ended.
PARENT = """
import subprocess, sys
spend = "import time\\nwhile time.process_time() < 0.5: pass"
subprocess.run([sys.executable, "-c", spend], check=True)
child = subprocess.Popen([sys.executable, "-c", "held = bytearray(80_000_000); input()"])
print("ready", flush=True)
input()
"""


@contextmanager
def started(program: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            for member in reversed(tree(process.pid)):
                os.kill(member, 9)


def test_what_an_ended_child_spent_is_counted_with_its_parent() -> None:
    with started(PARENT) as process:
        # The kernel counts in ticks of 10 ms, and each of its counts is rounded by itself.
        assert tree_cpu_seconds(process.pid) - own_cpu_seconds(process.pid) > 0.4


def test_each_process_of_the_tree_has_its_peak() -> None:
    def kind(pid: int) -> str:
        return "holder" if "held" in command_line(pid) and parent(pid) == process.pid else "parent"

    with started(PARENT) as process, watched_memory(process.pid, kind) as peaks:
        while peaks.get("holder", 0) < 80:
            time.sleep(0.05)
        assert 0 < peaks["parent"] < 80


def test_a_process_that_has_ended_costs_nothing_more() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert tree(process.pid) == [process.pid]
    assert tree_cpu_seconds(process.pid) == 0
    assert command_line(process.pid) == process_name(process.pid) == ""


def test_a_process_has_the_name_that_it_took() -> None:
    program = """
from pathlib import Path
Path("/proc/self/comm").write_text("miller")
print("ready", flush=True)
input()
"""
    with started(program) as process:
        assert process_name(process.pid) == "miller"
