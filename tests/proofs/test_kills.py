"""Processes are killed at every point of a delivery: no mail goes out twice, and none is missing
without a sign."""

from __future__ import annotations

import os
import random
import signal

import pytest

from tests.proofs.deliveries_under_test import KILL_POINTS, TENANTS, DeliveriesUnderTest, die_at

SEEDS = range(int(os.environ.get("PROOF_SEEDS", "50")))  # of `make proof` 500


@pytest.mark.parametrize("occurrence", [1, len(TENANTS) // 2, len(TENANTS)])
@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_process_killed_anywhere(
    under_test: DeliveriesUnderTest, point: str, occurrence: int
) -> None:
    process = under_test.send_all_in_a_process(die_at(point, occurrence))
    process.join()
    assert process.exitcode == -signal.SIGKILL
    recover(under_test, kills=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_processes_killed_again_and_again(under_test: DeliveriesUnderTest, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the seed is the name of the test
    kills = dice.randint(1, 5)
    for _ in range(kills):
        hook = die_at(dice.choice(KILL_POINTS), dice.randint(1, len(TENANTS)))
        under_test.send_all_in_a_process(hook).join()
        if dice.random() < 0.5:
            under_test.let_leases_run_out()
    recover(under_test, kills=kills)


def recover(under_test: DeliveriesUnderTest, *, kills: int) -> None:
    """The next run finishes the month, and another has nothing left to do."""
    under_test.let_leases_run_out()
    under_test.send_all()
    under_test.check(unknown_at_most=kills)
    posts = under_test.ses.posts
    under_test.send_all()
    assert under_test.ses.posts == posts
    under_test.check(unknown_at_most=kills)
