"""What the tests of the launching modules share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.sample_ledgers import sample_database


@pytest.fixture
def sample_url(postgres_server: str) -> str:
    """A database of the test's own, with the five companies of the sample in its ledger."""
    return sample_database(postgres_server)


@pytest.fixture(scope="session")
def new_instance_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance's files, made once, since making them takes longer than any of the tests."""
    folder = tmp_path_factory.mktemp("dagster")
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        instance.get_runs()
        instance.get_dynamic_partitions("tenant")
    return folder


@pytest.fixture
def instance(tmp_path: Path, new_instance_folder: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that has seen nothing yet; a persistent one, since schedules and sensors open
    theirs by its reference."""
    folder = shutil.copytree(new_instance_folder, tmp_path / "dagster")
    with dg.DagsterInstance.local_temp(
        str(folder), overrides={"telemetry": {"enabled": False}}
    ) as instance:
        yield instance
