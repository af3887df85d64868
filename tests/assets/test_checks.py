"""What another accounting program makes of a tenant's journal decides whether it gets reports."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

import dagster as dg
import pandas as pd
import psycopg
import pytest

import assets.statements
from assets.checks import drawn_sample, identity_outcomes, verification_outcome
from assets.tenant_batch import CheckOutcome, StageResult, StageWork
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.journal import JournalEntry
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.reports import Company
from reports_pipeline.accounting.statements import build_statements
from reports_pipeline.accounting.verification import Difference, EngineFigures, Verification
from reports_pipeline.documents.catalogs import failure_text
from resources.accounting_engines import BeancountEngine
from resources.journal import Journals
from resources.ledger import PostgresLedger
from resources.ledger_repairs import refresh_snapshots
from resources.verification import StatementVerifier, Verdict
from tests.assets.monthly_stages import MonthlyStages
from tests.resources.engines import ENGINES, engine_named
from tests.sample_ledgers import APRIL, TENANTS

OTHERS = [tenant_id for tenant_id in TENANTS if tenant_id != "t0004"]


@pytest.fixture
def verified(stages: MonthlyStages) -> MonthlyStages:
    """Stages that have every tenant's statements verified."""
    stages.verify_all = True
    return stages


def statements(stages: MonthlyStages) -> tuple[StageResult, CheckOutcome]:
    """The statements of the ledger as it is now, and what agrees_with_beancount says of them."""
    assert stages.run("ledger_extracts").failures == []
    result = stages.run("statements")
    [check] = [check for check in result.checks if check.name == "agrees_with_beancount"]
    return result, check


@pytest.mark.parametrize("engine", ENGINES)
def test_sound_tenants_agree_and_are_named(verified: MonthlyStages, engine: str) -> None:
    verified.engine = engine_named(engine)
    result, check = statements(verified)
    assert list(result.artefacts) == TENANTS
    assert not check.violations
    assert not check.warnings
    assert check.counts["tenants"] == 5
    assert check.counts["figures_compared"] > 5 * 40
    assert check.names == {"verified_tenants": TENANTS}


def test_a_snapshot_that_no_mark_says_is_wrong_stops_its_tenant(verified: MonthlyStages) -> None:
    """The identities hold: March had as much more sales as receivables, says its snapshot."""
    with psycopg.connect(verified.url) as connection:
        for account, column in {"4110": "credit", "1210": "debit"}.items():
            changed = connection.execute(
                f"update ledger.balance_snapshots set {column} = {column} + 700"
                " where tenant_id = 't0004' and month = '2025-03-01' and account_code = %s",
                [account],
            )
            assert changed.rowcount == 1
        connection.execute("delete from ledger.stale_snapshots")
    result, check = statements(verified)

    [failure] = result.failures
    assert (failure.tenant_id, failure.code) == ("t0004", FailureCode.VERIFICATION_FAILED)
    ours, theirs = (
        int(str(failure.details.pop(name)).replace(",", "")) for name in ("ours", "theirs")
    )
    assert ours - theirs == 700
    assert failure.details.pop("differences", 0)
    assert failure.details == {
        "engine": "beancount", "what": "balance_sheet.current", "line": "account:1210",
        "currency": "JPY",
    }  # fmt: skip
    text = failure_text(failure, "en")
    assert "reports verify --month MONTH --tenant t0004 --engine beancount" in text

    assert list(result.artefacts) == OTHERS
    [violation] = check.violations
    assert violation.tenant_id == "t0004"
    assert violation.severity is dg.AssetCheckSeverity.ERROR
    differences = violation.metadata["differences"].value
    assert isinstance(differences, list)
    assert {abs(difference["difference_minor_units"]) for difference in differences} == {700}
    # nothing of it goes on to the documents
    stages = verified.run("report_pdfs")
    assert list(stages.artefacts) == OTHERS


