"""The monthly reports as assets: which stages there are, and what each builds on."""

from __future__ import annotations

import dagster as dg

from assets.checks import STATEMENT_CHECKS
from assets.deliveries import report_deliveries
from assets.documents import report_pdfs, report_workbooks
from assets.ledger_extracts import ledger_extracts
from assets.partitions import month_tenant_partitions
from assets.statements import statements
from assets.tenant_batch import Stage, tenant_batch_assets
from reports_pipeline.accounting.periods import Month

STAGES = (
    Stage(ledger_extracts, kinds=frozenset({"postgres", "arrow"})),
    Stage(
        statements,
        upstream=("ledger_extracts",),
        kinds=frozenset({"python", "arrow"}),
        checks=STATEMENT_CHECKS,
    ),
    Stage(report_pdfs, upstream=("statements",), kinds=frozenset({"pdf"})),
    Stage(report_workbooks, upstream=("statements",), kinds=frozenset({"excel"})),
    Stage(
        report_deliveries,
        upstream=("statements", "report_pdfs", "report_workbooks"),
        kinds=frozenset({"email"}),
    ),
)


def monthly_reports(first_month: Month, *, tenants_per_run: int) -> dg.AssetsDefinition:
    """All stages, with partitions from `first_month`, as one definition."""
    return tenant_batch_assets(
        STAGES,
        month_tenant_partitions(first_month),
        name="monthly_reports",
        group_name="monthly_reports",
        owners=["team:reporting"],
        tenants_per_run=tenants_per_run,
    )
