"""The list of expense claims."""

from __future__ import annotations

from reports_pipeline.documents.content.claim_list import expense_claims
from tests.documents.samples import CLAIMS, closing_on_the_20th, empty, reports


def test_claim_list_has_a_row_each_and_their_sum() -> None:
    report = expense_claims(reports())

    assert len(report.rows) == len(CLAIMS) + 1
    assert report.rows[-1].cells[6:8] == (7_100, 644)
    assert report.rows[0].cells[-1] == "支払済"


def test_month_without_claims_says_so() -> None:
    report = expense_claims(empty())

    assert report.rows == ()
    assert report.notes == ("この月の経費精算はありません。",)


def test_period_is_the_company_s_month() -> None:
    assert expense_claims(reports()).period == "2026年10月度"
    assert expense_claims(closing_on_the_20th()).period == "2026年9月21日～2026年10月20日"


def test_a_summary_has_a_total_for_each_category_employee_and_status() -> None:
    columns = expense_claims(reports()).columns

    assert [column.title for column in columns if column.is_grouped] == [
        "申請者", "経費区分", "状態",
    ]  # fmt: skip
