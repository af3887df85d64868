"""The mechanism through real runs: `dg.materialize` ignores the setting it depends on."""

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import dagster as dg
import psycopg
import pytest
from dagster._core.event_api import PartitionKeyFilter

from assets import tenant_batch
from assets.tenant_batch import TenantSelection
from reports_pipeline.accounting.periods import Month
from tests.assets import batch_pipeline

TENANTS = ["a", "b", "c", "d"]
WHOLE_RANGE = {
    "dagster/asset_partition_range_start": "2025-10|a",
    "dagster/asset_partition_range_end": "2025-10|d",
}


@pytest.fixture
def instance(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("TEST_DATABASE_URL", database_url)
    batch_pipeline.failing.clear()
    batch_pipeline.calls.clear()
    with dg.DagsterInstance.local_temp(
        str(tmp_path), overrides={"telemetry": {"enabled": False}}
    ) as instance:
        instance.add_dynamic_partitions("tenant", [*TENANTS, "inactive"])
        yield instance


def run(
    instance: dg.DagsterInstance,
    tags: Mapping[str, str] | None = None,
    run_config: Mapping[str, Any] | None = None,
    retry_of: str | None = None,
) -> dg.JobExecutionResult:
    options = dg.ReexecutionOptions.from_failure(retry_of, instance) if retry_of else None
    if retry_of:
        # the web UI and the daemon set these two
        tags = {**(tags or {}), "dagster/is_resume_retry": "true"}
    return dg.execute_job(
        dg.reconstructable(batch_pipeline.job),
        instance=instance,
        tags=dict(tags or {}),
        run_config=run_config,
        reexecution_options=options,
    )


def materialized(instance: dg.DagsterInstance, run_id: str, asset: str) -> set[str]:
    """Tenants for which the run reported the asset."""
    logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    keys = set()
    for log in logs:
        event = log.get_dagster_event()
        if event.asset_key == dg.AssetKey(asset):
            assert event.partition is not None, "an unpartitioned materialization was reported"
            keys.add(event.partition.split("|")[1])
    return keys


def shown_as_failed(instance: dg.DagsterInstance, asset: str) -> set[str]:
    """Tenants that Dagster's pages show as failed: planned, not materialized, run failed."""
    attempts = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(  # noqa: E501
        dg.AssetKey(asset)
    )
    failed_runs = {
        run.run_id
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    }
    return {key.split("|")[1] for key, (run_id, _) in attempts.items() if run_id in failed_runs}


def failed_tenants(result: dg.JobExecutionResult) -> list[dict[str, Any]]:
    """What the step failures of a run say of its tenants."""
    found: list[dict[str, Any]] = []
    for event in result.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        assert failure is not None
        found += cast("list[dict[str, Any]]", failure.metadata["failed_tenants"].value)
    return found


def test_all_tenants_pass_through_all_stages(instance: dg.DagsterInstance) -> None:
    result = run(instance, WHOLE_RANGE)
    assert result.success
    for asset in ("grains", "flour", "bread"):
        assert materialized(instance, result.run_id, asset) == set(TENANTS)
        assert shown_as_failed(instance, asset) == set()


def test_an_outcome_says_of_which_revision_it_is_if_the_stage_knows(
    instance: dg.DagsterInstance, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_pipeline.failing["flour"] = {"b"}
    monkeypatch.setattr(batch_pipeline, "clogging", {"c"})
    run(instance, WHOLE_RANGE)
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "select tenant_id, revision from reporting.stage_outcomes where stage = 'flour'"
        )
        assert dict(rows.fetchall()) == {"a": 2, "b": 2, "c": None, "d": 2}


def test_a_failing_tenant_leaves_and_the_others_go_on(instance: dg.DagsterInstance) -> None:
    batch_pipeline.failing["flour"] = {"b"}
    result = run(instance, WHOLE_RANGE)
    assert not result.success
    assert materialized(instance, result.run_id, "grains") == set(TENANTS)
    assert materialized(instance, result.run_id, "flour") == {"a", "c", "d"}
    assert materialized(instance, result.run_id, "bread") == {"a", "c", "d"}
    assert shown_as_failed(instance, "grains") == set()
    assert shown_as_failed(instance, "flour") == {"b"}
    assert shown_as_failed(instance, "bread") == {"b"}
    [failure] = failed_tenants(result)
    assert (failure["tenant_id"], failure["month"]) == ("b", "2025-10")
    assert (failure["code"], failure["details"]) == ("LEDGER_IMBALANCE", {"difference": 3})


def test_a_failed_check_is_reported_on_the_tenants_partition_and_with_the_run(
    instance: dg.DagsterInstance,
) -> None:
    batch_pipeline.failing["flour"] = {"b"}
    result = run(instance, WHOLE_RANGE)
    of_tenant, of_run = result.get_asset_check_evaluations()
    for evaluation in (of_tenant, of_run):
        assert (evaluation.check_name, evaluation.passed) == ("flour_is_white", False)
        assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert of_run.partition is None
    assert of_tenant.partition == "2025-10|b"
    assert of_tenant.description == "2025-10 b: grey"
    assert of_tenant.metadata["grams"].value == 3


def test_a_tenants_results_are_found_by_its_partition(instance: dg.DagsterInstance) -> None:
    """As the web server looks for them."""
    batch_pipeline.failing["flour"] = {"b", "d"}
    config = TenantSelection.run_config(Month(2025, 10), ["b", "c", "d"])
    run_id = run(instance, run_config=config).run_id
    check = dg.AssetCheckKey(dg.AssetKey("flour"), "flour_is_white")

    def results(partition: str | None) -> list[tuple[str, str]]:
        found = instance.event_log_storage.get_asset_check_execution_history(
            check, limit=10, partition_filter=PartitionKeyFilter(key=partition)
        )
        return [(record.run_id, record.status.value) for record in found]

    assert results("2025-10|b") == results("2025-10|d") == [(run_id, "FAILED")]
    assert results("2025-10|c") == []
    assert results(None) == [(run_id, "FAILED")]


def test_a_check_that_only_warns_of_its_tenants_is_a_warning(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_pipeline.failing["flour"] = {"b", "d"}
    severities = []
    for pardoned in ({"b", "d"}, {"b"}):
        monkeypatch.setattr(batch_pipeline, "pardoned", pardoned)
        *_, of_run = run(instance, WHOLE_RANGE).get_asset_check_evaluations()
        severities.append(of_run.severity)
    assert severities == [dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR]


def of_run(result: dg.JobExecutionResult) -> dg.AssetCheckEvaluation:
    [evaluation] = [e for e in result.get_asset_check_evaluations() if e.partition is None]
    return evaluation


def facts(evaluation: dg.AssetCheckEvaluation) -> dict[str, object]:
    return {name: value.value for name, value in evaluation.metadata.items()}


def test_what_a_check_found_in_the_halves_of_a_batch_is_added_up(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_pipeline, "clogging", {"c"})
    batch_pipeline.failing["flour"] = {"b"}
    check = of_run(run(instance, WHOLE_RANGE))
    assert not check.passed
    assert facts(check) == {
        "sacks": 30,
        "violations": 1,
        "weighed": ["2025-10 a", "2025-10 b", "2025-10 d"],
        "violating_tenants": {"2025-10 b": "grey"},
    }


class RestartingDatabase(psycopg.OperationalError):
    """It is back by the next try."""

    def __init__(self, *_: object) -> None:
        batch_pipeline.clogging.clear()


class ToldToEndError(Exception):
    """The signal comes before there is an exception."""

    def __init__(self, *_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_stage_whose_error_stays_is_given_up(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_batch, "_RETRIES", dg.RetryPolicy(max_retries=2, delay=0))
    monkeypatch.setattr(batch_pipeline, "clogging", {"c"})
    monkeypatch.setattr(batch_pipeline, "clogs_with", psycopg.OperationalError)
    assert not run(instance, WHOLE_RANGE).success
    assert len([stage for stage, _ in batch_pipeline.calls if "clogged" in stage]) == 3


def test_a_stage_that_something_passing_stopped_is_tried_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_batch, "_RETRIES", dg.RetryPolicy(max_retries=1, delay=0))
    monkeypatch.setattr(batch_pipeline, "clogging", {"c"})
    monkeypatch.setattr(batch_pipeline, "clogs_with", RestartingDatabase)
    result = run(instance, WHOLE_RANGE)
    assert result.success
    assert [event.step_key for event in result.all_events if event.is_step_up_for_retry] == [
        "bakery.flour_stage"
    ]
    assert materialized(instance, result.run_id, "bread") == set(TENANTS)


@pytest.mark.parametrize(("last", "made"), [("b", ["a", "b"]), ("d", ["a", "b", "c", "d"])])
def test_a_run_that_is_told_to_end_ends_the_tenant_under_way(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, last: str, made: list[str]
) -> None:
    monkeypatch.setattr(batch_pipeline, "interrupting", {last})
    monkeypatch.setattr(batch_pipeline, "made", [])
    result = run(instance, WHOLE_RANGE)
    assert batch_pipeline.made == [("grains", tenant_id) for tenant_id in made]
    assert materialized(instance, result.run_id, "grains") == set(made)
    failed = instance.get_run_by_id(result.run_id)
    assert failed is not None
    assert failed.status is dg.DagsterRunStatus.FAILURE
    # For which Dagster starts a run again, unlike for a step that failed.
    assert failed.tags["dagster/failure_reason"] == "UNEXPECTED_TERMINATION"


def test_a_run_that_is_told_to_end_between_tenants_starts_no_stage_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_pipeline, "clogging", {"c"})
    monkeypatch.setattr(batch_pipeline, "clogs_with", ToldToEndError)
    result = run(instance, WHOLE_RANGE)
    assert not result.success
    assert [stage for stage, _ in batch_pipeline.calls] == ["grains", "flour, clogged"]


def test_a_stage_is_handed_a_large_batch_in_portions(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_batch, "_TENANTS_AT_ONCE", 3)
    batch_pipeline.failing["grains"] = {"b"}
    result = run(instance, WHOLE_RANGE)
    assert [tenants for stage, tenants in batch_pipeline.calls if stage == "grains"] == [
        ["a", "b", "c"],
        ["d"],
    ]
    assert [failure["tenant_id"] for failure in failed_tenants(result)] == ["b"]
    for asset in ("grains", "flour", "bread"):
        assert materialized(instance, result.run_id, asset) == {"a", "c", "d"}
    assert facts(of_run(result))["sacks"] == 30


def test_what_a_check_found_in_several_months_is_added_up(instance: dg.DagsterInstance) -> None:
    batch_pipeline.failing["flour"] = {"b"}
    months = {
        "dagster/asset_partition_range_start": "2025-10|a",
        "dagster/asset_partition_range_end": "2025-11|b",
    }
    check = of_run(run(instance, months))
    assert facts(check) == {
        "sacks": 40,
        "violations": 2,
        "weighed": ["2025-10 a", "2025-10 b", "2025-11 a", "2025-11 b"],
        "violating_tenants": {"2025-10 b": "grey", "2025-11 b": "grey"},
    }


def test_a_check_that_could_not_be_made_warns_of_no_tenant(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_pipeline, "broken_scales", True)
    result = run(instance, WHOLE_RANGE)
    assert result.success
    [check] = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == "the scales are broken"
    assert facts(check)["violating_tenants"] == {}


def test_re_execution_from_failure_works_on_the_failed_tenant_alone(
    instance: dg.DagsterInstance,
) -> None:
    batch_pipeline.failing["grains"] = {"b"}
    first = run(instance, WHOLE_RANGE)
    batch_pipeline.failing.clear()
    batch_pipeline.calls.clear()
    second = run(instance, WHOLE_RANGE, retry_of=first.run_id)
    assert second.success
    assert batch_pipeline.calls == [("grains", ["b"]), ("flour", ["b"]), ("bread", ["b"])]
    for asset in ("grains", "flour", "bread"):
        assert shown_as_failed(instance, asset) == set()


def test_tenants_that_were_fine_stay_fine_when_a_re_execution_fails_again(
    instance: dg.DagsterInstance,
) -> None:
    batch_pipeline.failing["grains"] = {"b"}
    first = run(instance, WHOLE_RANGE)
    second = run(instance, WHOLE_RANGE, retry_of=first.run_id)
    assert not second.success
    assert shown_as_failed(instance, "bread") == {"b"}
    batch_pipeline.failing.clear()
    batch_pipeline.calls.clear()
    third = run(instance, WHOLE_RANGE, retry_of=second.run_id)
    assert third.success
    assert [tenants for _, tenants in batch_pipeline.calls] == [["b"], ["b"], ["b"]]


def test_a_selection_reports_on_its_own_tenants_only(instance: dg.DagsterInstance) -> None:
    batch_pipeline.failing["grains"] = {"d"}
    config = TenantSelection.run_config(Month(2025, 10), ["b", "d"])
    result = run(instance, run_config=config)
    assert not result.success
    assert materialized(instance, result.run_id, "bread") == {"b"}
    assert shown_as_failed(instance, "grains") == {"d"}
    assert shown_as_failed(instance, "bread") == {"d"}


def test_a_range_may_ask_to_have_all_of_its_tenants_verified(instance: dg.DagsterInstance) -> None:
    """As it is typed in the web UI's launchpad."""
    asked = {"resources": {"tenant_selection": {"config": {"verify_all": True}}}}
    result = run(instance, WHOLE_RANGE, run_config=asked)
    assert materialized(instance, result.run_id, "bread") == set(TENANTS)


def test_a_stage_never_takes_what_an_earlier_run_left_for_a_tenant_that_now_failed(
    instance: dg.DagsterInstance,
) -> None:
    config = TenantSelection.run_config(Month(2025, 10), ["a", "b"])
    assert run(instance, run_config=config).success
    batch_pipeline.failing["grains"] = {"a"}
    batch_pipeline.calls.clear()
    second = run(instance, run_config=config)
    assert batch_pipeline.calls == [("grains", ["a", "b"]), ("flour", ["b"]), ("bread", ["b"])]
    assert [failure["code"] for failure in failed_tenants(second)] == ["LEDGER_IMBALANCE"]


def test_a_later_stage_alone_says_what_it_lacks(instance: dg.DagsterInstance) -> None:
    config = TenantSelection.run_config(Month(2025, 10), ["a"])
    result = dg.execute_job(
        dg.reconstructable(batch_pipeline.job),
        instance=instance,
        run_config=config,
        asset_selection=[dg.AssetKey("flour")],
    )
    [failure] = failed_tenants(result)
    assert failure["code"] == "INPUT_MISSING"
    assert failure["details"] == {"stage": "grains", "code": None}
    assert batch_pipeline.calls == []


def test_an_inactive_tenant_yields_no_work(instance: dg.DagsterInstance) -> None:
    config = TenantSelection.run_config(Month(2025, 10), ["a", "inactive"])
    result = run(instance, run_config=config)
    assert result.success
    assert materialized(instance, result.run_id, "bread") == {"a"}


def test_an_unexpected_error_is_the_tenants_own(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fragile(set[str]):
        def __contains__(self, tenant_id: object) -> bool:
            if tenant_id == "c":
                raise ZeroDivisionError("no flour")
            return False

    batch_pipeline.failing["flour"] = Fragile()
    result = run(instance, WHOLE_RANGE)
    [failure] = failed_tenants(result)
    assert (failure["tenant_id"], failure["code"]) == ("c", "INTERNAL_ERROR")
    assert "ZeroDivisionError: no flour" in failure["details"]["error"]
    assert materialized(instance, result.run_id, "bread") == {"a", "b", "d"}


def test_a_tenant_whose_data_breaks_the_whole_batch_is_found(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_pipeline, "breaking", {"c"})
    result = run(instance, WHOLE_RANGE)
    [failure] = failed_tenants(result)
    assert (failure["tenant_id"], failure["code"]) == ("c", "INTERNAL_ERROR")
    assert materialized(instance, result.run_id, "bread") == {"a", "b", "d"}


def test_what_may_pass_by_itself_is_tried_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_batch, "_PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(batch_pipeline, "throttled", {"c": 2, "d": 3})
    result = run(instance, WHOLE_RANGE)
    assert [failure["tenant_id"] for failure in failed_tenants(result)] == ["d"]
    assert materialized(instance, result.run_id, "bread") == {"a", "b", "c"}


def test_a_month_that_is_no_partition_is_refused_before_any_work(
    instance: dg.DagsterInstance,
) -> None:
    for month in (Month(2024, 12), Month(2099, 1)):
        result = run(instance, run_config=TenantSelection.run_config(month, ["a"]))
        assert not result.success
    assert batch_pipeline.calls == []


def test_a_run_whose_tags_lie_about_its_partitions_is_refused(
    instance: dg.DagsterInstance,
) -> None:
    # what a backfill of a job, rather than of assets, launched (dagster 28861, 30786)
    lie = {
        **WHOLE_RANGE,
        "dagster/partition/month": "2025-10",
        "dagster/partition/tenant": "a",
    }
    result = run(instance, lie)
    assert not result.success
    assert batch_pipeline.calls == []
