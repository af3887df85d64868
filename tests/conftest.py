"""What every test may use: a real PostgreSQL, and a fresh migrated database of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import settings

from resources.database import create_database, temporary_postgres, upgrade_schema

if TYPE_CHECKING:
    from tests.emulators.aws import Aws

_numbers = itertools.count(1)

# How long an example takes depends on what else the machine does.
settings.register_profile("reports", deadline=None)
settings.load_profile("reports")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First those that wait for minutes: in the end, no process has to wait for them alone."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a throw-away server."""
    with temporary_postgres() as url:
        upgrade_schema(create_database(url, "template_reports"))
        yield url


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database with the newest schema and nothing in it."""
    name = f"test{next(_numbers)}"
    yield create_database(postgres_server, name, template="template_reports")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as satisfy boto3 and open nothing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-1")


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An account that is empty when the tests of a module begin."""
    # Few modules need one, and moto takes seconds to be imported.
    from tests.emulators.aws import running_aws

    with running_aws() as aws:
        yield aws
