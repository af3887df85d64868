"""A peer's own virtual environment, and its services while they are needed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
_SECONDS_TO_START = 180
_SECONDS_TO_END = 20


class PeerUnavailableError(RuntimeError):
    """A peer cannot be installed or does not start here; the message says why."""


@dataclass(frozen=True)
class Spent:
    """Seconds that pass for a month, and CPU seconds of all that is busy with it."""

    wall: float
    cpu: float

    def over(self, tenants: int) -> Spent:
        """The same for one of so many tenants."""
        return Spent(self.wall / tenants, self.cpu / tenants)


def install(name: str, folder: Path) -> Path:
    """Make the virtual environment of a peer in the folder, unless it is there; returns the folder
    of its programs.

    Raises:
        PeerUnavailableError: a package cannot be had, or not for this Python.
    """
    lock = Path(__file__).with_name(f"{name}.txt")
    home = folder / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    complete = home / "complete"
    if not complete.exists():
        run([sys.executable, "-m", "venv", "--clear", home], os.environ)
        # The lock names everything; older versions of pip lose their way in its extras.
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        run([home / "bin" / "pip", "install", *options, "-r", lock], os.environ)
        complete.touch()
    return home / "bin"


def run(command: Sequence[str | Path], variables: Mapping[str, str]) -> str:
    """Run a program to its end; returns what it prints.

    Raises:
        PeerUnavailableError: its exit code is not 0.
    """
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        # Warnings may follow the error.
        errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        raise PeerUnavailableError(
            f"{Path(command[0]).name} failed: {(errors or [done.stderr])[-1].strip()[-500:]}"
        )
    return done.stdout


@contextlib.contextmanager
def service(
    command: Sequence[str | Path], variables: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program while the context lasts, and all that it starts; it logs to a file."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_SECONDS_TO_END)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(
    is_true: Callable[[], bool], what: str, service_of: subprocess.Popen[bytes], log: Path
) -> None:
    """Return when it is true.

    Raises:
        PeerUnavailableError: the service ended, or it takes too long; the message has the end of
            the log.
    """
    deadline = time.monotonic() + _SECONDS_TO_START
    while not is_true():
        if service_of.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace").strip()[-1_000:]
            raise PeerUnavailableError(f"{what}: not so after all; {log.name}: {tail}")
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
