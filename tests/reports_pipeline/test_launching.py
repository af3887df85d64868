"""Few balanced runs, each of them requested until it exists and never again."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import uuid
from collections.abc import Collection, Iterator, Sequence

import dagster as dg
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.tenant_batch import TenantSelection
from reports_pipeline.accounting.periods import Month
from reports_pipeline.launching import (
    LAUNCH_TAG,
    MONTH_TAG,
    InactiveTenantsError,
    TaskPlacement,
    balanced_batches,
    missing_partitions,
    missing_runs,
    month_launch,
    request_launch,
    run_requests,
    tenants_under_way,
)
from reports_pipeline.tokyo import now
from resources.launches import Launch, Launches
from resources.tenants import Tenants
from tests.reports_pipeline.requested_runs import (
    create_runs,
    requested_months,
    requested_tenants,
    requested_verification,
)
from tests.sample_ledgers import APRIL, TENANTS

LAUNCH = Launch("backfill-1", APRIL, (("t0002",), ("t0001", "t0003"), ("t0004", "t0005")))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance that has seen nothing yet, in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@given(
    sizes=st.lists(st.one_of(st.integers(0, 9), st.integers(0, 600_000)), max_size=40),
    tenants_per_batch=st.integers(1, 12),
)
def test_every_tenant_is_in_one_batch_and_none_is_too_full(
    sizes: list[int], tenants_per_batch: int
) -> None:
    line_counts = {f"t{number:04}": lines for number, lines in enumerate(sizes)}
    batches = balanced_batches(line_counts, tenants_per_batch)
    assert sorted(tenant for batch in batches for tenant in batch) == sorted(line_counts)
    for batch in batches:
        lines = sum(line_counts[tenant] // 12_500 for tenant in batch)
        assert len(batch) == 1 or len(batch) + lines <= tenants_per_batch


@given(
    sizes=st.lists(st.integers(0, 12_499), min_size=1, max_size=60),
    tenants_per_batch=st.integers(1, 12),
)
def test_batches_of_usual_tenants_are_few(sizes: list[int], tenants_per_batch: int) -> None:
    line_counts = {f"t{number:04}": lines for number, lines in enumerate(sizes)}
    batches = balanced_batches(line_counts, tenants_per_batch)
    assert len(batches) == math.ceil(len(sizes) / tenants_per_batch)


def test_the_largest_tenants_batch_has_fewer_others_and_lasts_no_longer() -> None:
    line_counts = {f"t{number:04}": 1_000 for number in range(1, 5_000)} | {"large": 500_000}
    batches = balanced_batches(line_counts, 100)
    assert len(batches) == 51
    [its_own] = [batch for batch in batches if "large" in batch]
    assert len(its_own) < 62
    # a tenant costs as much as 12,500 lines, however few it has
    work = [sum(12_500 + line_counts[tenant] for tenant in batch) for batch in batches]
    assert max(work) / min(work) < 1.03


def test_a_tenant_that_would_fill_a_batch_is_alone() -> None:
    line_counts = {"large": 5_000_000, "a": 10, "b": 10, "c": 10}
    assert balanced_batches(line_counts, 3) == (("large",), ("a", "b", "c"))


def test_tenants_that_do_not_fit_together_get_batches_of_their_own() -> None:
    line_counts = dict.fromkeys(["a", "b", "c"], 40_000)
    assert balanced_batches(line_counts, 3) == (("a",), ("b",), ("c",))


def test_the_order_of_the_tenants_does_not_matter() -> None:
    line_counts = {f"t{number:04}": number % 3 for number in range(20)}
    turned = dict(reversed(line_counts.items()))
    assert balanced_batches(line_counts, 6) == balanced_batches(turned, 6)


def launch_april(url: str, tenant_ids: list[str] | None) -> Launch:
    return request_launch(
        Launches(url),
        Tenants(url),
        launch_id="backfill-2025-04",
        month=APRIL,
        tenant_ids=tenant_ids,
        tenants_per_run=2,
        requested_by="yamada",
    )


def test_a_launch_of_all_is_of_the_active_ones(sample_url: str) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute("update ledger.companies set status = 'left' where tenant_id = 't0004'")
    launch = launch_april(sample_url, None)
    assert Launches(sample_url).unlaunched() == [launch]
    assert sorted(t for batch in launch.batches for t in batch) == [
        "t0001",
        "t0002",
        "t0003",
        "t0005",
    ]
    # t0002 has more lines than all others together, so it takes the smallest one beside it
    counts = Tenants(sample_url).line_counts(APRIL, TENANTS)
    assert ("t0002", "t0005") in launch.batches
    assert min(counts, key=counts.__getitem__) == "t0005"


def test_a_selection_is_launched_once_however_often_a_tenant_is_named(sample_url: str) -> None:
    launch = launch_april(sample_url, ["t0003", "t0001", "t0003"])
    assert launch.batches == (("t0001", "t0003"),)


def test_unknown_and_inactive_tenants_are_named_and_nothing_is_launched(sample_url: str) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute(
            "update ledger.companies set status = 'suspended' where tenant_id = 't0004'"
        )
    with pytest.raises(InactiveTenantsError, match=r"^no such active tenants: nobody, t0004$"):
        launch_april(sample_url, ["t0004", "t0001", "nobody"])
    assert Launches(sample_url).unlaunched() == []


def test_a_batch_with_a_very_large_company_gets_a_larger_task() -> None:
    def line_counts(month: Month, tenant_ids: Collection[str]) -> dict[str, int]:
        return {t: 500_000 if t == LAUNCH.batches[0][-1] else 499_999 for t in tenant_ids}

    placement = TaskPlacement(large_task=(2048, 8192), line_counts=line_counts)
    sizes = [
        (request.tags.get("ecs/cpu"), request.tags.get("ecs/memory"))
        for request in run_requests(LAUNCH, placement)
    ]
    assert sizes == [("2048", "8192")] + [(None, None)] * (len(LAUNCH.batches) - 1)


@pytest.mark.parametrize(
    ("launch_id", "on_spot"),
    [("month-2026-04", False), ("backfill-2026-04-1", True), ("sweep-2026-04-1", False)],
)
def test_what_people_ask_for_may_run_on_spot_and_the_month_never_does(
    launch_id: str, on_spot: bool
) -> None:
    launch = dataclasses.replace(LAUNCH, launch_id=launch_id)
    strategy = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
    for request in run_requests(launch, TaskPlacement(backfill_capacity="FARGATE_SPOT")):
        placed = json.loads(request.tags.get("ecs/run_task_kwargs", "null"))
        assert placed == (strategy if on_spot else None)


def test_every_batch_lacks_a_run_at_first(instance: dg.DagsterInstance) -> None:
    requests = missing_runs(instance, LAUNCH)
    assert requested_tenants(requests) == [list(batch) for batch in LAUNCH.batches]
    assert requested_months(requests) == {"2025-04"}
    assert len({request.run_key for request in requests}) == 3
    for request in requests:
        assert request.tags[LAUNCH_TAG] == "backfill-1"
        assert request.tags[MONTH_TAG] == "2025-04"


def test_that_all_tenants_are_verified_is_handed_on(instance: dg.DagsterInstance) -> None:
    assert requested_verification(missing_runs(instance, LAUNCH)) == {False}
    asked = dataclasses.replace(LAUNCH, verify_all=True)
    assert requested_verification(missing_runs(instance, asked)) == {True}


def test_asked_again_the_requests_are_the_same(instance: dg.DagsterInstance) -> None:
    # Dagster creates one run for a key, however often it is asked
    assert missing_runs(instance, LAUNCH) == missing_runs(instance, LAUNCH)


def test_a_batch_that_has_its_run_lacks_none(instance: dg.DagsterInstance) -> None:
    first, *others = missing_runs(instance, LAUNCH)
    create_runs(instance, [first])
    assert missing_runs(instance, LAUNCH) == others
    create_runs(instance, others)
    assert missing_runs(instance, LAUNCH) == []


def test_a_run_that_was_created_but_never_submitted_is_requested_again(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    # the daemon died in between; under the same key, Dagster submits the run that is there
    requests = missing_runs(instance, LAUNCH)
    create_runs(instance, requests, dg.DagsterRunStatus.NOT_STARTED)
    assert missing_runs(instance, LAUNCH) == requests

    of_month = runs_of_month(instance, sample_url)
    create_runs(instance, of_month, dg.DagsterRunStatus.NOT_STARTED)
    assert runs_of_month(instance, sample_url) == of_month


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_a_run_that_failed_is_not_requested_again(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    # that is for a person, or for Dagster's retries, to decide
    create_runs(instance, missing_runs(instance, LAUNCH), status)
    assert missing_runs(instance, LAUNCH) == []


def test_the_runs_of_another_launch_do_not_count(instance: dg.DagsterInstance) -> None:
    requests = missing_runs(instance, LAUNCH)
    create_runs(instance, requests)
    again = Launch("backfill-2", LAUNCH.month, LAUNCH.batches)
    of_again = missing_runs(instance, again)
    assert requested_tenants(of_again) == requested_tenants(requests)
    keys = {request.run_key for request in requests}
    assert keys.isdisjoint(request.run_key for request in of_again)


def test_a_run_tells_the_tenants_it_was_requested_for(instance: dg.DagsterInstance) -> None:
    create_runs(instance, missing_runs(instance, LAUNCH))
    found = [TenantSelection.of_run(run) for run in instance.get_runs()]
    assert sorted(found) == [["t0001", "t0003"], ["t0002"], ["t0004", "t0005"]]


def test_a_run_with_partitions_of_its_own_lists_no_tenants() -> None:
    assert TenantSelection.of_run(dg.DagsterRun(job_name="bakery", run_id="1")) == []


def runs_of_month(
    instance: dg.DagsterInstance,
    url: str,
    month: Month = APRIL,
    expected: Sequence[str] = TENANTS,
    *,
    tenants_per_run: int = 2,
) -> list[dg.RunRequest]:
    launch = month_launch(
        instance, Launches(url), Tenants(url), month, expected, tenants_per_run=tenants_per_run
    )
    return run_requests(launch)


def test_a_month_runs_every_expected_tenant_once(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    requests = runs_of_month(instance, sample_url)
    assert sorted(t for batch in requested_tenants(requests) for t in batch) == TENANTS
    assert len(requests) == 3
    assert runs_of_month(instance, sample_url) == requests
    create_runs(instance, requests)
    assert runs_of_month(instance, sample_url) == []
    # another month is another matter
    assert len(runs_of_month(instance, sample_url, APRIL.plus(-1))) == 3


def test_who_is_not_expected_or_not_active_any_more_is_not_run(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute("update ledger.companies set status = 'left' where tenant_id = 't0004'")
    requests = runs_of_month(instance, sample_url, expected=["t0001", "t0004"])
    assert requested_tenants(requests) == [["t0001"]]


def test_what_an_operator_launched_does_not_stand_for_the_month(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    create_runs(instance, missing_runs(instance, LAUNCH))
    assert len(runs_of_month(instance, sample_url, tenants_per_run=100)) == 1


def test_what_is_written_down_as_the_months_launch_is_not_requested_beside_it(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    launches = Launches(sample_url)
    launches.request(Launch("month-2025-04", APRIL, (("t0002", "t0003"),)), requested_by="sato")
    rest = runs_of_month(instance, sample_url)
    assert sorted(t for batch in requested_tenants(rest) for t in batch) == [
        "t0001",
        "t0004",
        "t0005",
    ]
    # once they are created, its runs say so themselves
    [launch] = launches.unlaunched()
    create_runs(instance, missing_runs(instance, launch))
    launches.mark_launched([launch.launch_id])
    assert runs_of_month(instance, sample_url) == rest


def test_partitions_are_missing_until_they_are_added(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("tenant", ["t0002"])
    assert missing_partitions(instance, ["t0003", "t0002", "t0001"]) == ["t0003", "t0001"]


def under_way(instance: dg.DagsterInstance, url: str, month: Month = APRIL) -> list[str]:
    now = datetime.datetime.now(datetime.UTC)
    return sorted(tenants_under_way(instance, Launches(url), month, now))


def enter_run(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    **tags: str,
) -> dg.DagsterRun:
    """A run from Dagster's pages; `range_end` is the tag `dagster/asset_partition_range_end`."""
    names = {
        "partition": "dagster/partition",
        "range_start": "dagster/asset_partition_range_start",
        "range_end": "dagster/asset_partition_range_end",
        "will_retry": "dagster/will_retry",
        "retried_by": "dagster/auto_retry_run_id",
    }
    return instance.add_run(
        dg.DagsterRun(
            job_name="monthly_reports",
            run_id=str(uuid.uuid4()),
            status=status,
            tags={names[name]: value for name, value in tags.items()},
        )
    )


