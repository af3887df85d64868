"""What the tests of the stages share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.assets.monthly_stages import MonthlyStages
from tests.sample_ledgers import sample_database


@pytest.fixture
def stages(postgres_server: str, tmp_path: Path) -> MonthlyStages:
    """The sample's five companies, none of which is in any stage yet."""
    return MonthlyStages(sample_database(postgres_server), tmp_path)
