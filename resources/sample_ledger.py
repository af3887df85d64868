"""A ledger for demonstrations, tests and load: thousands of companies with plausible books.

The same seed gives the same rows. Each tenant is drawn from generators of its own, so that it does
not depend on the others but through its share of the lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from reports_pipeline.accounting.charts import default_chart
from reports_pipeline.accounting.periods import Month
from resources.ledger_loading import TABLES, LedgerTables
from resources.sample_business import Plan, do_business, make_plan
from resources.sample_companies import SampleCompany, sample_company
from resources.sample_journal import IntArray, SampleJournal, ledger_table

_FEWEST_LINES = 45  # a month; fewer do not make a company's books
_SIZE_SPREAD = (
    1.3  # sigma of the lognormal sizes: the largest of 5,000 has a hundred times the median
)
_LINES_PER_BATCH = 200_000


@dataclass(frozen=True)
class SampleScale:
    """How much is made: `lines_per_month` of all tenants together, about."""

    tenants: int
    first_month: Month
    months: int
    lines_per_month: int


def sample_ledger(scale: SampleScale, seed: int) -> Iterator[LedgerTables]:
    """The tenants t0001, t0002 … with all their tables, in batches of whole tenants."""
    batch: list[LedgerTables] = []
    lines = 0
    for number, target in enumerate(lines_per_tenant(scale, seed), start=1):
        tables = sample_tenant(number, seed, scale.first_month, scale.months, int(target))
        batch.append(tables)
        lines += tables["journal_lines"].num_rows
        if lines >= _LINES_PER_BATCH:
            yield _concatenated(batch)
            batch, lines = [], 0
    if batch:
        yield _concatenated(batch)


def lines_per_tenant(scale: SampleScale, seed: int) -> IntArray:
    """Lines a month of each tenant, skewed as customers are: many small, a few very large."""
    weights = np.array(
        [
            np.random.default_rng([seed, number, 1]).lognormal(sigma=_SIZE_SPREAD)
            for number in range(1, scale.tenants + 1)
        ]
    )
    lines: IntArray = np.rint(weights * (scale.lines_per_month / weights.sum())).astype(np.int64)
    return np.maximum(lines, _FEWEST_LINES, dtype=np.int64)


def sample_tenant(
    number: int, seed: int, first_month: Month, months: int, lines_per_month: int
) -> LedgerTables:
    """All tables of one tenant; it depends on nothing but these arguments."""
    company = sample_company(number, seed)
    rng = np.random.default_rng([seed, number, 2])
    plan = make_plan(company, rng, first_month, months, lines_per_month)
    journal = SampleJournal(first_month, months, company.closing_day)
    claims = do_business(plan, journal, rng)
    return {
        **_company_tables(company),
        "fiscal_year_changes": _fiscal_year_changes(plan, first_month),
        **journal.tables(company),
        "expense_claims": claims,
        "month_closings": _closings(company, first_month, months),
    }


def _company_tables(company: SampleCompany) -> dict[str, pa.Table]:
    chart = default_chart(company.language)
    return {
        "companies": pa.Table.from_pylist(
            [{name: getattr(company, name) for name in TABLES["companies"].names}],
            TABLES["companies"],
        ),
        "contacts": ledger_table(
            "contacts",
            len(company.contacts),
            tenant_id=company.tenant_id,
            contact_no=[contact.contact_no for contact in company.contacts],
            name=[contact.name for contact in company.contacts],
            email=[contact.email for contact in company.contacts],
            purpose=[contact.purpose.value for contact in company.contacts],
        ),
        "accounts": ledger_table(
            "accounts",
            len(chart),
            tenant_id=company.tenant_id,
            account_code=[account.account_code for account in chart],
            name=[account.name for account in chart],
            account_class=[account.account_class.value for account in chart],
        ),
    }


def _fiscal_year_changes(plan: Plan, first_month: Month) -> pa.Table:
    changes = [] if plan.fiscal_year_change is None else [plan.fiscal_year_change]
    return ledger_table(
        "fiscal_year_changes",
        len(changes),
        tenant_id=plan.company.tenant_id,
        first_month=[first_month.plus(month - 1).start for month in changes],
        closing_day=[plan.company.closing_day] * len(changes),
    )


def _closings(company: SampleCompany, first_month: Month, months: int) -> pa.Table:
    """All months are closed, but the last one of a few companies is still open (未締め)."""
    closed = months if company.last_month_closed else months - 1
    starts = [first_month.plus(elapsed).start for elapsed in range(closed)]
    return ledger_table("month_closings", closed, tenant_id=company.tenant_id, month=starts)


def _concatenated(batch: list[LedgerTables]) -> LedgerTables:
    return {name: pa.concat_tables([tables[name] for tables in batch]) for name in TABLES}