@pytest.mark.parametrize("status", ["QUEUED", "STARTING", "STARTED", "CANCELING"])
def test_the_tenants_of_a_launched_run_are_under_way(
    instance: dg.DagsterInstance, database_url: str, status: str
) -> None:
    create_runs(instance, missing_runs(instance, LAUNCH)[1:], dg.DagsterRunStatus[status])
    assert under_way(instance, database_url) == ["t0001", "t0003", "t0004", "t0005"]
    assert under_way(instance, database_url, APRIL.plus(1)) == []


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "CANCELED", "NOT_STARTED"])
def test_those_of_a_run_that_ended_or_was_never_submitted_are_not(
    instance: dg.DagsterInstance, database_url: str, status: str
) -> None:
    create_runs(instance, missing_runs(instance, LAUNCH), dg.DagsterRunStatus[status])
    assert under_way(instance, database_url) == []


def test_who_is_asked_for_is_under_way_before_there_is_a_run(
    instance: dg.DagsterInstance, database_url: str
) -> None:
    launches = Launches(database_url)
    launches.request(LAUNCH, requested_by="yamada")
    assert under_way(instance, database_url) == TENANTS
    assert under_way(instance, database_url, APRIL.plus(1)) == []
    # also before anybody has noted that it has its runs
    create_runs(instance, missing_runs(instance, LAUNCH)[1:], dg.DagsterRunStatus.FAILURE)
    assert under_way(instance, database_url) == ["t0002"]
    launches.mark_launched([LAUNCH.launch_id])
    assert under_way(instance, database_url) == []


