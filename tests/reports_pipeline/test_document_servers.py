"""The document servers: to whom they hand out what."""

from __future__ import annotations

import datetime
import functools
import http.client
import socket
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from reports_pipeline.document_servers import (
    AddressUnavailableError,
    document_server,
    shared_link_server,
)
from reports_pipeline.environments import LocalEnvironment, Settings
from resources.aws_errors import AwsRefusedError, AwsUnavailableError
from resources.document_store import LocalDocumentStore
from tests.end_to_end.system import free_port

DOCUMENT = "reports/t0001/2026-10/r1/income_statement.pdf"
WORKBOOK = "reports/t0001/2026-10/r1/income_statement.xlsx"
CONTENTS = {DOCUMENT: b"%PDF-1.4", WORKBOOK: b"PK"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEnvironment]:
    """An environment whose documents are shown, and files beside them that must not be."""
    home = tmp_path_factory.mktemp("served")
    (home / "secret.txt").write_text("open sesame")
    environment = local_environment(home)
    for key, content in CONTENTS.items():
        environment.document_store().put(key, content)
    environment.document_store().put("intermediates/secret.arrow", b"open sesame")
    with document_server(environment), shared_link_server(environment):
        yield environment


def local_environment(home: Path, **variables: str) -> LocalEnvironment:
    variables = {
        "REPORTS_HOME": str(home),
        "REPORTS_DOCUMENT_LINKS": f"http://127.0.0.1:{free_port()}",
        "REPORTS_SHARED_LINKS": f"http://127.0.0.1:{free_port()}",
    } | variables
    return LocalEnvironment(Settings.from_environment(variables))


def get(environment: LocalEnvironment, path: str, host: str | None = None) -> tuple[int, bytes]:
    """Status and body of the answer of the operators' server to a path, which is sent exactly as it
    is; `host`: what the request says the server is called."""
    headers = {} if host is None else {"Host": host}
    status, _, body = answer(environment.settings.document_port, path, headers=headers)
    return status, body


def get_shared(environment: LocalEnvironment, path: str) -> tuple[int, bytes]:
    """Likewise of the readers' server."""
    status, _, body = answer(environment.settings.shared_port, path)
    return status, body


def answer(
    port: int, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, Message, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_a_stored_document_opens_under_its_link(served: LocalEnvironment) -> None:
    link = urlsplit(served.document_store().link(DOCUMENT))
    assert get(served, link.path) == (200, b"%PDF-1.4")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/secret.txt",
        "/reports/../../secret.txt",
        "/reports/%2e%2e/%2e%2e/secret.txt",
        "/reports/..%2f..%2fsecret.txt",
        "//reports/../../secret.txt",
        "/intermediates/secret.arrow",
        "/reports/../intermediates/secret.arrow",
        "/reports/%2e%2e/intermediates/secret.arrow",
    ],
)
def test_nothing_but_documents_is_served(served: LocalEnvironment, path: str) -> None:
    status, body = get(served, path)
    assert status == 404
    assert b"open sesame" not in body


