"""What the proofs of delivery share: a month of some tenants, SES's own ledger, and processes that
die where they are told to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from reports_pipeline.accounting.periods import Month
from resources.database import create_database
from tests.proofs.deliveries_under_test import DeliveriesUnderTest, register_month
from tests.ses_server import running_ses

_months = itertools.count(0)


@pytest.fixture(scope="session")
def deliveries_url(postgres_server: str) -> str:
    return create_database(postgres_server, "proofs", template="template_reports")


@pytest.fixture
def next_month() -> Month:
    """One in which nothing has happened."""
    return Month(1990, 1).plus(next(_months))


@pytest.fixture
def under_test(
    deliveries_url: str,
    next_month: Month,
    aws_credentials: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DeliveriesUnderTest]:
    """A month of its own, of which nothing is registered yet."""
    register_month(deliveries_url, next_month)
    with running_ses() as ses:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ses.url)
        yield DeliveriesUnderTest(deliveries_url, next_month, ses)
