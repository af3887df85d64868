"""A month of companies as unequal as one batch can have them: usual ones, one of very many lines
and claims, one of none, and two that no budget is enough for, each for what it has a lot of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.periods import Month
from resources.ledger_loading import LedgerTables
from resources.sample_journal import ledger_table
from resources.sample_ledger import sample_tenant

# In the order in which a run takes them. KILLED comes after a usual one, and has enough accounts
# for its documents to take a while.
FIRST, KILLED, GIANT, EMPTY, SLOW, LARGE = (f"t{number:04}" for number in range(1, 7))

_CASH = "1110"
_WITH_A_ROW_A_POSTING = ("journal_entries", "journal_lines", "expense_claims")
# Of the lines that are asked for, the sample leaves out those that fall outside the month.
_LINES_ASKED_FOR = 1.08
_SEED = 1


@dataclass(frozen=True)
class Skew:
    """How unequal they are; `usual` is how many usual ones there are, at least FIRST, of so many
    lines in the month each. The descriptions of LARGE's claims have so many characters, or those of
    the sample if 0."""

    usual: int
    usual_lines: int
    giant_lines: int
    giant_claims: int
    killed_accounts: int
    slow_accounts: int
    large_claims: int
    large_characters: int = 0

    @property
    def usual_tenants(self) -> list[str]:
        """The ids of the usual ones."""
        return [FIRST, *(f"t{number:04}" for number in range(7, 6 + self.usual))]


def skewed_ledger(skew: Skew, month: Month) -> Iterator[LedgerTables]:
    """The month of each of them, closed."""
    for tenant_id in skew.usual_tenants:
        yield _tenant(tenant_id, month, skew.usual_lines)
    yield with_accounts(_tenant(KILLED, month, skew.usual_lines), month, skew.killed_accounts)
    giant = _tenant(GIANT, month, round(skew.giant_lines * _LINES_ASKED_FOR))
    yield with_claims(giant, skew.giant_claims)
    empty = _tenant(EMPTY, month, skew.usual_lines)
    yield {**empty, **{name: empty[name].slice(0, 0) for name in _WITH_A_ROW_A_POSTING}}
    slow = with_accounts(_tenant(SLOW, month, skew.usual_lines), month, skew.slow_accounts)
    yield {**slow, "companies": _with_most_documents(slow["companies"])}
    large = _tenant(LARGE, month, skew.usual_lines)
    yield with_claims(large, skew.large_claims, characters=skew.large_characters)


def with_accounts(tables: LedgerTables, month: Month, count: int) -> LedgerTables:
    """So many more accounts, each with an expense in the month: statements of as many lines."""
    [company] = tables["companies"].to_pylist()
    tenant_id, rows = company["tenant_id"], np.arange(count)
    codes = [f"x{row:06}" for row in rows]
    first_entry = int(np.max(tables["journal_entries"]["entry_id"].to_numpy())) + 1
    # In the month of a company whatever its closing day.
    dated = {"posted_on": [month.start] * count, "kind": "normal", "status": "posted"}
    added = {
        "accounts": ledger_table(
            "accounts",
            count,
            tenant_id=tenant_id,
            account_code=codes,
            name=[f"補助科目{row:06}" for row in rows],
            account_class=AccountClass.SELLING_GENERAL_ADMINISTRATIVE.value,
        ),
        "journal_entries": ledger_table(
            "journal_entries",
            count,
            tenant_id=tenant_id,
            entry_id=first_entry + rows,
            memo="",
            currency=company["currency"],
            **dated,
        ),
        "journal_lines": pa.concat_tables(
            ledger_table(
                "journal_lines",
                count,
                tenant_id=tenant_id,
                entry_id=first_entry + rows,
                line_no=[line_no] * count,
                account_code=account_codes,
                debit=[debit] * count,
                credit=[1_000 - debit] * count,
                **dated,
            )
            for line_no, account_codes, debit in ((1, codes, 1_000), (2, _CASH, 0))
        ),
    }
    return {**tables, **{name: pa.concat_tables([tables[name], added[name]]) for name in added}}


def with_claims(tables: LedgerTables, count: int, *, characters: int = 0) -> LedgerTables:
    """So many claims of the month in all: its own, over and over; with descriptions of so many
    characters, if any."""
    own = tables["expense_claims"]
    rows = np.arange(count)
    columns = {name: own[name].take(rows % own.num_rows) for name in own.column_names}
    columns["claim_id"] = pa.array([f"EX{row:07}" for row in rows])
    if characters:
        columns["description"] = pa.repeat("費" * characters, count)
    return {**tables, "expense_claims": pa.table(columns, own.schema)}


def _with_most_documents(companies: pa.Table) -> pa.Table:
    """On the plan that has twelve months side by side, and a copy in a second language."""
    of_plan = {"plan": "premium", "language": "ja", "copy_language": "en"}
    rows = [row | of_plan for row in companies.to_pylist()]
    return pa.Table.from_pylist(rows, companies.schema)


def _tenant(tenant_id: str, month: Month, lines: int) -> LedgerTables:
    tables = sample_tenant(int(tenant_id[1:]), _SEED, month, 1, lines)
    closing = ledger_table("month_closings", 1, tenant_id=tenant_id, month=[month.start])
    return {**tables, "month_closings": closing}
