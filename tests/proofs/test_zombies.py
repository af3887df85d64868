"""Processes that sleep past their lease and wake up, and many that send at once."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.proofs.deliveries_under_test import (
    KILL_POINTS,
    TENANTS,
    DeliveriesUnderTest,
    Hook,
    die_at,
)

ZOMBIES = range(int(os.environ.get("PROOF_SEEDS", "50")))
ROUNDS = ZOMBIES
SENDERS = 8


@pytest.mark.parametrize("seed", ZOMBIES)
def test_a_process_that_wakes_up_after_its_lease(
    under_test: DeliveriesUnderTest, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - the seed is the name of the test
    tenants = TENANTS[:10]
    stopped = tmp_path / "stopped"
    process = under_test.send_all_in_a_process(
        _stop_at(dice.choice(KILL_POINTS), dice.randint(1, len(tenants)), stopped), tenants
    )
    while not stopped.exists():
        assert process.is_alive(), "it never came to the point"
        time.sleep(0.005)
    assert process.pid is not None
    under_test.let_leases_run_out()
    under_test.send_all(tenants)
    os.kill(process.pid, signal.SIGCONT)
    process.join()
    assert process.exitcode == 0
    under_test.send_all(tenants)
    under_test.check(tenants, unknown_at_most=1)


@pytest.mark.parametrize("seed", ROUNDS)
def test_many_senders_at_once_of_which_some_die(under_test: DeliveriesUnderTest, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the seed is the name of the test
    tenants = TENANTS[:5]
    senders = []
    for number in range(SENDERS):
        order = dice.sample(tenants, len(tenants))
        hook: Hook = (
            die_at(dice.choice(KILL_POINTS), dice.randint(1, len(tenants)))
            if number % 4 == 0
            else lambda _: None
        )
        senders.append(under_test.send_all_in_a_process(hook, order))
    for sender in senders:
        sender.join()
    under_test.let_leases_run_out()
    under_test.send_all(tenants)
    under_test.check(tenants, unknown_at_most=SENDERS)


def _stop_at(point: str, occurrence: int, stopped: Path) -> Hook:
    """Stop the process when it passes a point for the n-th time, until somebody lets it go on."""
    passed = 0

    def hook(passing: str) -> None:
        nonlocal passed
        passed += passing == point
        if passing == point and passed == occurrence:
            stopped.touch()
            os.kill(os.getpid(), signal.SIGSTOP)

    return hook
