"""Statements as text, for tests that read like a statement."""

from __future__ import annotations

from collections.abc import Sequence

from reports_pipeline.accounting.assembly import tenant_reports
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import (
    Statement,
    StatementKind,
    StatementLine,
    TenantReports,
)
from reports_pipeline.accounting.statements import build_statements
from tests.accounting.extracts import Bookkeeping, extract_of


def reports_of(extract: LedgerExtract) -> list[TenantReports]:
    statements = build_statements(extract)
    return list(tenant_reports(extract.month, extract.companies, extract.claims, statements))


def statement(books: Bookkeeping, month: Month, kind: StatementKind) -> Statement:
    (reports,) = reports_of(extract_of(month, [books]))
    return reports.statement(kind)


def line_of(found: Statement, key: str) -> StatementLine:
    [line] = [line for line in found.lines if line.key == key]
    return line


def account_of(found: Statement, code: str) -> StatementLine:
    return line_of(found, f"account:{code}")


def lines(statement: Statement, columns: Sequence[str]) -> list[str]:
    """Each line as its account name or key, indented, and these columns: `　現金 30,000 — 0`."""
    return [
        "  " * line.level
        + " ".join(
            [line.label or line.key]
            + [
                "—" if getattr(line, column) is None else f"{getattr(line, column):,}"
                for column in columns
                if line.kind != "heading"
            ]
        )
        for line in statement.lines
    ]
