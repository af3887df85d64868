"""One HTTP endpoint that answers for AWS, on a port of its own of 127.0.0.1.

A program is led to it by AWS_ENDPOINT_URL and by nothing else. It is moto's server, in this
process, with four things in front of it: tasks that run (`ecs_agent.py`), mails (`ses.py`),
credentials of roles that end and whose use is recorded (`roles.py`), and what bucket policies deny
(`bucket_policies.py`).
"""

from __future__ import annotations

import functools
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from tests.emulators.api_calls import AwsError, Request
from tests.emulators.bucket_policies import BucketPolicies
from tests.emulators.ecs_agent import CREDENTIALS_PATH, EcsAgent
from tests.emulators.roles import ExpiredError, RefusedError, Roles
from tests.emulators.ses import Ses
from tests.http_server import POLL_SECONDS

REGION = "ap-northeast-1"
_XML = {"s3", "sns", "sts"}  # services whose errors are XML

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Aws:
    """The endpoint, and what a test may see and do behind it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.roles = Roles()
        self.ecs = EcsAgent(url, self.roles)
        self.ses = Ses()
        self.bucket_policies = BucketPolicies()

    def client(self, service: str, config: Config | None = None) -> Any:
        """A client of boto3, of a person who may do everything."""
        return _session().client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=config,
        )

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(CREDENTIALS_PATH):
            return self._credentials(path.removeprefix(CREDENTIALS_PATH), start)
        request = Request.of(environ, b"")
        if request.service != "s3" or "policy" in request.query:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            request = Request.of(environ, body)
        try:
            if request.service:
                self.roles.record(request)
            if request.service == "s3":
                self.bucket_policies.check(request, environ.get("HTTP_IF_NONE_MATCH"))
            if (answer := self._answer(request)) is None:
                moto_answer: Iterable[bytes] = _moto()(environ, start)
                return moto_answer
        except ExpiredError:
            return _error(_expired(request), request, start)
        except AwsError as error:
            return _error(error, request, start)
        return _json("200 OK", answer, start)

    def _answer(self, request: Request) -> Mapping[str, Any] | None:
        if request.path.startswith("/v2/email/"):
            route = self.ses.route(request)
            return None if route is None else route()
        if request.service == "ecs":
            return self.ecs.answer(request)
        if request.service == "s3" and request.method == "PUT" and "policy" in request.query:
            self.bucket_policies.put(request.path.strip("/"), request.body)
            return {}
        return None

    def _credentials(self, task_id: str, start: StartResponse) -> Iterable[bytes]:
        try:
            return _json("200 OK", self.ecs.credentials(task_id), start)
        except (KeyError, RefusedError):
            return _json("500 Internal Server Error", {"code": "InternalServerError"}, start)


@contextmanager
def running_aws() -> Iterator[Aws]:
    """An empty account, while the context lasts.

    moto keeps one state a process, so that there is one account a process at a time.
    """
    BackendDict.reset()
    server = make_server(
        "127.0.0.1", 0, lambda *_: [], threaded=True, request_handler=_QuietHandler
    )
    aws = Aws(f"http://127.0.0.1:{server.server_port}")
    server.app = aws
    thread = threading.Thread(target=server.serve_forever, args=[POLL_SECONDS])
    thread.start()
    try:
        with aws.ses.telling(), aws.ecs.working():
            yield aws
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# Both read much, and forget nothing that matters.
@functools.cache
def _moto() -> DomainDispatcherApplication:
    return DomainDispatcherApplication(create_backend_app)


@functools.cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


class _QuietHandler(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _json(status: str, content: object, start: StartResponse, *, error: str = "") -> list[bytes]:
    body = json.dumps(content).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start(status, [*headers, *([("x-amzn-ErrorType", error)] if error else [])])
    return [body]


def _error(error: AwsError, request: Request, start: StartResponse) -> list[bytes]:
    status = f"{error.status} {error.code}"
    if request.service not in _XML:
        # Older JSON services name the error in the body, newer ones in a header.
        return _json(status, {"__type": error.code, "message": str(error)}, start, error=error.code)
    text = f"<Error><Code>{error.code}</Code><Message>{escape(str(error))}</Message></Error>"
    body = (text if request.service == "s3" else f"<ErrorResponse>{text}</ErrorResponse>").encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def _expired(request: Request) -> AwsError:
    text = "The security token included in the request is expired"
    match request.service:
        case "s3":
            return AwsError(400, "ExpiredToken", text)
        case "sns" | "sts":
            return AwsError(403, "ExpiredToken", text)
        case "ses":
            return AwsError(403, "ExpiredTokenException", text)
    return AwsError(400, "ExpiredTokenException", text)
