"""A ledger that cannot be reported on leaves its tenant behind, and nobody else."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.ledger import EXTRACT_TABLES
from resources.batch_files import read_batch
from tests.assets.monthly_stages import MonthlyStages
from tests.sample_ledgers import TENANTS, sample_tables

OTHERS = [tenant_id for tenant_id in TENANTS if tenant_id != "t0003"]
_A_DEBIT = """
    (tenant_id, posted_on, entry_id, line_no) = (
        select tenant_id, posted_on, entry_id, line_no from ledger.journal_lines
        where tenant_id = 't0003' and posted_on >= '2025-04-01' and debit > 0
        order by posted_on, entry_id, line_no limit 1)
"""


def test_all_tenants_share_one_file_with_all_tables(stages: MonthlyStages) -> None:
    result = stages.run("ledger_extracts")
    assert result.failures == []
    [key] = {artefact.key for artefact in result.artefacts.values()}
    tables = read_batch(stages.store, key)
    assert list(tables) == list(EXTRACT_TABLES)
    for table in tables.values():
        assert sorted(set(table["tenant_id"])) == TENANTS


def test_the_metadata_says_how_much_each_tenant_has(stages: MonthlyStages) -> None:
    result = stages.run("ledger_extracts")
    lines = sample_tables()["journal_lines"].to_pandas().query("status == 'posted'")
    accounts = lines.groupby("tenant_id")["account_code"].nunique()
    claims = sample_tables()["expense_claims"].to_pandas()
    of_april = claims[[day.month == 4 for day in claims["incurred_on"]]].groupby("tenant_id").size()
    assert {t: a.metadata["accounts"].value for t, a in result.artefacts.items()} == dict(accounts)
    assert {t: a.metadata["expense_claims"].value for t, a in result.artefacts.items()} == (
        dict(of_april)
    )


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(
            # its snapshot does not agree any more either; the entry is what has to be mended
            f"update ledger.journal_lines set debit = debit + 1 where {_A_DEBIT}",
            FailureCode.LEDGER_IMBALANCE,
            id="unbalanced",
        ),
        pytest.param(
            "update ledger.balance_snapshots set debit = debit + 1, credit = credit + 1"
            " where tenant_id = 't0003' and month = '2025-04-01'",
            FailureCode.SNAPSHOT_MISMATCH,
            id="stale snapshot",
        ),
        pytest.param(
            # an earlier month is looked into where a mark says that something was changed
            "update ledger.balance_snapshots set debit = debit + 1"
            " where tenant_id = 't0003' and month = '2025-03-01' and account_code = '4110'",
            FailureCode.SNAPSHOT_MISMATCH,
            id="changed before",
        ),
        pytest.param(
            "update ledger.journal_entries set currency = 'EUR'"
            " where tenant_id = 't0003' and posted_on >= '2025-04-01'",
            FailureCode.CURRENCY_MISMATCH,
            id="foreign currency",
        ),
        pytest.param(
            "update ledger.accounts set account_class = 'miscellaneous'"
            " where tenant_id = 't0003' and account_code = '4110'",
            FailureCode.UNKNOWN_ACCOUNT,
            id="unknown account",
        ),
        pytest.param(
            "update ledger.companies set name = E'\\u202Eabc' where tenant_id = 't0003'",
            FailureCode.BAD_TEXT,
            id="text that reads backwards",
        ),
        pytest.param(
            "update ledger.companies set name = '株式会社😀' where tenant_id = 't0003'",
            FailureCode.MISSING_GLYPH,
            id="text the fonts lack",
        ),
    ],
)
def test_a_faulty_ledger_fails_its_tenant_alone(
    stages: MonthlyStages, fault: str, code: FailureCode
) -> None:
    with psycopg.connect(stages.url) as connection:
        assert connection.execute(fault).rowcount >= 1
    result = stages.run("ledger_extracts")
    assert [(failure.tenant_id, failure.code) for failure in result.failures] == [("t0003", code)]
    assert list(result.artefacts) == OTHERS
    [key] = {artefact.key for artefact in result.artefacts.values()}
    for table in read_batch(stages.store, key).values():
        assert sorted(set(table["tenant_id"])) == OTHERS


def test_where_every_ledger_is_faulty_nothing_is_stored(
    stages: MonthlyStages, tmp_path: Path
) -> None:
    with psycopg.connect(stages.url) as connection:
        connection.execute(
            "update ledger.accounts set account_class = 'miscellaneous'"
            " where account_class = 'net_sales'"
        )
    result = stages.run("ledger_extracts")
    assert {failure.code for failure in result.failures} == {FailureCode.UNKNOWN_ACCOUNT}
    assert [failure.tenant_id for failure in result.failures] == TENANTS
    assert result.artefacts == {}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
