"""What the tests of the delivery register share."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from resources.delivery_register import PostgresDeliveryRegister


@pytest.fixture
def revisions_url(database_url: str) -> str:
    """A database in which the tenants t0001 and t0002 have two revisions of October 2026."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            insert into reporting.report_revisions
                (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
            select tenant_id, '2026-10-01', revision, repeat('a', 64), false, 'a.arrow', 'run'
            from unnest(array['t0001', 't0002']) as tenant_id, generate_series(1, 2) as revision
            """
        )
    return database_url


@pytest.fixture
def register(revisions_url: str) -> Iterator[PostgresDeliveryRegister]:
    with PostgresDeliveryRegister(revisions_url, actor="run-1") as register:
        yield register
