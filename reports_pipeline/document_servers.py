"""Servers that hand out documents: to operators by their path, to readers by a signed link.

A store that has brief links of its own sends the bytes itself: the answer leads there.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from reports_pipeline.environments import Environment, is_here
from resources.aws_errors import AwsRefusedError, AwsUnavailableError
from resources.document_store import (
    DocumentNotFoundError,
    DocumentStore,
    content_disposition,
    media_type,
)
from resources.link_signer import AlteredLinkError, ExpiredLinkError, LinkSigner

# A load balancer asks for it, under whatever name.
HEALTH_PATH = "/health"
_log = logging.getLogger(__name__)


class AddressUnavailableError(OSError):
    """An address is taken, or not ours to take; the message names the setting."""


@contextlib.contextmanager
def document_server(environment: Environment) -> Iterator[None]:
    """Show tenants' documents to operators, at the address that Dagster's pages lead to.

    Raises:
        AddressUnavailableError: the port is taken, or not ours to take.
    """
    settings = environment.settings
    handler = functools.partial(
        _OperatorHandler,
        store=environment.document_store(),
        host=urlsplit(settings.document_links).hostname,
    )
    with _served(settings.listen, settings.document_port, handler, "REPORTS_DOCUMENT_PORT"):
        yield


@contextlib.contextmanager
def shared_link_server(environment: Environment) -> Iterator[None]:
    """Hand documents to whoever has a link that was signed, and nothing else: a reverse proxy may
    let the world in here.

    Raises:
        AddressUnavailableError: the port is taken, or not ours to take.
        WeakSecretError: the secret of the links could be guessed.
    """
    settings = environment.settings
    signer = environment.link_signer()
    signer.require_secret()
    handler = functools.partial(
        _SharedLinkHandler, store=environment.document_store(), signer=signer
    )
    with _served(settings.listen, settings.shared_port, handler, "REPORTS_SHARED_PORT"):
        yield


@contextlib.contextmanager
def _served(
    listen: str, port: int, handler: Callable[..., BaseHTTPRequestHandler], setting: str
) -> Iterator[None]:
    try:
        server = ThreadingHTTPServer((listen, port), handler)
    except OSError as error:
        raise AddressUnavailableError(
            f"documents cannot be shown at {listen}:{port} ({setting}): {error}"
        ) from error
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _RefusalError(Exception):
    """What a request gets instead of a document."""

    def __init__(self, status: HTTPStatus, explanation: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.explanation = explanation


class _DocumentHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD with a document, or with where it is to be had."""

    timeout = 60  # seconds of silence, after which a connection is given up

    def __init__(self, *arguments: Any, store: DocumentStore, **named: Any) -> None:
        self._store = store
        super().__init__(*arguments, **named)  # answers the request

    @abstractmethod
    def _asked(self) -> tuple[str, str | None]:
        """The key of the document that the request may have, and the name under which it is to be
        saved, if it is not to be shown.

        Raises:
            _RefusalError: it may have none.
        """

    def do_GET(self) -> None:
        if content := self._send_head():
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        self._send_head()

    def _send_head(self) -> bytes:
        """Answer all but the body; returns that."""
        if self.path == HEALTH_PATH:
            return self._answer(b"ok\n", {"Content-Type": "text/plain"})
        try:
            key, file_name = self._asked()
            link = self._store.brief_link(key, file_name=file_name)
            content = self._store.get(key) if link is None else b""
        except _RefusalError as refusal:
            self.send_error(refusal.status, explain=refusal.explanation)
            return b""
        except (DocumentNotFoundError, ValueError):
            self.send_error(HTTPStatus.NOT_FOUND)
            return b""
        except AwsUnavailableError:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain="Try again in a minute.")
            return b""
        except AwsRefusedError as error:
            _log.error("%s", error)
            self.send_error(HTTPStatus.BAD_GATEWAY)
            return b""
        if link is not None:
            return self._answer(b"", {"Location": link}, HTTPStatus.FOUND)
        headers = {"Content-Type": media_type(key)}
        if file_name is not None:
            headers["Content-Disposition"] = content_disposition(file_name, key)
        return self._answer(content, headers)

    def _answer(
        self, content: bytes, headers: dict[str, str], status: HTTPStatus = HTTPStatus.OK
    ) -> bytes:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "private, no-store")
        self.end_headers()
        return content

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to Dagster, and a link is a key."""


class _OperatorHandler(_DocumentHandler):
    """Shows documents by their full path, and nothing else."""

    def __init__(self, *arguments: Any, host: str | None, **named: Any) -> None:
        self._host = host
        super().__init__(*arguments, **named)

    def _asked(self) -> tuple[str, str | None]:
        # A page on the Web whose name leads here reads nothing (DNS rebinding).
        called = f"http://{self.headers.get('Host', '')}"
        if not is_here(called) and _host(called) != self._host:
            raise _RefusalError(HTTPStatus.MISDIRECTED_REQUEST)
        key = unquote(urlsplit(self.path).path).removeprefix("/")
        if not key.startswith("reports/"):
            raise _RefusalError(HTTPStatus.NOT_FOUND)
        return key, None


class _SharedLinkHandler(_DocumentHandler):
    """Hands out a document for a link as it stands in a mail."""

    def __init__(self, *arguments: Any, signer: LinkSigner, **named: Any) -> None:
        self._signer = signer
        super().__init__(*arguments, **named)

    def _asked(self) -> tuple[str, str | None]:
        path, _, query = self.path.partition("?")
        key = unquote(path.removeprefix("/"))
        now = datetime.datetime.now(datetime.UTC)
        try:
            return key, self._signer.verify(key, query, now=now)
        except AlteredLinkError:
            raise _RefusalError(HTTPStatus.FORBIDDEN, "This is not a link as we sent it.") from None
        except ExpiredLinkError:
            raise _RefusalError(
                HTTPStatus.GONE, "This link has expired. Ask for a new one."
            ) from None


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:  # of an IPv6 address
        return None