@pytest.mark.parametrize(
    ("statement", "column"),
    [
        ("income_statement", "current"), ("income_statement", "year_to_date"),
        ("balance_sheet", "current"), ("balance_sheet", "prior"), ("balance_sheet", "opening"),
        ("cash_flow", "current"), ("cash_flow", "year_to_date"),
    ],
)  # fmt: skip
def test_a_wrong_amount_in_a_statement_is_found(
    verified: MonthlyStages, monkeypatch: pytest.MonkeyPatch, statement: str, column: str
) -> None:
    """Two accounts of a section change places, which no total shows."""

    def turned(extract: LedgerExtract) -> pd.DataFrame:
        built = build_statements(extract)
        of_column = built[
            (built["tenant_id"] == "t0004")
            & (built["statement"] == statement)
            & built["key"].str.startswith("account:")
            & (built["label"] != "")
        ].drop_duplicates(column)
        [first, second] = of_column[of_column[column].fillna(0) != 0].index[:2]
        amounts = built.loc[[second, first], column].to_numpy()
        built.loc[[first, second], column] = amounts
        return built

    monkeypatch.setattr(assets.statements, "build_statements", turned)
    # the identities may find it too, by the sums of the trend; here they are asked for nothing
    monkeypatch.setattr(assets.statements, "identity_failures", lambda _: [])
    result, check = statements(verified)
    [failure] = result.failures
    assert (failure.tenant_id, failure.code) == ("t0004", FailureCode.VERIFICATION_FAILED)
    assert failure.details["what"] == f"{statement}.{column}"
    assert failure.details["differences"] == 2
    assert list(result.artefacts) == OTHERS
    assert [violation.tenant_id for violation in check.violations] == ["t0004"]


def test_a_tenant_that_violates_an_identity_is_not_verified(verified: MonthlyStages) -> None:
    with psycopg.connect(verified.url) as connection:
        connection.execute(
            "update ledger.balance_snapshots set inflow = inflow + 11"
            " where tenant_id = 't0004' and month = '2025-03-01' and account_code = '1210'"
        )
        connection.execute("delete from ledger.stale_snapshots")
    result, check = statements(verified)
    assert [failure.code for failure in result.failures] == [FailureCode.IDENTITY_VIOLATED]
    assert check.names["verified_tenants"] == OTHERS


def post_rent(url: str, posted_on: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into ledger.journal_entries (tenant_id, posted_on, entry_id, currency)"
            " values ('t0004', %s, 99999, 'JPY')",
            [posted_on],
        )
        connection.execute(
            "insert into ledger.journal_lines"
            " (tenant_id, posted_on, entry_id, line_no, account_code, debit, credit) values"
            " ('t0004', %(day)s, 99999, 1, '6310', 880, 0),"
            " ('t0004', %(day)s, 99999, 2, '1120', 0, 880)",
            {"day": posted_on},
        )


@pytest.mark.parametrize("refreshed", [False, True])
@pytest.mark.parametrize("posted_on", ["2025-04-30", "2025-03-15"])
def test_bookkeeping_that_goes_on_after_the_extract_blocks_nobody(
    verified: MonthlyStages, posted_on: str, refreshed: bool
) -> None:
    assert verified.run("ledger_extracts").failures == []
    post_rent(verified.url, posted_on)
    if refreshed:
        refresh_snapshots(verified.url)
    result = verified.run("statements")
    assert result.failures == []
    assert list(result.artefacts) == TENANTS
    [violation] = result.checks[-1].violations
    assert violation.tenant_id == "t0004"
    assert violation.severity is dg.AssetCheckSeverity.WARN
    assert "the ledger has changed since it was extracted" in violation.description
    assert result.checks[-1].names["verified_tenants"] == OTHERS


def test_bookkeeping_of_others_excuses_no_difference(
    verified: MonthlyStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_more(extract: LedgerExtract) -> pd.DataFrame:
        built = build_statements(extract)
        built.loc[(built["tenant_id"] == "t0001") & (built["key"] == "net_profit"), "current"] += 1
        return built

    monkeypatch.setattr(assets.statements, "build_statements", one_more)
    monkeypatch.setattr(assets.statements, "identity_failures", lambda _: [])
    assert verified.run("ledger_extracts").failures == []
    post_rent(verified.url, "2025-04-30")
    [failure] = verified.run("statements").failures
    assert (failure.tenant_id, failure.code) == ("t0001", FailureCode.VERIFICATION_FAILED)
    assert (failure.details["line"], failure.details["differences"]) == ("net_profit", 1)


def test_a_journal_that_is_refused_blocks_nobody(verified: MonthlyStages) -> None:
    """Lines of March that disagree with their entries, whose snapshots and marks are sound."""
    with psycopg.connect(verified.url) as connection:
        # triggers refuse and mark it, but for what is replicated
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update ledger.journal_lines set kind = 'opening' where line_no = 1"
            " and tenant_id = 't0004' and posted_on >= '2025-03-01' and posted_on < '2025-04-01'"
        )
    result, check = statements(verified)
    assert result.failures == []
    assert list(result.artefacts) == TENANTS
    [violation] = check.violations
    assert violation.tenant_id == "t0004"
    assert violation.severity is dg.AssetCheckSeverity.WARN
    assert "the journal is refused: 2025-03-" in violation.description


