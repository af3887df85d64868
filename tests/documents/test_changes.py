"""A change reads as its reader's documents do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports_pipeline.accounting.corrections import line_changes
from reports_pipeline.accounting.reports import LineChange, StatementKind
from reports_pipeline.documents.catalogs import LANGUAGES
from reports_pipeline.documents.changes import ChangeText, change_text
from tests.documents.samples import ENGLISH, empty, reports

NET_SALES = LineChange("income_statement", "total_net_sales", "", "current", 1_000, -120_050)


def words(change: LineChange, language: str = "ja", currency: str = "JPY") -> ChangeText:
    return change_text(change, language=language, currency=currency)


def test_an_amount_has_its_currencys_decimals() -> None:
    assert words(NET_SALES) == ChangeText(
        "月次損益計算書", "売上高合計", "当月", "1,000", "△120,050"
    )
    assert words(NET_SALES, "en", "USD") == ChangeText(
        "Income Statement", "Total net sales", "This month", "10.00", "△1,200.50"
    )


def test_an_account_keeps_its_name_and_nothing_is_a_dash() -> None:
    change = LineChange("cash_flow", "account:4110", "売上高", "year_to_date", None, 5)
    assert words(change) == ChangeText("キャッシュフロー概要", "売上高", "当期累計", "—", "5")


@pytest.mark.parametrize(
    ("column", "title"),
    [
        ("current", "当月末"),
        ("prior", "前月末"),
        ("prior_year", "前年同月末"),
        ("opening", "期首"),
        ("trend.2026-01", "2026年01月"),
        ("label", "科目"),
    ],
)
def test_balances_have_the_columns_of_a_balance_sheet(column: str, title: str) -> None:
    change = LineChange("balance_sheet", "account:1120", "普通預金", column, 1, 2)
    assert words(change).column == title


def test_a_claim_reads_as_in_its_list() -> None:
    change = LineChange("expense_claims", "claim:c1", "c1", "status", "approved", "paid")
    assert words(change) == ChangeText("経費精算一覧", "c1", "状態", "承認済", "支払済")


@pytest.mark.parametrize(
    ("key", "before", "after", "expected"),
    [
        ("name", "梅", "梅酒造", ("会社名", "梅", "梅酒造")),
        ("closed", "closed", "provisional", ("月次締め", "締め済み", "未締め・暫定")),
        ("display_unit", "one", "thousand", ("表示単位", "円単位", "千円単位")),
        ("consumption_tax_basis", "none", "exclusive",
         ("消費税の経理方式", "消費税：対象外", "消費税：税抜")),
    ],
)  # fmt: skip
def test_facts_of_the_company_are_words(
    key: str, before: str, after: str, expected: tuple[str, str, str]
) -> None:
    text = words(LineChange("company", key, "", "", before, after))
    assert (text.label, text.before, text.after) == expected
    assert text.column == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_change_has_words(language: str) -> None:
    """Between reports that share nothing but their month."""
    english = replace(ENGLISH, fiscal_year_start="2026-01-01", month_start="2026-09-21")
    before = reports(company=replace(english, month_end="2026-10-21", display_unit="thousand"))
    changes = line_changes(before, empty())
    assert {change.statement for change in changes} == {
        "company",
        *StatementKind,
        "expense_claims",
    }
    for change in changes:
        text = words(change, language)
        assert all((text.report, text.label, text.before, text.after)), change