def test_the_tenants_of_backfills_from_dagsters_pages_are_under_way(
    instance: dg.DagsterInstance, database_url: str
) -> None:
    # a range is in the order in which partitions were added
    instance.add_dynamic_partitions("tenant", ["t0003", "t0001", "t0005", "t0002", "t0004"])
    enter_run(instance, partition="2025-04|t0004")
    enter_run(instance, range_start="2025-03|t0001", range_end="2025-04|t0002")
    enter_run(instance, range_start="2025-03|t0003", range_end="2025-03|t0003")
    enter_run(instance)
    assert under_way(instance, database_url) == ["t0001", "t0002", "t0004", "t0005"]
    assert under_way(instance, database_url, APRIL.plus(-1)) == [
        "t0001",
        "t0002",
        "t0003",
        "t0005",
    ]


def test_who_waits_for_the_retry_of_a_run_is_under_way(
    instance: dg.DagsterInstance, database_url: str
) -> None:
    failure = dg.DagsterRunStatus.FAILURE
    enter_run(instance, failure, partition="2025-04|t0001", will_retry="true")
    enter_run(instance, failure, partition="2025-04|t0002", will_retry="false")
    enter_run(instance, failure, partition="2025-04|t0003", will_retry="true", retried_by="run-2")
    assert under_way(instance, database_url) == ["t0001"]
    # Dagster may lose a retry
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=11)
    assert tenants_under_way(instance, Launches(database_url), APRIL, later) == set()


def test_a_retry_is_waited_for_as_long_by_the_clock_of_tokyo(
    instance: dg.DagsterInstance, database_url: str
) -> None:
    failure = dg.DagsterRunStatus.FAILURE
    enter_run(instance, failure, partition="2025-04|t0001", will_retry="true")
    launches = Launches(database_url)
    assert tenants_under_way(instance, launches, APRIL, now()) == {"t0001"}


def test_a_launch_of_mails_makes_runs_of_the_last_stage_only(instance: dg.DagsterInstance) -> None:
    mails = dataclasses.replace(LAUNCH, deliveries_only=True)
    selections = [request.asset_selection for request in missing_runs(instance, mails)]
    assert selections == [[dg.AssetKey("report_deliveries")]] * 3
    assert {request.asset_selection is None for request in missing_runs(instance, LAUNCH)} == {True}