def test_an_engine_that_breaks_blocks_nobody(verified: MonthlyStages) -> None:
    class Broken(BeancountEngine):
        def figures(
            self, company: Company, accounts: Collection[Account], entries: Iterable[JournalEntry]
        ) -> EngineFigures:
            if company.tenant_id == "t0004":
                raise RecursionError("too deep")
            return super().figures(company, accounts, entries)

    verified.engine = Broken()
    result, check = statements(verified)
    assert list(result.artefacts) == TENANTS
    [violation] = check.violations
    assert violation.description == "RecursionError: too deep"
    assert violation.severity is dg.AssetCheckSeverity.WARN
    assert check.counts["tenants"] == 5
    assert check.names["verified_tenants"] == OTHERS


LOST = psycopg.OperationalError("server closed the connection unexpectedly")
FORBIDDEN = psycopg.errors.InsufficientPrivilege("permission denied for table journal_entries")


def break_journals(monkeypatch: pytest.MonkeyPatch, method: str, error: Exception) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Journals, method, broken)


def test_a_sample_that_cannot_be_drawn_blocks_nobody(
    stages: MonthlyStages, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stages.verified_tenants_per_run = 2
    break_journals(monkeypatch, "is_longer", FORBIDDEN)
    result, check = statements(stages)
    assert result.failures == []
    assert list(result.artefacts) == TENANTS
    assert not check.violations
    assert check.names == {"verified_tenants": []}
    [warning] = check.warnings
    assert warning == f"no tenant could be drawn to be verified: InsufficientPrivilege: {FORBIDDEN}"
    assert "InsufficientPrivilege" in caplog.text


def test_a_journal_that_cannot_be_read_blocks_nobody(
    verified: MonthlyStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_journals(monkeypatch, "accounts", FORBIDDEN)
    result, check = statements(verified)
    assert list(result.artefacts) == TENANTS
    assert [violation.tenant_id for violation in check.violations] == TENANTS
    assert {violation.severity for violation in check.violations} == {dg.AssetCheckSeverity.WARN}


@pytest.mark.parametrize("method", ["is_longer", "accounts", "entries"])
def test_a_lost_connection_is_for_the_stage_to_try_again(
    stages: MonthlyStages, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    stages.verified_tenants_per_run = 2
    break_journals(monkeypatch, method, LOST)
    stages.run("ledger_extracts")
    with pytest.raises(psycopg.OperationalError, match="server closed the connection"):
        stages.run("statements")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_run_has_so_many_tenants_verified(stages: MonthlyStages, count: int) -> None:
    stages.verified_tenants_per_run = count
    result, check = statements(stages)
    assert list(result.artefacts) == TENANTS
    assert len(check.names["verified_tenants"]) == check.counts["tenants"] == count


def test_the_sample_is_one_of_the_run_in_whatever_portions_it_is_worked_on(
    stages: MonthlyStages,
) -> None:
    verifier = StatementVerifier(
        BeancountEngine(), Journals(stages.url), PostgresLedger(stages.url), tenants_per_run=2
    )
    whole = StageWork(
        APRIL, TENANTS, "run-1", {}, logging.getLogger(__name__), run_tenant_ids=TENANTS
    )
    sample, _ = drawn_sample(whole, verifier)
    assert len(sample) == 2
    for tenant_id in TENANTS:
        assert drawn_sample(whole.restricted_to([tenant_id]), verifier) == (sample, [])


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"), [("JPY", "123,456", "△7"), ("USD", "1,234.56", "△0.07")]
)
def test_people_read_amounts_and_programs_minor_units(
    currency: str, ours: str, theirs: str
) -> None:
    differences = (Difference("balance_sheet.current", "account:1120", 123_456, -7),)
    verdict = Verdict("t0001", "beancount", Verification(40, differences), currency)
    [violation] = verification_outcome([verdict], []).violations
    assert violation.description == (
        "1 figures differ; balance_sheet.current account:1120: "
        f"{ours} here, {theirs} from beancount"
    )
    assert violation.metadata["differences"].value == [
        {
            "what": "balance_sheet.current", "line": "account:1120", "ours_minor_units": 123_456,
            "theirs_minor_units": -7, "difference_minor_units": 123_463,
        }
    ]  # fmt: skip

    identities = pd.DataFrame(
        {
            "tenant_id": ["t0001", "t0002"],
            "control": "debits_equal_credits",
            "currency": currency,
            "expected": pd.array([123_456, -7], dtype="Int64"),
            "actual": pd.array([-7, None], dtype="Int64"),
        }
    )
    differing, missing = identity_outcomes(identities)[0].violations
    assert differing.description == f"{ours} expected, {theirs} found"
    assert missing.description == f"{theirs} expected, the line is missing"
