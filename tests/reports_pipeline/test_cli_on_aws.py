"""Commands where the environment is AWS: what works as everywhere, and what is for one machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.cli import main
from resources.database import create_database, database_url
from resources.launches import Launches
from tests.reports_pipeline.aws_variables import ON_AWS
from tests.sample_ledgers import APRIL, sample_database

_INSTANCE = """
storage:
  postgres:
    postgres_url:
      env: REPORTS_DAGSTER_URL
"""


@pytest.fixture(scope="module")
def sample_url(postgres_server: str) -> str:
    return sample_database(postgres_server)


@pytest.fixture(autouse=True)
def on_aws(sample_url: str, postgres_server: str, tmp_path: Path) -> Iterator[None]:
    """The process environment of a task, in which databases are those of this machine."""
    (tmp_path / "dagster.yaml").write_text(_INSTANCE)
    variables = ON_AWS | {
        "REPORTS_DATABASE_URL": sample_url,
        "REPORTS_LEDGER_URL": sample_url,
        "REPORTS_DAGSTER_URL": create_database(postgres_server, "dagster_on_aws"),
        "REPORTS_FIRST_MONTH": "2025-02",
        "DAGSTER_HOME": str(tmp_path),
    }
    handler = signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ, variables):
        yield
    signal.signal(signal.SIGTERM, handler)


def reports(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def refused(*arguments: str) -> str:
    """What is said to a command that is refused in good order."""
    result = reports(*arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    return result.output


@pytest.mark.parametrize(
    "command",
    [["exec", "dagster", "--version"], ["dev"], ["demo"], ["database-url"]],
    ids=lambda command: command[0],
)
def test_what_sets_up_one_machine_says_so(command: list[str]) -> None:
    said = refused(*command)
    assert f"{command[0]}` is for one machine, and REPORTS_ENVIRONMENT is aws" in said


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPORTS_DOCUMENTS_BUCKET")
    assert "REPORTS_DOCUMENTS_BUCKET: must be set" in refused(
        "month", "status", "--month", str(APRIL)
    )


@pytest.mark.parametrize(
    "command",
    [
        ["month", "status", "--month", str(APRIL)],
        ["deliveries", "list", "--month", str(APRIL)],
        ["preferences", "show"],
        ["branding", "show"],
        ["accounts", "list", "--month", str(APRIL), "--tenant", "t0001"],
        ["books", "show", "--month", str(APRIL)],
        ["window", "show"],
        ["events", "prune", "--dry-run"],
        ["statement", "--month", str(APRIL), "--tenant", "t0001"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_what_looks_at_the_databases_works(command: list[str]) -> None:
    result = reports(*command)
    assert result.exit_code == 0, result.output


def test_a_month_is_launched_for_the_daemon_of_the_cluster(sample_url: str) -> None:
    said = refused("backfill", "--month", str(APRIL), "--tenant", "t0001,t0002")
    assert "2 tenants in 1 run" in said
    assert "No Dagster daemon is running" in said
    assert "on AWS the service `daemon`" in said
    [launch] = Launches(sample_url).unlaunched()
    assert launch.month == APRIL


def test_an_instance_that_nobody_names_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    assert "DAGSTER_HOME: must be set" in refused("events", "prune", "--dry-run")


def test_an_outdated_schema_is_no_traceback(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = create_database(postgres_server, "empty_on_aws")
    monkeypatch.setenv("REPORTS_DATABASE_URL", url)
    said = refused("month", "status", "--month", str(APRIL))
    assert "run `reports database upgrade` once" in said


def test_a_fresh_server_gets_its_databases_by_one_command(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = database_url(postgres_server, "fresh_register")
    dagster = database_url(postgres_server, "fresh_dagster")
    monkeypatch.setenv("REPORTS_DATABASE_URL", register)
    monkeypatch.setenv("REPORTS_LEDGER_URL", register)
    monkeypatch.setenv(
        "REPORTS_DAGSTER_URL", dagster.replace("postgresql://", "postgresql+psycopg2://")
    )
    for _ in range(2):
        result = reports("database", "upgrade")
        assert result.exit_code == 0, result.output
        assert "up to date" in result.output
    assert reports("month", "status", "--month", str(APRIL)).exit_code == 0
    with psycopg.connect(dagster) as connection:
        connection.execute("select from runs")
