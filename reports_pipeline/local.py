"""The whole system on one machine: Dagster's services and the server that shows documents."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from reports_pipeline.environments import LocalEnvironment
from resources.database import create_database

_SECONDS_TO_END = 20
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
DEFINITIONS = "reports_pipeline.definitions"


def dagster_variables(environment: LocalEnvironment) -> dict[str, str]:
    """Environment variables with which Dagster's programs find the instance and the databases.

    Makes the instance's folder, and its database if the server is ours.
    """
    settings = environment.settings
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    instance = files(__package__).joinpath("local_dagster.yaml").read_bytes()
    (home / "dagster.yaml").write_bytes(instance)
    url = settings.dagster_url or settings.database_url
    if url is None:
        url = create_database(environment.server_url, "dagster")
    return {
        # Dagster's programs of this installation, also where it is not activated
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "DAGSTER_HOME": str(home),
        "REPORTS_HOME": str(settings.home),
        "REPORTS_DATABASE_URL": environment.database_url,
        "REPORTS_DAGSTER_URL": _for_sqlalchemy(url),
        # Materializations of a batch of tenants are written as one statement.
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
    }


def _for_sqlalchemy(url: str) -> str:
    # Names the driver: SQLAlchemy's choice for a bare postgresql:// changes with its version.
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def run_command(environment: LocalEnvironment, command: Sequence[str]) -> int:
    """Run a program, for example `dagster`, in this environment; returns its exit code.

    A request to end (SIGTERM, Ctrl-C) is the program's to obey, so that it can end its own
    children; this process waits for it.
    """
    # A shell's background jobs ignore SIGINT, children inherit that, and Dagster's services end
    # by a SIGINT to themselves.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, env=os.environ | dagster_variables(environment)) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the terminal interrupted both
                return process.wait()


@contextlib.contextmanager
def running(
    environment: LocalEnvironment, *arguments: str, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """One of Dagster's services (`python -m …`) while the context lasts, logging to a file."""
    variables = os.environ | dagster_variables(environment)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments, "-m", DEFINITIONS],
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
            _end_group(process)


def _end_group(leader: subprocess.Popen[bytes]) -> None:
    """End what a service left behind: its code server, while the database still answers it."""
    deadline = time.monotonic() + _SECONDS_TO_END
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            leader.poll()  # a zombie would keep its group alive
            os.killpg(leader.pid, signal.SIGTERM)
            time.sleep(0.1)
        # Not until all are gone: in a container, nobody may wait for an orphan that has ended.
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


@contextlib.contextmanager
def document_server(environment: LocalEnvironment) -> Iterator[None]:
    """Show tenants' documents at the address that Dagster's pages link to, if that is here.

    Raises:
        OSError: the address is taken, or not ours to take.
    """
    address = urlsplit(environment.settings.document_links)
    if address.hostname not in _LOOPBACK:
        yield
        return
    environment.documents_folder.mkdir(parents=True, exist_ok=True)
    handler = functools.partial(_DocumentHandler, directory=str(environment.documents_folder))
    with ThreadingHTTPServer(("127.0.0.1", address.port or 80), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _DocumentHandler(SimpleHTTPRequestHandler):
    """Serves documents by their full path, quietly; no listings, and nothing else."""

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        # The path of the file, not of the request, which may go up again (/reports/../…).
        if not Path(self.translate_path(self.path)).is_relative_to(Path(self.directory, "reports")):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def list_directory(self, path: str | os.PathLike[str]) -> None:  # noqa: ARG002
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to Dagster."""
