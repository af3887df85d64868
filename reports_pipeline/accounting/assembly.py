"""From the tables of a batch to the reports of each tenant, and what makes two reports the same."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import fields
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import (
    COMPANY_ON_DOCUMENTS,
    Claim,
    Company,
    LineKind,
    Statement,
    StatementKind,
    StatementLine,
    TenantReports,
)
from reports_pipeline.accounting.statement_layout import AMOUNT_COLUMNS
from reports_pipeline.accounting.statements import trend_matrix

_company_on_documents = attrgetter(*COMPANY_ON_DOCUMENTS)
_line_on_documents = attrgetter(*(field.name for field in fields(StatementLine) if field.compare))
_claim_on_documents = attrgetter(*(field.name for field in fields(Claim)))


def tenant_reports(
    month: Month,
    companies: pd.DataFrame,
    claims: pd.DataFrame,
    statements: pd.DataFrame,
) -> Iterator[TenantReports]:
    """The reports of each tenant in `statements`, in their order (that of `build_statements`).

    `companies` and `claims` are tables of the extract. The revision, which the register of reports
    knows, is 1.

    Raises:
        ValueError: a tenant is not among the companies, or lacks a statement.
    """
    company_of = {
        company.tenant_id: company
        for company in itertools.starmap(Company, _rows(companies, _names(Company)))
    }
    claims_of = _claims(claims)
    for tenant_id, of_tenant in _statements(statements).items():
        company = company_of.get(tenant_id)
        if company is None or [statement.kind for statement in of_tenant] != list(StatementKind):
            raise ValueError(f"not a company with one statement of each kind: {tenant_id}")
        yield TenantReports(
            company=company,
            month=month,
            revision=1,
            statements=tuple(of_tenant),
            claims=tuple(claims_of.get(tenant_id, ())),
        )


def numbers_hash(reports: TenantReports) -> str:
    """SHA-256 (hexadecimal) of everything the documents show except the revision.

    Reports with the same hash need no new revision and no mail.
    """
    shown = [
        _company_on_documents(reports.company),
        str(reports.month),
        [
            [statement.kind, list(map(_line_on_documents, statement.lines))]
            for statement in reports.statements
        ],
        list(map(_claim_on_documents, reports.claims)),
    ]
    return hashlib.sha256(json.dumps(shown, separators=(",", ":")).encode("ascii")).hexdigest()


def _names(value_type: type[Company | Claim]) -> list[str]:
    return [field.name for field in fields(value_type)]


def _statements(table: pd.DataFrame) -> dict[str, list[Statement]]:
    lines = [
        StatementLine(*values)
        for values in zip(
            table["key"].tolist(),
            table["label"].tolist(),
            map({str(kind): kind for kind in LineKind}.__getitem__, table["kind"].tolist()),
            table["level"].tolist(),
            *(_integers(table[name]) for name in AMOUNT_COLUMNS),
            map(tuple, trend_matrix(table).tolist()),
            table["is_contra"].tolist(),
            strict=True,
        )
    ]
    tenants = table["tenant_id"].to_numpy(dtype=object)
    kinds = table["statement"].to_numpy(dtype=object)
    changes = (tenants[1:] != tenants[:-1]) | (kinds[1:] != kinds[:-1])
    starts = np.flatnonzero(np.append(len(table) > 0, changes)).tolist()
    statements: dict[str, list[Statement]] = {}
    for start, end in zip(starts, [*starts, len(table)][1:], strict=True):
        statement = Statement(StatementKind(kinds[start]), tuple(lines[start:end]))
        statements.setdefault(tenants[start], []).append(statement)
    return statements


def _integers(column: pd.Series) -> list[int | None]:
    values: list[int | None] = column.to_numpy(dtype=np.int64, na_value=0).tolist()
    for row in np.flatnonzero(column.isna()).tolist():
        values[row] = None
    return values


def _claims(table: pd.DataFrame) -> dict[str, list[Claim]]:
    claims: dict[str, list[Claim]] = {}
    for tenant_id, *values in _rows(table, ["tenant_id", *_names(Claim)]):
        claims.setdefault(tenant_id, []).append(Claim(*values))
    return claims


def _rows(table: pd.DataFrame, names: list[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of a table as Python values."""
    return zip(*(table[name].tolist() for name in names), strict=True)
