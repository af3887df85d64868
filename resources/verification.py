"""Statements and the journals they were made of, judged by an accounting program of others."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Collection, Iterable

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.accounting.verification import Verification, verify
from resources.accounting_engines import AccountingEngine
from resources.journal import Journals

# Beancount takes some 0.15 ms and 5 kB an entry, and a tenant may have many years of them.
_MOST_ENTRIES_IN_A_SAMPLE = 20_000


class StatementVerifier:
    """Has an engine compute tenants' months from their journals.

    `tenants_per_run` says how many of a run's tenants are drawn, where not all are asked for.
    """

    def __init__(
        self, engine: AccountingEngine, journals: Journals, *, tenants_per_run: int = 0
    ) -> None:
        self._engine = engine
        self._journals = journals
        self._tenants_per_run = tenants_per_run

    @property
    def engine_name(self) -> str:
        return self._engine.name

    def verify(self, reports: TenantReports) -> Verification:
        """Compare the statements with what the engine makes of the journal as it is now.

        Raises:
            JournalRefusedError: the engine cannot read the journal.
        """
        company = reports.company
        accounts = self._journals.accounts(company.tenant_id, reports.month)
        month_end = datetime.date.fromisoformat(company.month_end)
        entries = self._journals.entries(company.tenant_id, before=month_end)
        return verify(reports, accounts, self._engine.figures(company, accounts, entries))

    def sample(self, month: Month, tenant_ids: Collection[str]) -> list[str]:
        """The tenants of a run that are verified unasked, the same ones for the same month.

        Tenants with more than 20,000 entries are passed over: they would take most of the run's
        time. Where there are no others, none is verified.
        """
        sample: list[str] = []
        for tenant_id in in_drawn_order(month, tenant_ids):
            if len(sample) == self._tenants_per_run:
                break
            longest = _MOST_ENTRIES_IN_A_SAMPLE
            if not self._journals.is_longer(tenant_id, longest, before=month.end):
                sample.append(tenant_id)
        return sample


def in_drawn_order(month: Month, tenant_ids: Iterable[str]) -> list[str]:
    """The tenants in an order that depends on the month and, of each, on no other tenant."""

    def draw(tenant_id: str) -> str:
        return hashlib.sha256(f"{month}|{tenant_id}".encode()).hexdigest()

    return sorted(tenant_ids, key=draw)
