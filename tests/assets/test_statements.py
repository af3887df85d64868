"""Statements obey the identities, or their tenant stops here; numbers decide the revision."""

from __future__ import annotations

from pathlib import Path

import psycopg

from assets.monthly_reports import STAGES
from assets.tenant_batch import StageResult
from reports_pipeline.accounting.controls import CONTROLS
from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.reports import StatementKind
from resources.batch_files import read_batch
from tests.assets.monthly_stages import MonthlyStages
from tests.sample_ledgers import APRIL, TENANTS


def lose_cash(stages: MonthlyStages) -> None:
    """Earlier months of the cash flow come from snapshots, which only the statements compare with
    the balances of cash, unless a mark says that somebody changed them."""
    with psycopg.connect(stages.url) as connection:
        changed = connection.execute(
            "update ledger.balance_snapshots set inflow = inflow + 11"
            " where tenant_id = 't0004' and month = '2025-03-01' and account_code = '1210'"
        )
        assert changed.rowcount == 1
        connection.execute("delete from ledger.stale_snapshots")


def revisions(result: StageResult) -> dict[str, object]:
    return {t: artefact.metadata["revision"].value for t, artefact in result.artefacts.items()}


def test_every_tenant_has_one_statement_of_each_kind(stages: MonthlyStages) -> None:
    stages.run("ledger_extracts")
    result = stages.run("statements")
    assert result.failures == []
    [key] = {artefact.key for artefact in result.artefacts.values()}
    tables = read_batch(stages.store, key)
    assert set(tables) == {"statements", "companies", "claims", "numbers"}
    kinds = tables["statements"].groupby("tenant_id")["statement"].unique()
    assert kinds.index.tolist() == TENANTS
    for of_tenant in kinds:
        assert list(of_tenant) == list(StatementKind)
    assert revisions(result) == dict.fromkeys(TENANTS, 1)


def test_every_identity_is_checked_and_holds(stages: MonthlyStages) -> None:
    stages.run("ledger_extracts")
    result = stages.run("statements")
    [stage] = [stage for stage in STAGES if stage.name == "statements"]
    assert [check.name for check in result.checks] == list(stage.checks)
    assert list(stage.checks)[:-1] == list(CONTROLS)
    for check in result.checks[:-1]:
        assert not check.violations
        assert check.counts == {"tenants": 5}


def test_a_violated_identity_fails_its_tenant_and_its_check_names_it(
    stages: MonthlyStages,
) -> None:
    lose_cash(stages)
    assert stages.run("ledger_extracts").failures == []
    result = stages.run("statements")

    [failure] = result.failures
    assert (failure.tenant_id, failure.code) == ("t0004", FailureCode.IDENTITY_VIOLATED)
    actual, expected = failure.details["actual"], failure.details["expected"]
    assert isinstance(actual, int)
    assert isinstance(expected, int)
    assert actual - expected == 11
    others = [tenant_id for tenant_id in TENANTS if tenant_id != "t0004"]
    assert list(result.artefacts) == others
    [key] = {artefact.key for artefact in result.artefacts.values()}
    for table in read_batch(stages.store, key).values():
        assert sorted(set(table["tenant_id"])) == others

    [failed] = [check for check in result.checks if check.violations]
    assert failed.name == failure.details["control"]
    [violation] = failed.violations
    assert violation.tenant_id == "t0004"
    assert {name: value.value for name, value in violation.metadata.items()} == {
        "expected_minor_units": expected,
        "actual_minor_units": actual,
        "difference_minor_units": 11,
    }


def test_where_all_fail_nothing_is_stored_and_the_checks_say_so(
    stages: MonthlyStages, tmp_path: Path
) -> None:
    lose_cash(stages)
    stages.run("ledger_extracts", ["t0004"])
    result = stages.run("statements", ["t0004"])
    assert result.artefacts == {}
    assert list(tmp_path.rglob("statements-*.arrow")) == []
    assert len([check for check in result.checks if check.violations]) == 1


def test_the_same_numbers_keep_their_revision_and_others_get_the_next(
    stages: MonthlyStages,
) -> None:
    for name in ("ledger_extracts", "statements"):
        stages.run(name)
    assert revisions(stages.run("statements", run_id="run-2")) == dict.fromkeys(TENANTS, 1)

    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "update ledger.companies set name = name || '新社' where tenant_id = 't0003'"
        )
    stages.run("ledger_extracts", run_id="run-3")
    third = stages.run("statements", run_id="run-3")
    assert revisions(third) == {**dict.fromkeys(TENANTS, 1), "t0003": 2}
    tables = read_batch(stages.store, third.artefacts["t0003"].key)
    numbers = tables["numbers"]
    hashes = dict(zip(numbers["tenant_id"], numbers["numbers_hash"], strict=True))
    found = stages.register.revisions(APRIL, hashes)
    assert {tenant_id: found[tenant_id].number for tenant_id in found} == revisions(third)


def test_tenants_of_several_extracts_are_worked_on_together(stages: MonthlyStages) -> None:
    stages.run("ledger_extracts", ["t0001", "t0002"], run_id="run-1")
    stages.run("ledger_extracts", ["t0003"], run_id="run-2")
    result = stages.run("statements", ["t0001", "t0003"], run_id="run-3")
    assert sorted(result.artefacts) == ["t0001", "t0003"]
    for tenant_id, artefact in result.artefacts.items():
        tables = read_batch(stages.store, artefact.key)
        assert set(tables["statements"]["tenant_id"]) == {tenant_id}
    # one outcome a check for all of them
    assert [check.name for check in result.checks[:-1]] == list(CONTROLS)
    assert [check.counts["tenants"] for check in result.checks[:-1]] == [2] * len(CONTROLS)
