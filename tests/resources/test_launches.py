"""What was asked for is written down, whole, until it has its runs."""

from __future__ import annotations

import psycopg
import pytest

from reports_pipeline.accounting.periods import Month
from resources.launches import Launch, Launches

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


def test_a_launch_is_written_whole_or_not_at_all(launches: Launches) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        launches.request(Launch("backfill-3", OCTOBER, (("t0001",), ())), requested_by="yamada")
    assert launches.unlaunched() == []


def test_an_id_is_used_once(launches: Launches) -> None:
    launches.request(FIRST, requested_by="yamada")
    with pytest.raises(psycopg.errors.UniqueViolation):
        launches.request(FIRST, requested_by="sato")
    assert launches.unlaunched() == [FIRST]
