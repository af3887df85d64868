"""Statements and the journals they were made of, judged by an accounting program of others."""

from __future__ import annotations

import datetime
import hashlib
import traceback
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.ledger import EXTRACT_TABLES, LedgerExtract
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.accounting.verification import Difference, Verification, verify
from reports_pipeline.documents.formats import format_amount
from resources.accounting_engines import AccountingEngine, JournalRefusedError
from resources.batch_files import of_tenants
from resources.journal import Journals
from resources.ledger import Ledger
from resources.transient_errors import TRANSIENT_ERRORS

# Beancount takes some 0.15 ms and 5 kB an entry, and a tenant may have many years of them.
_MOST_ENTRIES_IN_A_SAMPLE = 20_000
# What the figures of statements are made of.
_TABLES_OF_FIGURES = ("fiscal_years", "accounts", "movements", "cash_flows")


@dataclass(frozen=True)
class Verdict:
    """What an engine says of a tenant's statements: a comparison, or why there is none."""

    tenant_id: str
    engine: str
    outcome: Verification | str
    currency: str = ""  # of the amounts; empty if nothing was compared
    traceback: str = ""  # of an error that nobody foresaw

    @property
    def differences(self) -> tuple[Difference, ...]:
        return () if isinstance(self.outcome, str) else self.outcome.differences

    @property
    def failure(self) -> TenantFailure | None:
        """VERIFICATION_FAILED if a figure differs. What could not be compared is no failure: it
        says something of the program and nothing of the statements."""
        if not self.differences:
            return None
        first, *_ = self.differences
        return TenantFailure(
            self.tenant_id,
            FailureCode.VERIFICATION_FAILED,
            {
                "engine": self.engine,
                "what": first.what,
                "line": first.line,
                "ours": self.amount(first.ours),
                "theirs": self.amount(first.theirs),
                "currency": self.currency,
                "differences": len(self.differences),
            },
        )

    def amount(self, minor: int) -> str:
        """An amount of a comparison for people, with the decimals of its currency: 1,234.56."""
        return format_amount(minor, minor_unit_exponent(self.currency))


class StatementVerifier:
    """Has an engine compute tenants' months from their journals.

    `tenants_per_run` says how many of a run's tenants are drawn, where not all are asked for.
    """

    def __init__(
        self,
        engine: AccountingEngine,
        journals: Journals,
        ledger: Ledger,
        *,
        tenants_per_run: int = 0,
    ) -> None:
        self._engine = engine
        self._journals = journals
        self._ledger = ledger
        self._tenants_per_run = tenants_per_run

    def verdict(self, reports: TenantReports, extract: LedgerExtract) -> Verdict:
        """Compare the statements with what the engine makes of the journal as it is now.

        `extract` is what they were made of, of this tenant and maybe of others. It is older than
        what the engine reads, and bookkeeping goes on. So where a figure differs, the tenant is
        extracted again: only if that finds the same figures does the difference stand. Otherwise
        it may come from postings made meanwhile, and that is why there is no comparison.

        An error that will not pass by itself is a reason for that too.

        Raises:
            TRANSIENT_ERRORS: the database, mostly; the same call may succeed later.
        """
        company = reports.company
        outcome: Verification | str
        unforeseen = ""
        try:
            outcome = self._compared(reports)
            if outcome.differences and self._has_moved(company.tenant_id, extract):
                outcome = (
                    f"{len(outcome.differences)} figures differ, and the ledger has changed since "
                    "it was extracted: run it again"
                )
        except TRANSIENT_ERRORS:
            raise
        except JournalRefusedError as error:
            outcome = f"the journal is refused: {error}"
        except Exception as error:  # of a program that is not ours
            outcome = f"{type(error).__name__}: {error}"
            unforeseen = traceback.format_exc()
        return Verdict(company.tenant_id, self._engine.name, outcome, company.currency, unforeseen)

    def _compared(self, reports: TenantReports) -> Verification:
        company = reports.company
        accounts = self._journals.accounts(company.tenant_id, reports.month)
        month_end = datetime.date.fromisoformat(company.month_end)
        entries = self._journals.entries(company.tenant_id, before=month_end)
        return verify(reports, accounts, self._engine.figures(company, accounts, entries))

    def _has_moved(self, tenant_id: str, extract: LedgerExtract) -> bool:
        """Whether the ledger shows other figures of a tenant now, or a fault, which it did not
        have then: a line of an earlier month that has changed leaves a stale snapshot."""
        now, failures = self._ledger.extract(extract.month, [tenant_id])
        if failures:
            return True
        for name in _TABLES_OF_FIGURES:
            dtypes = dict(EXTRACT_TABLES[name])
            then = of_tenants(getattr(extract, name), [tenant_id]).astype(dtypes)
            if not then.equals(getattr(now, name).astype(dtypes)):
                return True
        return False

    def sample(self, month: Month, tenant_ids: Collection[str]) -> list[str]:
        """The tenants of a run that are verified unasked, the same ones for the same month.

        Tenants with more than about 20,000 entries (they are counted to the end of the calendar
        month) are passed over: they would take most of the run's time. Where there are no others,
        none is verified.
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
