"""The list of expense claims."""

from __future__ import annotations

import datetime
from dataclasses import replace

from reports_pipeline.accounting.reports import LineKind, TenantReports
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.content.report_heads import month_of, report_head
from reports_pipeline.documents.tables import Column, ColumnKind, Report, Row, RowsAbove

# The name, kind and width of each column.
_COLUMNS = [
    ("incurred_on", ColumnKind.DATE, 13),
    ("claim_id", ColumnKind.TEXT, 16),
    ("employee", ColumnKind.TEXT, 18),
    ("category", ColumnKind.TEXT, 18),
    ("payee", ColumnKind.TEXT, 28),
    ("description", ColumnKind.TEXT, 42),
    ("amount", ColumnKind.AMOUNT, 16),
    ("consumption_tax", ColumnKind.AMOUNT, 14),
    ("status", ColumnKind.TEXT, 12),
]
_GROUPS = frozenset({"category", "employee", "status"})


def expense_claims(reports: TenantReports) -> Report:
    """The claims of the month, one row each, and their total."""
    texts = catalog(reports.company.language)
    statuses = {
        status: texts.text(f"status.{status}")
        for status in {claim.status for claim in reports.claims}
    }
    rows = [
        Row(
            key=f"claim:{claim.claim_id}",
            kind=LineKind.ACCOUNT,
            level=0,
            cells=(
                datetime.date.fromisoformat(claim.incurred_on),
                claim.claim_id,
                claim.employee,
                claim.category,
                claim.payee,
                claim.description,
                claim.amount,
                claim.consumption_tax,
                statuses[claim.status],
            ),
        )
        for claim in reports.claims
    ]
    if rows:
        rows.append(
            Row(
                key="total_claims",
                kind=LineKind.TOTAL,
                level=0,
                cells=(
                    texts.text("total_claims"),
                    *[""] * 5,
                    sum(claim.amount for claim in reports.claims),
                    sum(claim.consumption_tax for claim in reports.claims),
                    "",
                ),
                total_of=RowsAbove(0),
            )
        )
    return replace(
        report_head(reports, "expense_claims", month_of(reports)),
        columns=tuple(
            Column(texts.text(f"column.{name}"), kind, width, is_grouped=name in _GROUPS)
            for name, kind, width in _COLUMNS
        ),
        rows=tuple(rows),
        is_list=True,
        notes=() if rows else (texts.text("note.no_claims"),),
    )
