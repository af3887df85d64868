"""A tenant's reports computed afresh from the ledger, for commands: no run, nothing stored."""

from __future__ import annotations

from collections.abc import Sequence

import click

from reports_pipeline.accounting.assembly import tenant_reports
from reports_pipeline.accounting.extract_failures import extract_failures
from reports_pipeline.accounting.failures import TenantFailure
from reports_pipeline.accounting.ledger import EXTRACT_TABLES, LedgerExtract
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.accounting.statements import build_statements
from reports_pipeline.documents.catalogs import failure_text
from resources.batch_files import of_tenants
from resources.budgets import BudgetExceededError
from resources.ledger import Ledger


def fresh_reports(
    ledger: Ledger, month: Month, tenant_ids: Sequence[str]
) -> tuple[LedgerExtract, dict[str, TenantReports | TenantFailure]]:
    """What the ledger says now; and the statements, or why there are none, by tenant.

    The identities are not asked for: whoever wonders why they do not hold needs to see the lines.

    Raises:
        click.ClickException: a tenant id is malformed, or reading takes too long.
    """
    try:
        extract, found = ledger.extract(month, tenant_ids)
    except (ValueError, BudgetExceededError) as error:
        raise click.ClickException(str(error)) from None
    made: dict[str, TenantReports | TenantFailure] = {}
    for failure in [*found, *extract_failures(extract)]:
        made.setdefault(failure.tenant_id, failure)
    sound = [tenant_id for tenant_id in tenant_ids if tenant_id not in made]
    if sound:
        tables = {name: of_tenants(getattr(extract, name), sound) for name in EXTRACT_TABLES}
        extract = LedgerExtract(month, **tables)
        statements = build_statements(extract)
        for reports in tenant_reports(month, extract.companies, extract.claims, statements):
            made[reports.company.tenant_id] = reports
    return extract, made


def coded_text(failure: TenantFailure) -> str:
    """A failure as commands print it."""
    return f"{failure.code}: {failure_text(failure, 'ja')}"
