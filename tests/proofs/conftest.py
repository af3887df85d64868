"""What the proofs of delivery share: a month of some tenants, SES's own ledger, and processes that
die where they are told to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from resources.database import create_database
from tests.proofs.deliveries_under_test import TENANTS, DeliveriesUnderTest
from tests.ses_server import running_ses

_months = itertools.count(0)


@pytest.fixture(scope="session")
def deliveries_url(postgres_server: str) -> str:
    return create_database(postgres_server, "proofs", template="template_reports")


@pytest.fixture
def under_test(deliveries_url: str, aws_credentials: None) -> Iterator[DeliveriesUnderTest]:
    """A month of its own, of which nothing is registered yet."""
    month = Month(1990, 1).plus(next(_months))
    with psycopg.connect(deliveries_url) as connection:
        connection.execute(
            """
            insert into reporting.report_revisions
                (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
            select tenant_id, %s, revision, repeat('a', 64), false, 'a.arrow', 'run'
            from unnest(%s::text[]) as tenant_id, generate_series(1, 2) as revision
            """,
            [month.start, TENANTS],
        )
    with running_ses() as ses:
        yield DeliveriesUnderTest(deliveries_url, month, ses)
