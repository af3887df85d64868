"""Processes that sleep past their lease and wake up, and many that send at once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from resources.delivery_register import PostgresDeliveryRegister
from tests.proofs.deliveries_under_test import (
    KILL_POINTS,
    TENANTS,
    DeliveriesUnderTest,
    Hook,
    die_at,
    in_a_process,
)

ZOMBIES = range(int(os.environ.get("PROOF_SEEDS", "50")))
ROUNDS = range(2 * len(ZOMBIES))
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
def test_many_at_once_of_whom_some_die(under_test: DeliveriesUnderTest, seed: int) -> None:
    """Senders, the sweeper, a run by hand, new revisions and a person, all at the same time."""
    dice = random.Random(seed)  # noqa: S311 - the seed is the name of the test
    tenants = TENANTS[:3]
    corrected = dice.sample(tenants, 2)
    time_passes = dice.random() < 0.5
    killed = 2

    def sender(number: int) -> Hook:
        if number < killed:
            return die_at(dice.choice(KILL_POINTS), dice.randint(1, len(tenants)))
        return lambda _: None

    processes = [
        in_a_process(under_test.send_newest, dice.sample(tenants, len(tenants)), sender(number))
        for number in range(SENDERS)
    ]
    others = [
        in_a_process(_sweep, under_test, time_passes),
        in_a_process(_regenerate, under_test, corrected),
        in_a_process(_run_by_hand, under_test, tenants),
        in_a_process(under_test.decide, random.Random(seed), tenants, 12),  # noqa: S311
    ]
    for process in processes + others:
        process.join()
    assert {process.exitcode for process in processes[killed:] + others} == {0}
    assert {process.exitcode for process in processes[:killed]} <= {0, -signal.SIGKILL}

    for _ in range(3):
        under_test.let_leases_run_out()
        with PostgresDeliveryRegister(under_test.url, actor="sweeper") as register:
            register.free_expired()
        under_test.settle(tenants)
        under_test.send_newest(tenants)
    under_test.check_revisions(
        tenants, unknown_at_most=killed + (len(processes + others) if time_passes else 0)
    )
    posts = under_test.ses.posts
    under_test.send_newest(tenants)
    assert under_test.ses.posts == posts


def _sweep(under_test: DeliveriesUnderTest, time_passes: bool) -> None:
    with PostgresDeliveryRegister(under_test.url, actor="sweeper") as register:
        for turn in range(20):
            if time_passes and turn == 10:
                under_test.let_leases_run_out()
            register.free_expired()
            time.sleep(0.005)


def _regenerate(under_test: DeliveriesUnderTest, tenant_ids: Sequence[str]) -> None:
    for tenant_id in tenant_ids:
        time.sleep(0.01)
        under_test.regenerate(tenant_id)
        under_test.send_newest([tenant_id])


def _run_by_hand(under_test: DeliveriesUnderTest, tenant_ids: Sequence[str]) -> None:
    time.sleep(0.03)
    under_test.send_newest(tenant_ids)


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
