"""A container as a process of this machine: a clean environment, a log that goes to CloudWatch,
and an exit code as Docker tells it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LogLines = Callable[[Sequence[str]], None]  # is handed lines of the log as they come

_MOST_LINE_CHARACTERS = 200_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Image:
    """What a container has before its task definition says anything: ENV and WORKDIR."""

    environment: Mapping[str, str]
    folder: Path


@dataclass(frozen=True)
class ContainerSpec:
    """How a container is run; `stop_seconds` is how long it may take to end after a SIGTERM."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: LogLines
    stop_seconds: float
    is_essential: bool = True

    def execute(self, check: Sequence[str], timeout_seconds: float) -> int:
        """The exit code of another command in the container: `CMD`, program, arguments, or
        `CMD-SHELL` and a line for the shell.

        Raises:
            subprocess.TimeoutExpired: it takes longer.
        """
        command = check[1:] if check[0] == "CMD" else ["sh", "-c", *check[1:]]
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, timeout=timeout_seconds, check=False
        )
        return done.returncode


class ContainerProcess:
    """A container that runs. Nothing of the machine's own environment reaches it, and what it
    started ends with it."""

    def __init__(self, spec: ContainerSpec) -> None:
        """
        Raises:
            OSError: its command cannot be run.
        """
        self.spec = spec
        self._process = subprocess.Popen(
            spec.command,
            env=spec.environment,
            cwd=spec.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # by which all that it starts is found
        )
        self._log = threading.Thread(target=self._read_log, daemon=True)
        self._log.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        """To the first process, as ECS does, or with SIGKILL to all."""
        if self.has_ended():
            return
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGKILL:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        self.send(signal.SIGTERM)
        deadline = time.monotonic() + self.spec.stop_seconds
        while not self.has_ended() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.send(signal.SIGKILL)

    def end(self) -> int:
        """Wait for its end; returns the exit code, 128 and the signal if one ended it."""
        code = self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._log.join()
        return code if code >= 0 else 128 - code

    def _read_log(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            rest = b""
            while chunk := os.read(output.fileno(), 1 << 20):
                *lines, rest = (rest + chunk).split(b"\n")
                self._write(lines)
            self._write([rest])

    def _write(self, lines: Sequence[bytes]) -> None:
        texts = [line.decode(errors="replace")[:_MOST_LINE_CHARACTERS] for line in lines]
        if filled := [text for text in texts if text.strip()]:
            try:
                self.spec.log(filled)
            except Exception:  # the container would wait for ever for somebody who reads on
                _log.exception("the log of %s", self.spec.name)


@dataclass
class KeptLog:
    """The lines of a log, for whoever looks for the cause of a failure."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, lines: Sequence[str]) -> None:
        self.lines += lines
