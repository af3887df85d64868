"""What every test may use: a real PostgreSQL, and a fresh migrated database of its own."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.database import EmbeddedPostgres, create_database, upgrade_schema

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a throw-away server."""
    server = EmbeddedPostgres(Path(tmp_path_factory.mktemp("postgres")), durable=False)
    with server as url:
        upgrade_schema(create_database(url, "template_reports"))
        yield url
    shutil.rmtree(server.home())


@pytest.fixture
def database_url(postgres_server: str) -> str:
    """The URL of a database with the newest schema and nothing in it."""
    return create_database(postgres_server, f"test{next(_numbers)}", template="template_reports")
