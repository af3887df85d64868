"""The whole system as an operator has it: its own folder, database, daemon and web server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resources.database import EmbeddedPostgres, database_url

FIRST_MONTH = "2025-01"
MONTH = "2025-10"

_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
_BACKFILL_UNDER_WAY = {"REQUESTED", "CANCELING"}


@contextmanager
def new_system(home: Path) -> Iterator[System]:
    """A system in an empty folder; its server's files are removed in the end."""
    try:
        yield System(home)
    finally:
        server = EmbeddedPostgres(home / "postgres")
        shutil.rmtree(server.home(), ignore_errors=True)


class System:
    """A project folder and the commands a person would type in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.document_port = free_port()
        self.variables = {
            **os.environ,
            "REPORTS_HOME": str(home),
            "REPORTS_FIRST_MONTH": FIRST_MONTH,
            "REPORTS_DOCUMENT_LINKS": f"http://127.0.0.1:{self.document_port}",
            "REPORTS_SHARED_LINKS": f"http://127.0.0.1:{free_port()}",
        }

    def reports(self, *arguments: str, exit_code: int = 0, timeout_seconds: int = 300) -> str:
        """Run `reports …`; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "reports_pipeline", *arguments],
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        assert done.returncode == exit_code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[None]:
        """`reports dev`, while the context lasts."""
        with (self.home / "dev.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "reports_pipeline", "dev", "--port", str(self.port)],
                env=self.variables,
                stdout=log,
                stderr=log,
            )
            try:
                self._wait_until_it_answers(process)
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=60)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of the ledger and the register, while the context lasts."""
        with EmbeddedPostgres(self.home / "postgres") as server_url:
            yield database_url(server_url, "reports")

    @property
    def repository(self) -> dict[str, str]:
        """How Dagster's API names this project's definitions."""
        return {
            "repositoryName": "__repository__",
            "repositoryLocationName": "reports_pipeline.definitions",
        }

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def graphql(self, query: str, **variables: object) -> Any:
        """The `data` of Dagster's answer."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.address}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def mails(self, month: str = MONTH) -> list[Path]:
        return sorted((self.home / "outbox" / month).glob("*.eml"))

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first: runId, status, tags."""
        data = self.graphql(
            "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"
        )
        found: list[dict[str, Any]] = data["runsOrError"]["results"]
        return found

    def wait_for_runs(self, timeout_seconds: int = 180) -> list[dict[str, Any]]:
        """All runs, as soon as there are some and none is under way, nor a backfill."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            data = self.graphql(
                "{ partitionBackfillsOrError { ... on PartitionBackfills { results { status } } } }"
            )
            backfills = data["partitionBackfillsOrError"]["results"]
            runs = self.runs()
            if (
                runs
                and all(run["status"] in _ENDED for run in runs)
                and all(backfill["status"] not in _BACKFILL_UNDER_WAY for backfill in backfills)
            ):
                return runs
            time.sleep(0.5)
        raise TimeoutError(f"runs still under way: {self.runs()}")

    def wait_for_partitions(self, count: int, timeout_seconds: int = 120) -> None:
        """Return when the tenant sensor has added so many tenants."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            data = self.graphql(
                """
                { assetNodes { partitionKeysByDimension { name partitionKeys } } }
                """
            )
            for dimension in data["assetNodes"][0]["partitionKeysByDimension"]:
                if dimension["name"] == "tenant" and len(dimension["partitionKeys"]) == count:
                    return
            time.sleep(0.5)
        raise TimeoutError(f"the tenant sensor has not added {count} tenants")

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert process.poll() is None, (self.home / "dev.log").read_text()
            try:
                self.graphql("{ version }")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.3)
            else:
                return
        raise TimeoutError((self.home / "dev.log").read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
