"""Which documents a tenant's month has, and which reports are in each, by plan.

A new report is one more `Part`, or a document of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents.content.claim_list import expense_claims
from reports_pipeline.documents.content.comments import comment_report
from reports_pipeline.documents.content.layouts import (
    BALANCE_SHEET,
    CASH_FLOW,
    EXPENSE_ANALYSIS,
    INCOME_STATEMENT,
    INDIRECT_CASH_FLOW,
    statement_report,
)
from reports_pipeline.documents.content.trend_tables import (
    BALANCE_SHEET_TREND,
    INCOME_STATEMENT_TREND,
    trend_report,
)
from reports_pipeline.documents.tables import Report

_EVERY_PLAN = frozenset({"light", "standard", "premium"})
_STANDARD = frozenset({"standard", "premium"})
_PREMIUM = frozenset({"premium"})


@dataclass(frozen=True)
class Part:
    """A report in a document, for companies on one of these plans."""

    make: Callable[[TenantReports], Report]
    plans: frozenset[str] = _EVERY_PLAN


# The documents by name, in the order in which they are sent. A document is named after its first
# part, which every plan has.
PDFS: Mapping[str, Sequence[Part]] = {
    "income_statement": (
        Part(partial(statement_report, INCOME_STATEMENT)),
        Part(partial(trend_report, INCOME_STATEMENT_TREND), _STANDARD),
        Part(comment_report, _PREMIUM),
    ),
    "balance_sheet": (
        Part(partial(statement_report, BALANCE_SHEET)),
        Part(partial(trend_report, BALANCE_SHEET_TREND), _STANDARD),
    ),
    "expense_analysis": (Part(partial(statement_report, EXPENSE_ANALYSIS)),),
    # A summary, and the statement that explains it.
    "cash_flow": (
        Part(partial(statement_report, CASH_FLOW)),
        Part(partial(statement_report, INDIRECT_CASH_FLOW)),
    ),
}
WORKBOOKS: Mapping[str, Sequence[Part]] = {
    "income_statement": (
        Part(partial(statement_report, INCOME_STATEMENT)),
        Part(partial(trend_report, INCOME_STATEMENT_TREND), _STANDARD),
    ),
    "balance_sheet": (
        Part(partial(statement_report, BALANCE_SHEET)),
        Part(partial(trend_report, BALANCE_SHEET_TREND), _STANDARD),
    ),
    "expense_claims": (Part(expense_claims),),
}


def pdf_reports(reports: TenantReports) -> list[list[Report]]:
    """The parts of each PDF of the tenant's month."""
    return _documents(PDFS, reports)


def workbook_reports(reports: TenantReports) -> list[list[Report]]:
    """The sheets of each workbook of the tenant's month.

    A workbook is there to calculate with: its totals are formulas, so it holds exact amounts in
    the currency's unit, and says so, whatever the company reads.
    """
    in_full = replace(reports.company, display_unit="one")
    return _documents(WORKBOOKS, replace(reports, company=in_full))


def editions(reports: TenantReports) -> list[TenantReports]:
    """The reports in the language of the company, and in that of the copy if its plan has one."""
    company = reports.company
    if company.plan not in _PREMIUM or company.copy_language in ("", company.language):
        return [reports]
    return [reports, replace(reports, company=replace(company, language=company.copy_language))]


def _documents(
    documents: Mapping[str, Sequence[Part]], reports: TenantReports
) -> list[list[Report]]:
    plan = reports.company.plan
    return [
        [part.make(reports) for part in parts if plan in part.plans] for parts in documents.values()
    ]