def test_an_absolute_path_is_one_below_the_folder(served: LocalEnvironment) -> None:
    status, _ = get(served, f"/reports/{served.settings.home / 'secret.txt'}")
    assert status == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3001", "[", ""])
def test_a_page_that_is_called_otherwise_reads_nothing(served: LocalEnvironment, host: str) -> None:
    status, body = get(served, f"/{DOCUMENT}", host)
    assert status == 421
    assert b"%PDF" not in body


@pytest.mark.parametrize("host", ["localhost", "localhost:9001", "[::1]:3001", "127.0.0.1"])
def test_the_machine_itself_may_call_it_as_it_likes(served: LocalEnvironment, host: str) -> None:
    assert get(served, f"/{DOCUMENT}", host) == (200, b"%PDF-1.4")


def shared(served: LocalEnvironment, key: str = DOCUMENT, *, days: float = 7) -> str:
    """Path and query of a link as it stands in a mail."""
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    share = served.document_store().share
    assert share is not None
    address = share(key, file_name="損益計算書_2026年10月.pdf", until=until)
    return address.removeprefix(served.settings.shared_links)


@pytest.mark.parametrize(
    ("key", "media_type"),
    [
        (DOCUMENT, "application/pdf"),
        (WORKBOOK, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ],
)
def test_a_link_of_a_mail_downloads_the_document_under_its_name(
    served: LocalEnvironment, key: str, media_type: str
) -> None:
    path = shared(served, key)
    port = served.settings.shared_port
    status, headers, body = answer(port, path)
    assert (status, body) == (200, CONTENTS[key])
    assert headers["Content-Type"] == media_type
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Disposition"].endswith(
        "filename*=UTF-8''%E6%90%8D%E7%9B%8A%E8%A8%88%E7%AE%97%E6%9B%B8_2026%E5%B9%B410%E6%9C%88.pdf"
    )
    status, headers, body = answer(port, path, "HEAD")
    assert (status, body, headers["Content-Type"]) == (200, b"", media_type)


def test_a_link_that_has_expired_is_gone(served: LocalEnvironment) -> None:
    status, body = get_shared(served, shared(served, days=-0.001))
    assert status == 410
    assert b"expired" in body


def test_a_link_that_was_altered_is_forbidden(served: LocalEnvironment) -> None:
    link = shared(served)
    for altered in (
        link.replace("t0001", "t0002"),
        link.replace("signature=", "signature=0"),
        link.partition("?")[0],
    ):
        status, body = get_shared(served, altered)
        assert status == 403
        assert b"%PDF" not in body


@pytest.mark.parametrize(
    "path",
    ["/", "/reports/", f"/{DOCUMENT}", "/../secret.txt", "/intermediates/secret.arrow", "/shared/"],
)
def test_readers_are_served_nothing_but_links(served: LocalEnvironment, path: str) -> None:
    status, body = get_shared(served, path)
    assert status == 403
    assert b"open sesame" not in body
    assert b"%PDF" not in body


def test_a_link_opens_nothing_at_the_operators_server(served: LocalEnvironment) -> None:
    proxied = {"Host": "reports.financeflow.example"}
    assert answer(served.settings.document_port, shared(served), headers=proxied)[0] == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_readers_can_but_read(served: LocalEnvironment, method: str) -> None:
    assert answer(served.settings.shared_port, shared(served), method)[0] == 501


def test_a_link_to_what_is_not_stored_finds_nothing(served: LocalEnvironment) -> None:
    assert get_shared(served, shared(served, DOCUMENT.replace("r1", "r9")))[0] == 404


def test_a_secret_of_the_environment_signs_links_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = local_environment(home, REPORTS_LINK_SECRET="s" * 32)
    environment.document_store().put(DOCUMENT, b"%PDF-1.4")
    with shared_link_server(environment):
        assert get_shared(environment, shared(environment)) == (200, b"%PDF-1.4")
    assert not (home / "link-secret").exists()


def test_a_proxy_elsewhere_forwards_to_a_port_of_this_machine(tmp_path: Path) -> None:
    environment = local_environment(
        tmp_path / "home",
        REPORTS_SHARED_LINKS="https://reports.financeflow.example",
        REPORTS_SHARED_PORT=str(free_port()),
    )
    environment.document_store().put(DOCUMENT, b"%PDF-1.4")
    with shared_link_server(environment):
        headers = {"Host": "reports.financeflow.example"}
        found = answer(environment.settings.shared_port, shared(environment), headers=headers)
    assert (found[0], found[2]) == (200, b"%PDF-1.4")


@pytest.mark.parametrize("path", ["/", "/reports", "/reports/", "/reports/t0001/"])
def test_tenants_are_not_listed(served: LocalEnvironment, path: str) -> None:
    status, body = get(served, path)
    assert status in (301, 404)
    assert b"t0001" not in body


def test_no_server_is_reachable_from_other_machines(served: LocalEnvironment) -> None:
    for address in (served.settings.document_links, served.settings.shared_links):
        # this machine under another address, which only Linux has
        with pytest.raises(OSError, match=r"refused|assign|timed out"):
            socket.create_connection(("127.0.0.2", urlsplit(address).port or 0), timeout=5)


def test_the_server_ends_with_its_context(tmp_path: Path) -> None:
    environment = local_environment(tmp_path / "home")
    with document_server(environment):
        assert get(environment, "/")[0] == 404
    with pytest.raises(ConnectionRefusedError):
        get(environment, "/")


def test_operators_may_come_by_a_proxy_that_knows_who_they_are(tmp_path: Path) -> None:
    environment = local_environment(
        tmp_path / "home",
        REPORTS_DOCUMENT_LINKS="https://documents.financeflow.example/",
        REPORTS_DOCUMENT_PORT=str(free_port()),
    )
    environment.document_store().put(DOCUMENT, b"%PDF-1.4")
    with document_server(environment):
        assert get(environment, f"/{DOCUMENT}", "documents.financeflow.example") == (
            200,
            b"%PDF-1.4",
        )
        assert get(environment, f"/{DOCUMENT}", "evil.example")[0] == 421


def test_a_load_balancer_may_ask_whether_they_serve(served: LocalEnvironment) -> None:
    for port in (served.settings.document_port, served.settings.shared_port):
        for method in ("GET", "HEAD"):
            assert answer(port, "/health", method, {"Host": "10.0.3.17"})[0] == 200


@pytest.mark.parametrize("path", [f"/{DOCUMENT}?download=1", f"/{DOCUMENT}"])
def test_a_document_is_shown_to_operators(served: LocalEnvironment, path: str) -> None:
    status, headers, body = answer(served.settings.document_port, path)
    assert (status, body) == (200, b"%PDF-1.4")
    assert headers["Content-Type"] == "application/pdf"
    assert headers["Content-Disposition"] is None
    assert headers["X-Content-Type-Options"] == "nosniff"


class FarDocumentStore(LocalDocumentStore):
    """Sends the bytes itself, as S3 does, unless it cannot."""

    error: Exception | None = None

    def brief_link(self, key: str, *, file_name: str | None) -> str:
        if self.error is not None:
            raise self.error
        self.get(key)
        return f"https://s3.example/{key}?as={quote(str(file_name))}"


class FarEnvironment(LocalEnvironment):
    @functools.cached_property
    def _store(self) -> FarDocumentStore:
        return FarDocumentStore(
            self.documents_folder, self.settings.document_links, self._shared_links()
        )

    def document_store(self) -> FarDocumentStore:
        return self._store


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarEnvironment]:
    near = local_environment(tmp_path_factory.mktemp("far"))
    environment = FarEnvironment(near.settings)
    environment.document_store().put(DOCUMENT, b"%PDF-1.4")
    with document_server(environment), shared_link_server(environment):
        yield environment


