"""The last fate of a tenant's month counts, and a batch is written whole or not at all."""

from __future__ import annotations

import datetime

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.periods import Month
from resources.stage_outcomes import StageOutcome, StageOutcomes

OCTOBER, NOVEMBER = Month(2026, 10), Month(2026, 11)
UNBALANCED = TenantFailure(
    "t0002", FailureCode.LEDGER_IMBALANCE, {"difference": 3, "posted_on": "2026-10-05"}
)


@pytest.fixture
def outcomes(database_url: str) -> StageOutcomes:
    return StageOutcomes(database_url)


def test_artefacts_and_failures_are_read_back(outcomes: StageOutcomes) -> None:
    outcomes.record("statements", OCTOBER, "run-1", {"t0001": "a.arrow"}, [UNBALANCED])
    assert outcomes.read("statements", OCTOBER, ["t0001", "t0002", "t0003"]) == {
        "t0001": StageOutcome("run-1", "a.arrow", None, None),
        "t0002": StageOutcome(
            "run-1", None, "LEDGER_IMBALANCE", {"difference": 3, "posted_on": "2026-10-05"}
        ),
    }


def test_only_the_tenants_stage_and_month_asked_for_are_read(outcomes: StageOutcomes) -> None:
    outcomes.record("statements", OCTOBER, "run-1", {"t0001": "a", "t0002": "a"}, [])
    assert list(outcomes.read("statements", OCTOBER, ["t0002"])) == ["t0002"]
    assert outcomes.read("report_pdfs", OCTOBER, ["t0001"]) == {}
    assert outcomes.read("statements", NOVEMBER, ["t0001"]) == {}


def test_a_success_replaces_a_failure_and_the_other_way_round(outcomes: StageOutcomes) -> None:
    outcomes.record("statements", OCTOBER, "run-1", {"t0001": "a"}, [UNBALANCED])
    unbalanced = TenantFailure("t0001", FailureCode.LEDGER_IMBALANCE)
    outcomes.record("statements", OCTOBER, "run-2", {"t0002": "b"}, [unbalanced])
    assert outcomes.read("statements", OCTOBER, ["t0001", "t0002"]) == {
        "t0001": StageOutcome("run-2", None, "LEDGER_IMBALANCE", {}),
        "t0002": StageOutcome("run-2", "b", None, None),
    }


def test_tenants_that_a_later_run_does_not_name_keep_their_fate(outcomes: StageOutcomes) -> None:
    outcomes.record("statements", OCTOBER, "run-1", {"t0001": "a", "t0003": "a"}, [UNBALANCED])
    outcomes.record("statements", OCTOBER, "run-2", {"t0001": "b"}, [])
    found = outcomes.read("statements", OCTOBER, ["t0001", "t0002", "t0003"])
    assert {tenant_id: outcome.run_id for tenant_id, outcome in found.items()} == {
        "t0001": "run-2",
        "t0002": "run-1",
        "t0003": "run-1",
    }


def test_a_batch_that_cannot_be_written_leaves_nothing(outcomes: StageOutcomes) -> None:
    not_json = TenantFailure("t0003", FailureCode.INTERNAL_ERROR, {"error": "a\0b"})
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        outcomes.record("statements", OCTOBER, "run-1", {"t0001": "a"}, [UNBALANCED, not_json])
    assert outcomes.read("statements", OCTOBER, ["t0001", "t0002", "t0003"]) == {}


def test_nothing_to_write_is_fine(outcomes: StageOutcomes) -> None:
    outcomes.record("statements", OCTOBER, "run-1", {}, [])
    assert outcomes.read("statements", OCTOBER, []) == {}


def test_when_outcomes_were_recorded_is_told_of_those_since_a_moment(
    outcomes: StageOutcomes, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select now()").fetchone()
    assert row is not None
    outcomes.record("statements", OCTOBER, "run-1", {"t0001": "a"}, [UNBALANCED])
    outcomes.record("statements", NOVEMBER, "run-1", {"t0001": "a"}, [])
    outcomes.record("report_pdfs", OCTOBER, "run-1", {"t0001": "a"}, [])
    first, second = outcomes.recorded_since("statements", OCTOBER, row[0])
    assert row[0] <= first == second
    later = first + datetime.timedelta(microseconds=1)
    assert outcomes.recorded_since("statements", OCTOBER, later) == []
