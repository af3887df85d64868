"""Which reports are in which document."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents.content.contents import (
    PDFS,
    WORKBOOKS,
    editions,
    pdf_reports,
    workbook_reports,
)
from tests.documents.samples import COMPANY, in_thousands, reports


def on_plan(plan: str, *, language: str = "ja", copy_language: str = "") -> TenantReports:
    return reports(
        company=replace(COMPANY, plan=plan, language=language, copy_language=copy_language)
    )


@pytest.mark.parametrize(
    ("plan", "income_statement", "balance_sheet"),
    [
        ("light", [], []),
        ("standard", ["income_statement_trend"], ["balance_sheet_trend"]),
        (
            "premium",
            ["income_statement_trend", "management_comments"],
            ["balance_sheet_trend"],
        ),
    ],
)
def test_plans_add_parts_to_the_same_pdfs(
    plan: str, income_statement: list[str], balance_sheet: list[str]
) -> None:
    assert [[part.name for part in parts] for parts in pdf_reports(on_plan(plan))] == [
        ["income_statement", *income_statement],
        ["balance_sheet", *balance_sheet],
        ["expense_analysis"],
        ["cash_flow", "indirect_cash_flow"],
    ]


@pytest.mark.parametrize(
    ("plan", "income_statement", "balance_sheet"),
    [
        ("light", [], []),
        ("standard", ["income_statement_trend"], ["balance_sheet_trend"]),
        ("premium", ["income_statement_trend"], ["balance_sheet_trend"]),
    ],
)
def test_plans_add_sheets_to_the_same_workbooks(
    plan: str, income_statement: list[str], balance_sheet: list[str]
) -> None:
    assert [[sheet.name for sheet in sheets] for sheets in workbook_reports(on_plan(plan))] == [
        ["income_statement", *income_statement],
        ["balance_sheet", *balance_sheet],
        ["expense_claims"],
    ]


def test_a_document_is_named_after_its_first_part() -> None:
    for plan in ("light", "standard", "premium"):
        assert [parts[0].name for parts in pdf_reports(on_plan(plan))] == list(PDFS)
        assert [sheets[0].name for sheets in workbook_reports(on_plan(plan))] == list(WORKBOOKS)


@pytest.mark.parametrize(
    ("plan", "language", "copy_language", "languages"),
    [
        ("premium", "ja", "en", ["ja", "en"]),
        ("premium", "en", "ja", ["en", "ja"]),
        ("premium", "ja", "", ["ja"]),
        ("premium", "ja", "ja", ["ja"]),
        ("standard", "ja", "en", ["ja"]),
        ("light", "ja", "en", ["ja"]),
    ],
)
def test_the_premium_plan_adds_a_copy_where_the_company_asks_for_one(
    plan: str, language: str, copy_language: str, languages: list[str]
) -> None:
    company = on_plan(plan, language=language, copy_language=copy_language)

    assert [edition.company.language for edition in editions(company)] == languages


def test_a_copy_says_the_same_in_its_language() -> None:
    original, copy = editions(on_plan("premium", copy_language="en"))

    for parts, copied in zip(pdf_reports(original), pdf_reports(copy), strict=True):
        for part, other in zip(parts, copied, strict=True):
            assert part.title != other.title
            assert [row.cells[1:] for row in part.rows] == [row.cells[1:] for row in other.rows]
            assert len(part.comments) == len(other.comments)


def test_pages_say_thousands_and_workbooks_say_yen() -> None:
    for parts in pdf_reports(in_thousands()):
        assert {part.facts[0] for part in parts} == {"単位：千円"}
    for sheets in workbook_reports(in_thousands()):
        assert {sheet.facts[0] for sheet in sheets} == {"単位：円"}


def test_thousands_warn_that_printed_amounts_may_not_add_up() -> None:
    def is_warned(notes: tuple[str, ...]) -> bool:
        return any("切り捨て" in note for note in notes)

    for parts in pdf_reports(in_thousands()):
        assert all(is_warned(part.notes) for part in parts)
    for documents in (workbook_reports(in_thousands()), pdf_reports(reports())):
        assert not any(is_warned(part.notes) for parts in documents for part in parts)
