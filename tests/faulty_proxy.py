"""Between a client of AWS and whoever answers for it: records every request, and can be told to
answer badly, or not at all, as the network and AWS do."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import urlsplit

from tests.http_server import QuietHandler, serving


@dataclass(frozen=True)
class RequestFault:
    """What happens to the next request whose `METHOD /path?query` the pattern `to` finds.

    `forwarded`: it is passed on, and its answer is lost. Without a status the connection ends.
    """

    to: str = ""
    status: int | None = None
    body: str = ""
    forwarded: bool = False


def s3_error(status: int, code: str, *, to: str = "") -> RequestFault:
    """An error as S3 answers it."""
    return RequestFault(to, status, f"<Error><Code>{code}</Code><Message>said so</Message></Error>")


@dataclass(frozen=True)
class ProxiedRequest:
    line: str  # PUT /bucket/key?query
    headers: Message
    body: bytes


@dataclass
class FaultyProxy:
    """`faults` are used up one a request."""

    upstream: str
    url: str = ""
    requests: list[ProxiedRequest] = field(default_factory=list)
    faults: list[RequestFault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def lines(self, pattern: str = "") -> list[str]:
        """Those of the requests so far that the pattern finds."""
        return [request.line for request in self.requests if re.search(pattern, request.line)]

    def take(self, request: ProxiedRequest) -> RequestFault | None:
        with self.lock:
            self.requests.append(request)
            for fault in self.faults:
                if re.search(fault.to, request.line):
                    self.faults.remove(fault)
                    return fault
        return None

    def forward(self, request: ProxiedRequest) -> tuple[int, Mapping[str, str], bytes]:
        method, _, path = request.line.partition(" ")
        upstream = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=30)
        try:
            upstream.request(method, path, request.body, dict(request.headers.items()))
            answer = upstream.getresponse()
            return answer.status, dict(answer.headers.items()), answer.read()
        finally:
            upstream.close()


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy on a port of its own of 127.0.0.1, to the server at `upstream`."""
    proxy = FaultyProxy(upstream)

    class Handler(_Handler):
        state = proxy

    with serving(Handler) as proxy.url:
        yield proxy


class _Handler(QuietHandler):
    state: FaultyProxy

    def handle_one_request(self) -> None:
        # Whatever the method is called.
        self.do_GET = self.do_HEAD = self.do_PUT = self.do_POST = self.do_DELETE = self._pass_on
        super().handle_one_request()

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()  # a client waits for it before it sends the rest
        return proceed

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = ProxiedRequest(f"{self.command} {self.path}", self.headers, body)
        fault = self.state.take(request)
        if fault is None:
            self._answer(*self.state.forward(request))
            return
        if fault.forwarded:
            self.state.forward(request)
        if fault.status is None:
            self.close_connection = True
        else:
            self._answer(fault.status, {"Content-Type": "text/xml"}, fault.body.encode())

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)
