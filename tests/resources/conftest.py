"""What the tests of the delivery register share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest

from resources.delivery_register import PostgresDeliveryRegister
from tests.faulty_proxy import FaultyProxy, faulty_proxy

if TYPE_CHECKING:
    from tests.emulators.aws import Aws


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


@pytest.fixture(scope="module")
def proxy_of_module(aws: Aws) -> Iterator[FaultyProxy]:
    with faulty_proxy(aws.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(
    proxy_of_module: FaultyProxy, aws_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> FaultyProxy:
    """Before the account, to which clients come by it; it has seen nothing and is told nothing."""
    proxy_of_module.requests.clear()
    proxy_of_module.faults.clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy_of_module.url)
    return proxy_of_module


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 and the document store try again at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setattr("resources.s3_document_store._PAUSES_SECONDS", (0, 0, 0))
