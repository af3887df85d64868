"""One machine's services: what they are told, and what the document server shows."""

from __future__ import annotations

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
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.local import dagster_variables, document_server, run_command, running

DOCUMENT = "reports/t0001/2026-10/r1/income_statement.pdf"


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> LocalEnvironment:
    return local_environment(tmp_path / "home", REPORTS_DATABASE_URL=database_url)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEnvironment]:
    """An environment whose documents are shown, and files beside them that must not be."""
    home = tmp_path_factory.mktemp("served")
    (home / "secret.txt").write_text("open sesame")
    environment = local_environment(home)
    environment.document_store().put(DOCUMENT, b"%PDF-1.4")
    environment.document_store().put("intermediates/secret.arrow", b"open sesame")
    with document_server(environment):
        yield environment


def local_environment(home: Path, **variables: str) -> LocalEnvironment:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        links = f"http://127.0.0.1:{probe.getsockname()[1]}"
    variables |= {"REPORTS_HOME": str(home), "REPORTS_DOCUMENT_LINKS": links}
    return LocalEnvironment(Settings.from_environment(variables))


def get(environment: LocalEnvironment, path: str) -> tuple[int, bytes]:
    """Status and body of the answer to a path, which is sent exactly as it is."""
    host = urlsplit(environment.settings.document_links).netloc
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
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


@pytest.mark.parametrize("path", ["/", "/reports", "/reports/", "/reports/t0001/"])
def test_tenants_are_not_listed(served: LocalEnvironment, path: str) -> None:
    status, body = get(served, path)
    assert status in (301, 404)
    assert b"t0001" not in body


def test_the_server_is_not_reachable_from_other_machines(served: LocalEnvironment) -> None:
    port = urlsplit(served.settings.document_links).port
    # this machine under another address, which only Linux has
    with pytest.raises(OSError, match=r"refused|assign|timed out"):
        socket.create_connection(("127.0.0.2", port or 0), timeout=5)


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
    with pytest.raises(OSError, match="in use"), document_server(served):
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
