"""One machine's services: what they are told, and what the document server shows."""

from __future__ import annotations

import datetime
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.local import (
    AddressUnavailableError,
    dagster_variables,
    document_server,
    run_command,
    running,
    shared_link_server,
)
from tests.end_to_end.system import free_port

DOCUMENT = "reports/t0001/2026-10/r1/income_statement.pdf"
WORKBOOK = "reports/t0001/2026-10/r1/income_statement.xlsx"
CONTENTS = {DOCUMENT: b"%PDF-1.4", WORKBOOK: b"PK"}


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> LocalEnvironment:
    return local_environment(tmp_path / "home", REPORTS_DATABASE_URL=database_url)


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
    port = urlsplit(environment.settings.document_links).port
    status, _, body = answer(port or 0, path, headers=headers)
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
    port = urlsplit(served.settings.document_links).port
    proxied = {"Host": "reports.financeflow.example"}
    assert answer(port or 0, shared(served), headers=proxied)[0] == 421


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


def test_the_server_ends_with_its_context(environment: LocalEnvironment) -> None:
    with document_server(environment):
        assert get(environment, "/")[0] == 404
    with pytest.raises(ConnectionRefusedError):
        get(environment, "/")


def test_documents_shown_by_another_server_are_left_to_it(
    database_url: str, tmp_path: Path
) -> None:
    settings = Settings.from_environment(
        {
            "REPORTS_HOME": str(tmp_path),
            "REPORTS_DATABASE_URL": database_url,
            "REPORTS_DOCUMENT_LINKS": "https://documents.financeflow.example",
        }
    )
    with document_server(LocalEnvironment(settings)):
        assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_taken_is_an_error(served: LocalEnvironment) -> None:
    with (
        pytest.raises(AddressUnavailableError, match=r"REPORTS_DOCUMENT_LINKS\): .*in use"),
        document_server(served),
    ):
        pytest.fail("two servers at one address")
    with (
        pytest.raises(AddressUnavailableError, match=r"REPORTS_SHARED_PORT\): .*in use"),
        shared_link_server(served),
    ):
        pytest.fail("two servers at one address")


def test_dagsters_programs_find_instance_and_databases(
    environment: LocalEnvironment, database_url: str
) -> None:
    variables = dagster_variables(environment)
    home = environment.settings.home
    assert variables["REPORTS_HOME"] == str(home)
    assert variables["DAGSTER_HOME"] == str(home / "dagster")
    assert (home / "dagster" / "dagster.yaml").read_text().count("REPORTS_DAGSTER_URL") == 1
    assert variables["REPORTS_DATABASE_URL"] == database_url
    assert variables["REPORTS_DAGSTER_URL"] == database_url.replace(
        "postgresql://", "postgresql+psycopg2://"
    )
    # the variables are settings that the programs can use
    assert Settings.from_environment(variables).home == home


def test_dagsters_own_database_may_be_another(database_url: str, tmp_path: Path) -> None:
    environment = LocalEnvironment(
        Settings.from_environment(
            {
                "REPORTS_HOME": str(tmp_path),
                "REPORTS_DATABASE_URL": database_url,
                "REPORTS_DAGSTER_URL": "postgresql://elsewhere/dagster",
            }
        )
    )
    variables = dagster_variables(environment)
    assert variables["REPORTS_DAGSTER_URL"] == "postgresql+psycopg2://elsewhere/dagster"
    assert variables["REPORTS_DATABASE_URL"] == database_url


def test_a_command_runs_with_these_variables_and_its_exit_code_is_returned(
    environment: LocalEnvironment, tmp_path: Path, restored_signals: None
) -> None:
    written = tmp_path / "written"
    program = (
        "import os, pathlib, sys;"
        f"pathlib.Path({str(written)!r}).write_text(os.environ['DAGSTER_HOME']); sys.exit(7)"
    )
    assert run_command(environment, [sys.executable, "-c", program]) == 7
    assert written.read_text() == str(environment.settings.home / "dagster")


def test_a_request_to_end_is_passed_on_and_the_command_is_awaited(
    environment: LocalEnvironment, tmp_path: Path, restored_signals: None
) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    program = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        f"    pathlib.Path({str(ended)!r}).touch(); sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "time.sleep(30)\n"
    )

    def end_when_started() -> None:
        wait_for(started)
        os.kill(os.getpid(), signal.SIGTERM)

    killer = threading.Thread(target=end_when_started)
    killer.start()
    assert run_command(environment, [sys.executable, "-c", program]) == 3
    killer.join()
    assert ended.exists()


def test_a_service_runs_as_long_as_its_context(
    environment: LocalEnvironment, service: str, tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "service.log"
    with running(environment, service, "run", log=log) as process:
        wait_for(log, "serving")
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM
    assert log.read_text() == "run serving ['-m', 'reports_pipeline.definitions']\n"


def test_what_a_service_leaves_behind_ends_too(
    environment: LocalEnvironment, service: str, tmp_path: Path
) -> None:
    """Dagster's daemon starts a code server, which must not outlive the database."""
    log, lock = tmp_path / "service.log", tmp_path / "held"
    with lock.open("a") as file:
        with running(environment, service, str(lock), log=log):
            wait_for(log, "child serving")
            with pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_service_ends_even_when_the_work_beside_it_fails(
    environment: LocalEnvironment, service: str, tmp_path: Path
) -> None:
    log = tmp_path / "service.log"
    started: list[subprocess.Popen[bytes]] = []

    def work() -> None:
        with running(environment, service, log=log) as process:
            started.append(process)
            wait_for(log, "serving")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert [process.returncode for process in started] == [-signal.SIGTERM]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that serves until it is told to end; given a file, so does a child of it, which
    holds a lock on the file."""
    (tmp_path / "endless.py").write_text(
        """
import fcntl, subprocess, sys, time
name, *arguments = sys.argv[1:]
if name.startswith("/"):
    subprocess.Popen([sys.executable, "-m", "endless", "child", name])
if name == "child":
    file = open(arguments[0], "a")
    fcntl.flock(file, fcntl.LOCK_EX)
print(name, "serving", arguments, flush=True)
time.sleep(30)
"""
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "endless"


@pytest.fixture
def restored_signals() -> Iterator[None]:
    """`run_command` is the last thing a process does, so it leaves its handlers behind."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def wait_for(path: Path, text: str = "") -> None:
    deadline = time.monotonic() + 20
    while not (path.exists() and text in path.read_text()):
        if time.monotonic() > deadline:
            raise TimeoutError(str(path))
        time.sleep(0.02)
