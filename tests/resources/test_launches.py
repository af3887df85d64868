"""What was asked for is written down, whole, until it has its runs."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from resources.delivery_decisions import DeliveryDecisions
from resources.launches import SWEEPER, Launch, Launches

OCTOBER = Month(2026, 10)
FIRST = Launch("backfill-1", OCTOBER, (("t0001", "t0003"), ("t0002",)))
SECOND = Launch("backfill-0", Month(2026, 9), (("t0001",),))


@pytest.fixture
def launches(database_url: str) -> Launches:
    return Launches(database_url)


def test_a_launch_waits_for_its_runs_oldest_first(launches: Launches) -> None:
    launches.request(FIRST, requested_by="yamada")
    launches.request(SECOND, requested_by="yamada")
    assert launches.unlaunched() == [FIRST, SECOND]


def test_a_launched_one_waits_no_longer(launches: Launches) -> None:
    launches.request(FIRST, requested_by="yamada")
    launches.request(SECOND, requested_by="yamada")
    launches.mark_launched([FIRST.launch_id])
    assert launches.unlaunched() == [SECOND]


def test_batches_keep_their_order(launches: Launches) -> None:
    many = Launch("backfill-2", OCTOBER, tuple((f"t{number:04}",) for number in range(12, 0, -1)))
    launches.request(many, requested_by="yamada")
    assert launches.unlaunched() == [many]


def test_whether_all_tenants_are_verified_is_kept(launches: Launches) -> None:
    asked = Launch("backfill-4", OCTOBER, (("t0001",),), verify_all=True)
    launches.request(asked, requested_by="yamada")
    launches.request(FIRST, requested_by="yamada")
    assert [launch.verify_all for launch in launches.unlaunched()] == [True, False]


def test_who_asked_and_when_is_kept(launches: Launches, database_url: str) -> None:
    launches.request(FIRST, requested_by="yamada")
    launches.mark_launched([FIRST.launch_id])
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select requested_by, launched_at >= requested_at from reporting.launches"
        ).fetchone()
    assert row == ("yamada", True)


def test_whoever_was_asked_for_is_known(launches: Launches) -> None:
    launches.request(FIRST, requested_by="yamada")
    launches.request(SECOND, requested_by="yamada")
    launches.request(Launch("sweep-1", OCTOBER, (("t0001", "t0009"),)), requested_by=SWEEPER)
    launches.mark_launched(["sweep-1"])
    assert launches.tenants_of(OCTOBER) == {"t0001", "t0002", "t0003", "t0009"}
    assert launches.tenants_of(OCTOBER.plus(1)) == set()


def test_a_launch_is_written_whole_or_not_at_all(launches: Launches) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        launches.request(Launch("backfill-3", OCTOBER, (("t0001",), ())), requested_by="yamada")
    assert launches.unlaunched() == []


def test_whether_only_mails_are_asked_for_is_kept(launches: Launches) -> None:
    asked = Launch("sweep-1", OCTOBER, (("t0001",),), deliveries_only=True)
    launches.request(asked, requested_by=SWEEPER)
    assert launches.unlaunched() == [asked]


def test_an_id_is_used_once(launches: Launches) -> None:
    assert launches.request(FIRST, requested_by="yamada")
    again = dataclasses.replace(FIRST, batches=(("t0009",),))
    assert not launches.request(again, requested_by="sato")
    assert launches.unlaunched() == [FIRST]


def test_of_two_that_request_an_id_at_once_one_does(launches: Launches) -> None:
    start = threading.Barrier(4)

    def request(number: int) -> bool:
        start.wait()
        batches = ((f"t{number:04}",),)
        return launches.request(Launch("sweep-1", OCTOBER, batches), requested_by=SWEEPER)

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(request, range(4))) == [False, False, False, True]
    [launch] = launches.unlaunched()
    assert len(launch.batches) == 1


def sweep(launches: Launches, launch_id: str, *tenant_ids: str, month: Month = OCTOBER) -> None:
    assert launches.request(Launch(launch_id, month, (tenant_ids,)), requested_by=SWEEPER)


def counts(launches: Launches) -> dict[str, int]:
    return {tenant_id: found.count for tenant_id, found in launches.sweeps(OCTOBER).items()}


def test_what_the_sweeper_asked_for_is_counted(launches: Launches) -> None:
    assert launches.sweeps(OCTOBER) == {}
    sweep(launches, "sweep-1", "t0001", "t0002")
    first = launches.sweeps(OCTOBER)["t0001"].last_at
    sweep(launches, "sweep-2", "t0001")
    sweep(launches, "sweep-3", "t0001", month=Month(2026, 9))
    assert counts(launches) == {"t0001": 2, "t0002": 1}
    assert launches.sweeps(OCTOBER)["t0001"].last_at > first
    assert launches.sweeps(OCTOBER)["t0002"].last_at == first


def test_it_is_counted_anew_once_an_operator_has_launched(launches: Launches) -> None:
    sweep(launches, "sweep-1", "t0001", "t0002")
    launches.request(Launch("backfill-1", OCTOBER, (("t0001",),)), requested_by="yamada")
    assert counts(launches) == {"t0002": 1}
    sweep(launches, "sweep-2", "t0001", "t0002")
    assert counts(launches) == {"t0001": 1, "t0002": 2}


def test_it_is_counted_anew_once_somebody_has_decided(
    launches: Launches, database_url: str
) -> None:
    sweep(launches, "sweep-1", "t0001", "t0002", "t0003")
    decisions = DeliveryDecisions(database_url, actor="yamada")
    decisions.release(["t0001"], OCTOBER, "訂正済み")
    decisions.release(["t0002"], None, "訂正済み")
    decisions.release(["t0003"], Month(2026, 9), "訂正済み")
    assert counts(launches) == {"t0003": 1}


def test_who_is_parked_stays_so_until_it_is_counted_anew(launches: Launches) -> None:
    sweep(launches, "sweep-1", "t0001", "t0002")
    for _ in range(2):
        launches.park(OCTOBER, {"t0001": launches.sweeps(OCTOBER)["t0001"]})
    parked = {tenant_id: found.parked for tenant_id, found in launches.sweeps(OCTOBER).items()}
    assert parked == {"t0001": True, "t0002": False}
    launches.request(FIRST, requested_by="yamada")
    sweep(launches, "sweep-2", "t0001")
    assert not launches.sweeps(OCTOBER)["t0001"].parked