def test_who_may_have_a_document_is_sent_to_where_it_is(far: FarEnvironment) -> None:
    status, headers, body = answer(far.settings.document_port, f"/{DOCUMENT}")
    assert (status, body) == (302, b"")
    assert headers["Location"] == f"https://s3.example/{DOCUMENT}?as=None"
    status, headers, body = answer(far.settings.shared_port, shared(far))
    assert (status, body) == (302, b"")
    assert headers["Location"].endswith(quote("損益計算書_2026年10月.pdf"))
    # a link that works for a minute is not kept by browsers and proxies
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_who_may_not_is_sent_nowhere(far: FarEnvironment) -> None:
    assert get_shared(far, shared(far, days=-1))[0] == 410
    assert get_shared(far, f"/{DOCUMENT}")[0] == 403
    assert get_shared(far, shared(far, DOCUMENT.replace("r1", "r9")))[0] == 404
    assert get(far, "/intermediates/secret.arrow")[0] == 404
    assert get(far, f"/{DOCUMENT}", "evil.example")[0] == 421


def test_a_store_that_does_not_answer_is_not_the_readers_fault(
    far: FarEnvironment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(FarDocumentStore, "error", AwsUnavailableError("S3 is busy"))
    assert get_shared(far, shared(far))[0] == 503
    monkeypatch.setattr(FarDocumentStore, "error", AwsRefusedError("the role of this task …"))
    status, body = get_shared(far, shared(far))
    assert (status, b"role" in body) == (502, False)
    assert "the role of this task" in caplog.text


def test_an_address_that_is_taken_is_an_error(served: LocalEnvironment) -> None:
    with (
        pytest.raises(AddressUnavailableError, match=r"REPORTS_DOCUMENT_PORT\): .*in use"),
        document_server(served),
    ):
        pytest.fail("two servers at one address")
    with (
        pytest.raises(AddressUnavailableError, match=r"REPORTS_SHARED_PORT\): .*in use"),
        shared_link_server(served),
    ):
        pytest.fail("two servers at one address")
