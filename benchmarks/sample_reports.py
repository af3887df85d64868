"""The month of a usual company, as the statements stage hands it to rendering.

Nothing is read from a ledger: amounts are drawn, and statements add them up. Each statement has 40
to 50 lines, and there are 500 expense claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reports_pipeline.accounting.charts import default_chart
from reports_pipeline.accounting.reports import Claim, TenantReports
from resources.sample_companies import company_names, partner_names, person_names, sample_company
from tests.documents.samples import COMPANY, Account, reports

_CLAIMS = 500
# Accounts of the default chart a company uses of each class, and the amount of the largest of them.
_INCOME = {
    "net_sales": (["net_sales", "sales_deductions"], 3, 60_000_000),
    "cost_of_sales": (["cost_of_sales"], 5, 18_000_000),
    "selling_general_administrative": (["selling_general_administrative"], 20, 6_000_000),
    "non_operating_income": (["interest_and_dividend_income", "non_operating_income"], 2, 90_000),
    "non_operating_expenses": (["interest_expense", "non_operating_expenses"], 2, 120_000),
    "income_taxes": (["income_taxes"], 1, 1_800_000),
}
_BALANCES = {
    "current_assets": (
        ["cash_and_deposits", "trade_receivables", "inventories", "other_current_assets"],
        9,
        90_000_000,
    ),
    "property_plant_equipment": (["property_plant_equipment"], 3, 60_000_000),
    "investments_and_other_assets": (["investments_and_other_assets"], 2, 9_000_000),
    "current_liabilities": (
        ["trade_payables", "short_term_borrowings", "other_current_liabilities"],
        7,
        30_000_000,
    ),
    "noncurrent_liabilities": (["long_term_borrowings", "lease_obligations"], 2, 50_000_000),
    "shareholders_equity": (["capital_stock", "capital_surplus"], 2, 20_000_000),
}
_CATEGORIES = (
    ("旅費交通費", "客先訪問の電車代（往復）"), ("接待交際費", "取引先との会食 4名"),
    ("消耗品費", "コピー用紙とトナー"), ("会議費", "定例会議の飲み物"),
    ("通信費", "モバイル回線 10月分"), ("新聞図書費", "専門書の購入"),
    ("車両費", "営業車のガソリン代"), ("福利厚生費", "健康診断の立替"),
)  # fmt: skip


def sample_reports(number: int, plan: str = "standard") -> TenantReports:
    """The month of the company of this number: always the same one."""
    company = sample_company(number, seed=4)
    rng = np.random.default_rng([4, number])
    return reports(
        company=replace(
            COMPANY,
            tenant_id=company.tenant_id,
            name=company_names(rng, [company.trade], "ja")[0],
            plan=plan,
        ),
        sales={section: _accounts(rng, *drawn) for section, drawn in _INCOME.items()},
        balances={section: _accounts(rng, *drawn) for section, drawn in _BALANCES.items()},
        receipts=_accounts(rng, ["trade_receivables", "net_sales"], 5, 50_000_000),
        payments=_accounts(rng, ["selling_general_administrative"], 30, 9_000_000),
        claims=_claims(rng),
    )


def _accounts(
    rng: np.random.Generator, classes: Sequence[str], count: int, largest: int
) -> list[Account]:
    chart = [account for account in default_chart("ja") if account.account_class in classes]
    chosen = sorted(rng.permutation(len(chart))[:count])
    amounts = (largest * rng.random((len(chosen), 3)) ** 3).astype(int).tolist()
    return [
        Account(chart[index].account_code, chart[index].name, current, prior, current + 6 * third)
        for index, (current, prior, third) in zip(chosen, amounts, strict=True)
    ]


def _claims(rng: np.random.Generator) -> tuple[Claim, ...]:
    employees = person_names(rng, 25, "ja")
    payees = partner_names(rng, 60, "ja")
    amounts = (20_000 * rng.random(_CLAIMS) ** 2).astype(int) + 180
    claims = []
    for number, amount in enumerate(amounts.tolist()):
        category, description = _CATEGORIES[rng.integers(len(_CATEGORIES))]
        claims.append(
            Claim(
                claim_id=f"EX-{number + 1:05}",
                incurred_on=f"2026-10-{number * 31 // _CLAIMS + 1:02}",
                employee=employees[rng.integers(len(employees))],
                category=category,
                payee=payees[rng.integers(len(payees))],
                description=description,
                amount=amount,
                consumption_tax=amount // 11,
                status=("submitted", "approved", "paid")[number % 3],
            )
        )
    return tuple(claims)
