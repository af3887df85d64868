"""Sequences of everything that processes, people, time and the provider do to a tenant's month:
what must not be fails and changes nothing, and no reader has a mail twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from psycopg.rows import dict_row

from resources.database import create_database
from resources.delivery_register import PostgresDeliveryRegister
from tests.proofs.register_machine import RegisterMachine

SEEDS = range(8 * max(1, int(os.environ.get("PROOF_SEEDS", "50")) // 50))
SEQUENCES = 250  # of each seed: 2,000 in all, of `make proof` 20,000


@pytest.fixture(scope="module")
def url(postgres_server: str) -> str:
    return create_database(postgres_server, "machines", template="template_reports")


@pytest.fixture(scope="module")
def register(url: str) -> Iterator[PostgresDeliveryRegister]:
    with PostgresDeliveryRegister(url, actor="process") as register:
        yield register


@pytest.mark.parametrize("number", SEEDS)
def test_whatever_happens_in_whatever_order(
    url: str, register: PostgresDeliveryRegister, number: int
) -> None:
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        run_state_machine_as_test(
            # Whatever makes a machine will do.
            cast(
                type[RegisterMachine],
                seed(number)(lambda: RegisterMachine(url, register, connection)),
            ),
            settings=settings(
                max_examples=SEQUENCES,
                stateful_step_count=12,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
