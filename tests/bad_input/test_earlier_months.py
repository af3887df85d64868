"""What changes an earlier month behind its snapshot's back is found, whichever month is reported
(erpnext 36112)."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from reports_pipeline.accounting.failures import FailureCode
from tests.bad_input.april import SPOILT, change_ledger, run_april

LATE_POSTING = (
    "insert into ledger.journal_entries values ('t0004', '2025-03-15', 900001, '', 'JPY')",
    "insert into ledger.journal_lines values"
    " ('t0004', '2025-03-15', 900001, 1, '1120', 5000, 0),"
    " ('t0004', '2025-03-15', 900001, 2, '4110', 0, 5000)",
)
LOST_SNAPSHOT = (
    "delete from ledger.balance_snapshots where tenant_id = 't0004' and month = '2025-03-01'",
)
CANCELLED_ENTRY = (
    """
    update ledger.journal_entries set status = 'cancelled'
    where (tenant_id, posted_on, entry_id) = (
        select tenant_id, posted_on, entry_id from ledger.journal_entries
        where tenant_id = 't0004' and posted_on between '2025-03-01' and '2025-03-31'
          and status = 'posted' order by posted_on, entry_id limit 1
    )
    """,
)


@pytest.mark.parametrize(
    "statements",
    [LATE_POSTING, LOST_SNAPSHOT, CANCELLED_ENTRY],
    ids=["late posting", "lost snapshot", "cancelled entry"],
)
def test_it_is_found_and_refreshing_mends_it(
    statements: tuple[str, ...], url: str, tmp_path: Path
) -> None:
    change_ledger(url, *statements)
    stage, failure = run_april(url, tmp_path / "changed").failures[SPOILT]
    assert stage == "ledger_extracts"
    assert failure.code is FailureCode.SNAPSHOT_MISMATCH
    assert failure.details["month"] == "2025-03"
    change_ledger(url, "call ledger.refresh_snapshots(array['t0004'], '2025-03-01')")
    assert run_april(url, tmp_path / "mended").failures == {}


def test_what_was_changed_back_is_no_fault(url: str, tmp_path: Path) -> None:
    change_ledger(
        url,
        *LATE_POSTING,
        "delete from ledger.journal_lines where tenant_id = 't0004' and entry_id = 900001",
        "delete from ledger.journal_entries where tenant_id = 't0004' and entry_id = 900001",
    )
    assert run_april(url, tmp_path).failures == {}


def test_an_amount_that_sums_could_not_hold_is_refused(url: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        change_ledger(
            url,
            "insert into ledger.journal_lines values"
            " ('t0004', '2025-04-15', 900001, 1, '1120', 1000000000000001, 0)",
        )
