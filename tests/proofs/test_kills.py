"""Processes are killed at every point of a delivery: no mail goes out twice, and none is missing
without a sign."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Sequence

import pytest

from tests.proofs.deliveries_under_test import (
    KILL_POINTS,
    MONTH_OF_TENANTS,
    TENANTS,
    DeliveriesUnderTest,
    die_at,
)

SEEDS = range(int(os.environ.get("PROOF_SEEDS", "50")))  # of `make proof` 500


@pytest.mark.parametrize("occurrence", [1, len(MONTH_OF_TENANTS) // 2, len(MONTH_OF_TENANTS)])
@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_process_killed_anywhere(
    under_test: DeliveriesUnderTest, point: str, occurrence: int
) -> None:
    process = under_test.send_all_in_a_process(die_at(point, occurrence), MONTH_OF_TENANTS)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    recover(under_test, MONTH_OF_TENANTS, kills=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_processes_killed_again_and_again(under_test: DeliveriesUnderTest, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the seed is the name of the test
    kills = dice.randint(1, 5)
    for _ in range(kills):
        hook = die_at(dice.choice(KILL_POINTS), dice.randint(1, len(TENANTS)))
        under_test.send_all_in_a_process(hook).join()
        if dice.random() < 0.5:
            under_test.let_leases_run_out()
    recover(under_test, TENANTS, kills=kills)


def recover(under_test: DeliveriesUnderTest, tenant_ids: Sequence[str], *, kills: int) -> None:
    """The next run finishes the month, and another has nothing left to do."""
    under_test.let_leases_run_out()
    under_test.send_all(tenant_ids)
    under_test.check(tenant_ids, unknown_at_most=kills)
    posts = under_test.ses.posts
    under_test.send_all(tenant_ids)
    assert under_test.ses.posts == posts
    under_test.check(tenant_ids, unknown_at_most=kills)
