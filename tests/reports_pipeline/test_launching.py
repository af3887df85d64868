"""Few balanced runs, each of them requested until it exists and never again."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.tenant_batch import TenantSelection
from reports_pipeline.launching import (
    LAUNCH_TAG,
    MONTH_TAG,
    InactiveTenantsError,
    balanced_batches,
    missing_partitions,
    missing_runs,
    month_runs,
    request_launch,
)
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
    sizes=st.lists(st.one_of(st.integers(0, 9), st.integers(0, 60_000)), max_size=40),
    tenants_per_batch=st.integers(1, 12),
)
def test_batches_are_few_and_balanced(sizes: list[int], tenants_per_batch: int) -> None:
    line_counts = {f"t{number:04}": lines for number, lines in enumerate(sizes)}
    batches = balanced_batches(line_counts, tenants_per_batch)
    # every tenant is in exactly one
    assert sorted(tenant for batch in batches for tenant in batch) == sorted(line_counts)
    assert all(len(batch) <= tenants_per_batch for batch in batches)
    assert len(batches) == math.ceil(len(sizes) / tenants_per_batch)
    lines = [sum(line_counts[tenant] for tenant in batch) for batch in batches]
    assert not batches or max(lines) <= min(lines) + max(sizes)


def test_the_largest_tenant_does_not_make_its_batch_last_longer() -> None:
    line_counts = {"large": 900, "a": 300, "b": 300, "c": 299, "d": 1, "e": 0}
    assert balanced_batches(line_counts, 3) == (("d", "e", "large"), ("a", "b", "c"))


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

    tenants = Tenants(sample_url)
    of_month = month_runs(instance, tenants, APRIL, tenants_per_run=2)
    create_runs(instance, of_month, dg.DagsterRunStatus.NOT_STARTED)
    assert month_runs(instance, tenants, APRIL, tenants_per_run=2) == of_month


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


def test_a_month_runs_every_active_tenant_once(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    tenants = Tenants(sample_url)
    requests = month_runs(instance, tenants, APRIL, tenants_per_run=2)
    assert sorted(t for batch in requested_tenants(requests) for t in batch) == TENANTS
    assert len(requests) == 3
    assert month_runs(instance, tenants, APRIL, tenants_per_run=2) == requests
    create_runs(instance, requests)
    assert month_runs(instance, tenants, APRIL, tenants_per_run=2) == []
    # another month is another matter
    assert len(month_runs(instance, tenants, APRIL.plus(-1), tenants_per_run=2)) == 3


def test_what_an_operator_launched_does_not_stand_for_the_month(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    create_runs(instance, missing_runs(instance, LAUNCH))
    assert len(month_runs(instance, Tenants(sample_url), APRIL, tenants_per_run=100)) == 1


def test_a_tenant_added_later_gets_a_run_of_its_own(
    instance: dg.DagsterInstance, sample_url: str
) -> None:
    tenants = Tenants(sample_url)
    first = month_runs(instance, tenants, APRIL, tenants_per_run=100)
    create_runs(instance, first)
    with psycopg.connect(sample_url) as connection:
        connection.execute("insert into ledger.companies values ('t0006', '株式会社新規')")
    later = month_runs(instance, tenants, APRIL, tenants_per_run=100)
    assert requested_tenants(later) == [["t0006"]]
    assert later[0].run_key != first[0].run_key


def test_partitions_are_missing_until_they_are_added(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions("tenant", ["t0002"])
    assert missing_partitions(instance, ["t0003", "t0002", "t0001"]) == ["t0003", "t0001"]
