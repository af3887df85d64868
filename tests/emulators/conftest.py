"""An empty account for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulators.aws import Aws, running_aws
from tests.emulators.clusters import create_cluster, python_image


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    with running_aws() as aws:
        aws.ecs.images["reports"] = python_image(tmp_path)
        create_cluster(aws)
        yield aws
