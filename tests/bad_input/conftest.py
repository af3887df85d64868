"""What the tests of bad input share: a sound April to compare with, and a ledger to spoil."""

from __future__ import annotations

import pytest

from tests.bad_input.april import AprilRun, run_april
from tests.sample_ledgers import TENANTS, sample_database


@pytest.fixture(scope="package")
def sound(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AprilRun:
    """April as it is when nothing is wrong with any ledger."""
    april = run_april(sample_database(postgres_server), tmp_path_factory.mktemp("sound"))
    assert april.failures == {}
    for tenant_id in TENANTS:
        left = april.left[tenant_id]
        assert left.reports is not None
        assert len(left.documents) == 7
        assert left.mails
    return april


@pytest.fixture
def url(postgres_server: str) -> str:
    """A ledger of the test's own."""
    return sample_database(postgres_server)
