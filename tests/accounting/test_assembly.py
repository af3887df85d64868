from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pandas as pd
import pytest

from reports_pipeline.accounting.assembly import numbers_hash, tenant_reports
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.reports import (
    Claim,
    Company,
    StatementKind,
    StatementLine,
    TenantReports,
)
from reports_pipeline.accounting.statements import build_statements
from tests.accounting.extracts import company, extract_of
from tests.accounting.printing import reports_of
from tests.accounting.sakura import MAY, SAKURA


@pytest.fixture
def extract() -> LedgerExtract:
    ume = replace(SAKURA, company=company("ume"), claims=[])
    return extract_of(MAY, [SAKURA, ume])


def test_each_tenant_gets_its_own_company_claims_and_statements(extract: LedgerExtract) -> None:
    sakura, ume = reports_of(extract)
    assert sakura.company == SAKURA.company.in_month(MAY)
    assert ume.company == company("ume").in_month(MAY)
    assert (sakura.claims, ume.claims) == (tuple(SAKURA.claims), ())
    assert sakura.statements == ume.statements
    assert [statement.kind for statement in sakura.statements] == list(StatementKind)
    assert (sakura.month, sakura.revision) == (MAY, 1)


def test_values_are_pythons_own(extract: LedgerExtract) -> None:
    sakura = reports_of(extract)[0]
    values = [getattr(sakura.company, field.name) for field in fields(Company)]
    values += [getattr(sakura.claims[0], field.name) for field in fields(Claim)]
    for statement in sakura.statements:
        for line in statement.lines:
            values += [getattr(line, field.name) for field in fields(StatementLine)]
            values += line.trend
    own = {"str", "int", "bool", "tuple", "NoneType", "LineKind"}
    assert {type(value).__name__ for value in values} <= own


def test_claims_keep_their_order_among_those_of_other_tenants(extract: LedgerExtract) -> None:
    claims = pd.concat(
        [
            extract.claims.assign(tenant_id=tenant_id, claim_id=claim_id)
            for tenant_id, claim_id in [("sakura", "b"), ("ume", "x"), ("sakura", "a")]
        ]
    )
    sakura, ume = reports_of(replace(extract, claims=claims))
    assert [claim.claim_id for claim in sakura.claims] == ["b", "a"]
    assert [claim.claim_id for claim in ume.claims] == ["x"]


def test_a_tenant_with_a_statement_missing_is_refused(extract: LedgerExtract) -> None:
    statements = build_statements(extract)
    statements = statements[statements["statement"] != StatementKind.EXPENSE_ANALYSIS]
    with pytest.raises(ValueError, match="one statement of each kind: sakura"):
        list(tenant_reports(MAY, extract.companies, extract.claims, statements))


def test_a_tenant_that_is_no_company_is_refused(extract: LedgerExtract) -> None:
    statements = build_statements(extract)
    with pytest.raises(ValueError, match="not a company"):
        list(tenant_reports(MAY, extract.companies.iloc[:0], extract.claims, statements))


def test_a_new_revision_of_the_same_figures_has_the_same_hash(extract: LedgerExtract) -> None:
    sakura = reports_of(extract)[0]
    assert numbers_hash(replace(sakura, revision=2)) == numbers_hash(sakura)
    assert numbers_hash(reports_of(extract)[0]) == numbers_hash(sakura)


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "premium"},
        {"plan": "light"},
        {"plan": "premium", "copy_language": "en"},
        {"time_zone": "America/Los_Angeles"},
    ],
)
def test_what_decides_only_which_documents_there_are_leaves_the_hash(
    extract: LedgerExtract, change: dict[str, str]
) -> None:
    sakura = reports_of(extract)[0]
    changed = replace(sakura, company=replace(sakura.company, **change))  # type: ignore[arg-type]
    assert numbers_hash(changed) == numbers_hash(sakura)


def test_a_contra_account_is_marked_and_leaves_the_hash(extract: LedgerExtract) -> None:
    sakura = reports_of(extract)[0]
    lines = [line for statement in sakura.statements for line in statement.lines]
    assert {line.label for line in lines if line.is_contra} == {
        "減価償却累計額",
        "売上値引及び返品",
    }
    marked = with_line(sakura, lambda line: replace(line, is_contra=True))
    assert numbers_hash(marked) == numbers_hash(sakura)


def with_line(
    report: TenantReports, change: Callable[[StatementLine], StatementLine]
) -> TenantReports:
    """The report with its balance sheet's first account line changed."""
    income_statement, balance_sheet, *others = report.statements
    heading, section, cash, *lines = balance_sheet.lines
    changed = replace(balance_sheet, lines=(heading, section, change(cash), *lines))
    return replace(report, statements=(income_statement, changed, *others))


@pytest.mark.parametrize(
    "change",
    [
        lambda report: replace(report, month=MAY.plus(1)),
        lambda report: replace(report, claims=()),
        lambda report: replace(report, claims=(replace(report.claims[0], amount=1),)),
        lambda report: replace(report, company=replace(report.company, name="梅")),
        lambda report: replace(report, company=replace(report.company, closed=False)),
        lambda report: replace(
            report, company=replace(report.company, fiscal_year_start="2026-05-01")
        ),
        lambda report: replace(report, company=replace(report.company, display_unit="thousand")),
        lambda report: replace(report, company=replace(report.company, month_start="2026-04-21")),
        lambda report: replace(report, company=replace(report.company, month_end="2026-05-21")),
        lambda report: replace(
            report, company=replace(report.company, fiscal_year_start="2026-01-01")
        ),
        lambda report: replace(report, statements=report.statements[::-1]),
        lambda report: with_line(report, lambda line: replace(line, current=1)),
        lambda report: with_line(report, lambda line: replace(line, prior=None)),
        lambda report: with_line(report, lambda line: replace(line, prior_year=7)),
        lambda report: with_line(report, lambda line: replace(line, label="小口現金")),
        lambda report: with_line(report, lambda line: replace(line, trend=(1,) * 12)),
    ],
)
def test_whatever_a_document_shows_changes_the_hash(
    extract: LedgerExtract, change: Callable[[TenantReports], TenantReports]
) -> None:
    sakura = reports_of(extract)[0]
    assert numbers_hash(change(sakura)) != numbers_hash(sakura)
