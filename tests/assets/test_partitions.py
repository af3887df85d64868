"""Months by tenants: a window of months, and tenants that are only ever added."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import dagster as dg

from assets.partitions import TENANTS, month_tenant_partitions, partition_key
from reports_pipeline.accounting.periods import Month

TOKYO = ZoneInfo("Asia/Tokyo")


def test_a_key_has_the_month_first_and_reads_back() -> None:
    key = partition_key(Month(2026, 10), "t0001")
    assert key == "2026-10|t0001"
    assert key.keys_by_dimension == {"month": "2026-10", "tenant": "t0001"}


def months_at(now: datetime.datetime) -> list[str]:
    partitions = month_tenant_partitions(Month(2025, 6))
    [months] = [d.partitions_def for d in partitions.partitions_defs if d.name == "month"]
    return list(months.get_partition_keys(current_time=now))


def test_the_window_ends_with_the_last_month_that_is_over() -> None:
    months = months_at(datetime.datetime(2026, 10, 31, 23, 59, tzinfo=TOKYO))
    assert (months[0], months[-1], len(months)) == ("2025-06", "2026-09", 16)


def test_a_month_is_over_when_it_is_in_tokyo() -> None:
    # already November there
    assert months_at(datetime.datetime(2026, 10, 31, 15, tzinfo=datetime.UTC))[-1] == "2026-10"


def test_every_month_has_every_tenant_that_was_added() -> None:
    now = datetime.datetime(2025, 8, 10, tzinfo=TOKYO)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(TENANTS.name), ["t0002", "t0001"])
        keys = month_tenant_partitions(Month(2025, 6)).get_partition_keys(
            current_time=now, dynamic_partitions_store=instance
        )
    assert set(keys) == {
        partition_key(month, tenant_id)
        for month in (Month(2025, 6), Month(2025, 7))
        for tenant_id in ("t0001", "t0002")
    }
