"""A batch as skewed as a month can be: one company of very many lines, one of none, usual ones."""

from __future__ import annotations

from reports_pipeline.accounting.periods import Month
from resources.ledger_loading import LedgerTables
from resources.sample_ledger import sample_tenant

HEAVY, EMPTY, USUAL = "t0002", "t0003", ["t0001", "t0004", "t0005"]
SKEWED = sorted([HEAVY, EMPTY, *USUAL])

_WITH_A_ROW_A_POSTING = ("journal_entries", "journal_lines", "expense_claims")


def skewed_ledger(month: Month, heavy_lines: int) -> list[LedgerTables]:
    """The month of SKEWED; HEAVY has about as many lines as that, and a claim for each 20. The
    books of EMPTY are closed, so that it had nothing to post."""
    tables = []
    for tenant_id in SKEWED:
        lines = heavy_lines if tenant_id == HEAVY else 400
        of_tenant = sample_tenant(int(tenant_id[1:]), 3, month, 1, lines)
        if tenant_id == EMPTY:
            nothing = {name: of_tenant[name].slice(0, 0) for name in _WITH_A_ROW_A_POSTING}
            of_tenant = {**of_tenant, **nothing}
        tables.append(of_tenant)
    return tables
