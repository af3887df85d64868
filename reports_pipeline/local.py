"""The whole system on one machine: Dagster's services and the servers that show documents."""

from __future__ import annotations

import contextlib
import datetime
import functools
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import dagster as dg

from reports_pipeline.documents.bundle import PDF_TYPE, WORKBOOK_TYPE
from reports_pipeline.environments import LocalEnvironment, is_here
from resources.database import create_database
from resources.document_store import DocumentNotFoundError, DocumentStore, content_disposition
from resources.link_signer import AlteredLinkError, ExpiredLinkError, LinkSigner
from resources.new_file import make_folder

_SECONDS_TO_END = 20
_LOCAL_ADDRESS = "127.0.0.1"
_MEDIA_TYPES = {".pdf": PDF_TYPE, ".xlsx": WORKBOOK_TYPE}
DEFINITIONS = "reports_pipeline.definitions"


class AddressUnavailableError(OSError):
    """An address is taken, or not ours to take; the message names the setting."""


def dagster_variables(environment: LocalEnvironment) -> dict[str, str]:
    """Environment variables with which Dagster's programs find the instance and the databases.

    Makes the instance's folder, and its database if the server is ours.
    """
    settings = environment.settings
    home = settings.home / "dagster"
    make_folder(home)
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


@contextlib.contextmanager
def dagster_instance(environment: LocalEnvironment) -> Iterator[dg.DagsterInstance]:
    """The instance that Dagster's programs use; this process has their variables from then on."""
    os.environ.update(dagster_variables(environment))
    with dg.DagsterInstance.get() as instance:
        yield instance


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
    make_folder(log.parent)
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
    """Show tenants' documents to operators, at the address that Dagster's pages lead to, if that is
    here.

    Raises:
        AddressUnavailableError: it is taken, or not ours to take.
    """
    address = environment.settings.document_links
    if not is_here(address):
        yield
        return
    make_folder(environment.documents_folder)
    handler = functools.partial(_OperatorHandler, directory=str(environment.documents_folder))
    with _served(urlsplit(address).port or 80, handler, "REPORTS_DOCUMENT_LINKS"):
        yield


@contextlib.contextmanager
def shared_link_server(environment: LocalEnvironment) -> Iterator[None]:
    """Hand documents to whoever has a link that was signed, and nothing else: a reverse proxy may
    let the world in here.

    Raises:
        AddressUnavailableError: the port is taken, or not ours to take.
        WeakSecretError: the secret of the links could be guessed.
    """
    signer = environment.link_signer()
    signer.require_secret()
    handler = functools.partial(
        _SharedLinkHandler, store=environment.document_store(), signer=signer
    )
    with _served(environment.settings.shared_port, handler, "REPORTS_SHARED_PORT"):
        yield


@contextlib.contextmanager
def _served(
    port: int, handler: Callable[..., BaseHTTPRequestHandler], setting: str
) -> Iterator[None]:
    try:
        server = ThreadingHTTPServer((_LOCAL_ADDRESS, port), handler)
    except OSError as error:
        raise AddressUnavailableError(
            f"documents cannot be shown at {_LOCAL_ADDRESS}:{port} ({setting}): {error}"
        ) from error
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _OperatorHandler(SimpleHTTPRequestHandler):
    """Serves documents by their full path; quietly, no listings, and nothing else."""

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        # A page on the Web whose name leads here reads nothing (DNS rebinding).
        if not is_here(f"http://{self.headers.get('Host', '')}"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        # The path of the file, not of the request, which may go up again (/reports/../…).
        if not Path(self.translate_path(self.path)).is_relative_to(Path(self.directory, "reports")):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def list_directory(self, path: str | os.PathLike[str]) -> None:  # noqa: ARG002
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to Dagster."""


class _SharedLinkHandler(BaseHTTPRequestHandler):
    """Serves a document for a link as it stands in a mail."""

    timeout = 60  # seconds of silence, after which a connection is given up

    def __init__(
        self, *arguments: Any, store: DocumentStore, signer: LinkSigner, **named: Any
    ) -> None:
        self._store = store
        self._signer = signer
        super().__init__(*arguments, **named)  # answers the request

    def do_GET(self) -> None:
        if (content := self._send_head()) is not None:
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        self._send_head()

    def _send_head(self) -> bytes | None:
        path, _, query = self.path.partition("?")
        key = unquote(path.removeprefix("/"))
        try:
            now = datetime.datetime.now(datetime.UTC)
            file_name = self._signer.verify(key, query, now=now)
            content = self._store.get(key)
        except AlteredLinkError:
            self.send_error(HTTPStatus.FORBIDDEN, explain="This is not a link as we sent it.")
            return None
        except ExpiredLinkError:
            self.send_error(HTTPStatus.GONE, explain="This link has expired. Ask for a new one.")
            return None
        except DocumentNotFoundError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        self.send_response(HTTPStatus.OK)
        self.send_header(
            "Content-Type", _MEDIA_TYPES.get(Path(key).suffix, "application/octet-stream")
        )
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Disposition", content_disposition(file_name, key))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "private, no-store")
        self.end_headers()
        return content

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to Dagster, and a link is a key."""
