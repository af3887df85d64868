"""From trial balance to statements (精算表), worked out by hand for three companies.

The data modules have the entries and their workings; here are the statements they must lead to.
"""

from __future__ import annotations

from collections import Counter

import pytest

from reports_pipeline.accounting.controls import check_identities, identity_failures
from reports_pipeline.accounting.reports import Statement, StatementKind
from reports_pipeline.accounting.statements import build_statements
from tests.accounting.extracts import extract_of
from tests.accounting.harbor import HARBOR
from tests.accounting.minato import MINATO
from tests.accounting.printing import lines, statement
from tests.accounting.wakaba import WAKABA
from tests.accounting.worksheets import Worksheet

# 損益計算書: the year. An account that only moved in and out within the year is 0.
INCOME_STATEMENTS = {
    "wakaba": [
        "net_sales",
        "  売上 6,400,000",
        "total_net_sales 6,400,000",
        "cost_of_sales",
        "  仕入 3,830,000",
        "total_cost_of_sales 3,830,000",
        "gross_profit 2,570,000",
        "selling_general_administrative",
        "  給料 1,080,000",
        "  支払家賃 600,000",
        "  水道光熱費 96,000",
        "  旅費交通費 54,000",
        "  保険料 20,000",
        "  減価償却費 100,000",
        "  貸倒引当金繰入 8,000",
        "total_selling_general_administrative 1,958,000",
        "operating_profit 612,000",
        "non_operating_income",
        "  受取家賃 45,000",
        "total_non_operating_income 45,000",
        "non_operating_expenses",
        "  支払利息 8,000",
        "  雑損 500",
        "total_non_operating_expenses 8,500",
        "ordinary_profit 648,500",
        "profit_before_tax 648,500",
        "income_taxes",
        "  法人税、住民税及び事業税 194,550",
        "total_income_taxes 194,550",
        "net_profit 453,950",
    ],
    "minato": [
        "net_sales",
        "  売上高 18,000,000",
        "  売上値引及び返品 -300,000",
        "total_net_sales 17,700,000",
        "cost_of_sales",
        "  期首商品棚卸高 900,000",
        "  仕入高 10,500,000",
        "  期末商品棚卸高 -1,200,000",
        "  棚卸減耗損 24,000",
        "  商品評価損 49,000",
        "total_cost_of_sales 10,273,000",
        "gross_profit 7,427,000",
        "selling_general_administrative",
        "  給料手当 3,200,000",
        "  賞与 600,000",
        "  賞与引当金繰入額 315,000",
        "  退職給付費用 150,000",
        "  広告宣伝費 420,000",
        "  地代家賃 600,000",
        "  減価償却費 453,125",
        "  ソフトウェア償却 120,000",
        "  貸倒引当金繰入額 18,500",
        "total_selling_general_administrative 5,876,625",
        "operating_profit 1,550,375",
        "non_operating_income",
        "  受取配当金 24,000",
        "total_non_operating_income 24,000",
        "non_operating_expenses",
        "  支払利息 57,500",
        "total_non_operating_expenses 57,500",
        "ordinary_profit 1,516,875",
        "extraordinary_losses",
        "  固定資産売却損 46,875",
        "total_extraordinary_losses 46,875",
        "profit_before_tax 1,470,000",
        "income_taxes",
        "  法人税、住民税及び事業税 441,000",
        "total_income_taxes 441,000",
        "net_profit 1,029,000",
    ],
    "harbor": [
        "net_sales",
        "  Service revenue 948,050",
        "total_net_sales 948,050",
        "cost_of_sales",
        "total_cost_of_sales 0",
        "gross_profit 948,050",
        "selling_general_administrative",
        "  Salaries and allowances 1,040,000",
        "  Insurance 16,000",
        "  Vehicle expenses 123,456",
        "  Depreciation 120,000",
        "  Provision for doubtful accounts 9,000",
        "total_selling_general_administrative 1,308,456",
        "operating_profit -360,406",
        "non_operating_expenses",
        "  Interest expenses 7,500",
        "  Amortization of organization costs 9,000",
        "total_non_operating_expenses 16,500",
        "ordinary_profit -376,906",
        "profit_before_tax -376,906",
        "income_taxes",
        "  Corporate, inhabitant and enterprise taxes 17,500",
        "total_income_taxes 17,500",
        "net_profit -394,406",
    ],
}

# 貸借対照表: the end of the year, then its beginning.
BALANCE_SHEETS = {
    "wakaba": [
        "assets",
        "  current_assets",
        "    現金 95,500 150,000",
        "    普通預金 2,050,000 1,200,000",
        "    売掛金 800,000 500,000",
        "    繰越商品 310,000 240,000",
        "    仮払法人税等 0 0",
        "    前払保険料 28,000 0",
        "    貸倒引当金 -16,000 -8,000",
        "  total_current_assets 3,267,500 2,082,000",
        "  noncurrent_assets",
        "    property_plant_equipment",
        "      備品 600,000 600,000",
        "      備品減価償却累計額 -300,000 -200,000",
        "    total_property_plant_equipment 300,000 400,000",
        "  total_noncurrent_assets 300,000 400,000",
        "total_assets 3,567,500 2,482,000",
        "liabilities",
        "  current_liabilities",
        "    買掛金 400,000 350,000",
        "    借入金 400,000 0",
        "    未払利息 2,000 0",
        "    前受家賃 45,000 0",
        "    未払法人税等 134,550 0",
        "  total_current_liabilities 981,550 350,000",
        "total_liabilities 981,550 350,000",
        "net_assets",
        "  shareholders_equity",
        "    資本金 1,500,000 1,500,000",
        "    retained_earnings",
        "      retained_earnings_brought_forward 632,000 632,000",
        "      net_profit_for_year 453,950 0",
        "    total_retained_earnings 1,085,950 632,000",
        "  total_shareholders_equity 2,585,950 2,132,000",
        "total_net_assets 2,585,950 2,132,000",
        "total_liabilities_and_net_assets 3,567,500 2,482,000",
    ],
    "minato": [
        "assets",
        "  current_assets",
        "    普通預金 6,625,000 5,200,000",
        "    売掛金 2,850,000 2,400,000",
        "    商品 1,127,000 900,000",
        "    仮払法人税等 0 0",
        "    前払費用 120,000 0",
        "    仮払消費税等 0 0",
        "    貸倒引当金 -28,500 -30,000",
        "  total_current_assets 10,693,500 8,470,000",
        "  noncurrent_assets",
        "    property_plant_equipment",
        "      建物 6,000,000 6,000,000",
        "      工具、器具及び備品 1,200,000 1,600,000",
        "      減価償却累計額 -1,925,000 -1,675,000",
        "    total_property_plant_equipment 5,275,000 5,925,000",
        "    intangible_assets",
        "      ソフトウェア 360,000 480,000",
        "    total_intangible_assets 360,000 480,000",
        "    investments_and_other_assets",
        "      投資有価証券 760,000 700,000",
        "    total_investments_and_other_assets 760,000 700,000",
        "  total_noncurrent_assets 6,395,000 7,105,000",
        "total_assets 17,088,500 15,575,000",
        "liabilities",
        "  current_liabilities",
        "    買掛金 1,850,000 1,500,000",
        "    １年内返済予定の長期借入金 500,000 0",
        "    未払費用 12,500 15,000",
        "    仮受消費税等 0 0",
        "    未払消費税等 621,000 0",
        "    賞与引当金 315,000 0",
        "    未払法人税等 141,000 250,000",
        "  total_current_liabilities 3,439,500 1,765,000",
        "  noncurrent_liabilities",
        "    長期借入金 2,000,000 3,000,000",
        "    退職給付引当金 950,000 800,000",
        "  total_noncurrent_liabilities 2,950,000 3,800,000",
        "total_liabilities 6,389,500 5,565,000",
        "net_assets",
        "  shareholders_equity",
        "    資本金 5,000,000 5,000,000",
        "    資本準備金 500,000 500,000",
        "    retained_earnings",
        "      利益準備金 240,000 200,000",
        # 4,310,000 less the dividend and what went to the reserve.
        "      retained_earnings_brought_forward 3,870,000 4,310,000",
        "      net_profit_for_year 1,029,000 0",
        "    total_retained_earnings 5,139,000 4,510,000",
        "  total_shareholders_equity 10,639,000 10,010,000",
        "  valuation_and_translation",
        "    その他有価証券評価差額金 60,000 0",
        "  total_valuation_and_translation 60,000 0",
        "total_net_assets 10,699,000 10,010,000",
        "total_liabilities_and_net_assets 17,088,500 15,575,000",
    ],
    "harbor": [
        "assets",
        "  current_assets",
        "    Ordinary deposits 646,594 —",
        "    Accounts receivable 300,000 —",
        "    Prepaid expenses 32,000 —",
        "    Allowance for doubtful accounts -9,000 —",
        "  total_current_assets 969,594 —",
        "  noncurrent_assets",
        "    property_plant_equipment",
        "      Vehicles 1,200,000 —",
        "      Accumulated depreciation -120,000 —",
        "    total_property_plant_equipment 1,080,000 —",
        "  total_noncurrent_assets 1,080,000 —",
        "  deferred_assets",
        "    Organization costs 81,000 —",
        "  total_deferred_assets 81,000 —",
        "total_assets 2,130,594 —",
        "liabilities",
        "  current_liabilities",
        "    Short-term borrowings 500,000 —",
        "    Accrued expenses 7,500 —",
        "    Income taxes payable 17,500 —",
        "  total_current_liabilities 525,000 —",
        "total_liabilities 525,000 —",
        "net_assets",
        "  shareholders_equity",
        "    Capital stock 2,000,000 —",
        "    retained_earnings",
        "      retained_earnings_brought_forward 0 —",
        "      net_profit_for_year -394,406 —",
        "    total_retained_earnings -394,406 —",
        "  total_shareholders_equity 1,605,594 —",
        "total_net_assets 1,605,594 —",
        "total_liabilities_and_net_assets 2,130,594 —",
    ],
}

# 間接法によるキャッシュ・フロー計算書: the year, without the lines of 0.
INDIRECT_CASH_FLOWS = {
    "wakaba": [
        "profit_before_tax_in_cash_flow 648,500",
        "depreciation_and_amortization 100,000",
        "change_in_allowance_for_doubtful_accounts 8,000",
        "interest_expense_excluded 8,000",
        # 800,000 - 500,000; 310,000 - 240,000; 400,000 - 350,000.
        "change_in_trade_receivables -300,000",
        "change_in_inventories -70,000",
        "change_in_trade_payables 50,000",
        # 前払保険料 -28,000, 未払利息 2,000, 前受家賃 45,000.
        "change_in_other_assets_and_liabilities 19,000",
        "subtotal_of_operating_activities 463,500",
        "interest_paid -8,000",
        # Of 194,550, 134,550 are still to be paid.
        "income_taxes_paid -60,000",
        "total_operating_activities 395,500",
        "change_in_short_term_borrowings 400,000",
        "total_financing_activities 400,000",
        "net_cash_change 795,500",
        "opening_cash 1,350,000",
        "closing_cash 2,145,500",
    ],
    "minato": [
        "profit_before_tax_in_cash_flow 1,470,000",
        # 453,125 and the software's 120,000.
        "depreciation_and_amortization 573,125",
        "change_in_allowance_for_doubtful_accounts -1,500",
        "interest_and_dividend_income_excluded -24,000",
        "interest_expense_excluded 57,500",
        "disposal_of_assets_excluded 46,875",
        "change_in_trade_receivables -450,000",
        "change_in_inventories -227,000",
        "change_in_trade_payables 350,000",
        # 前払費用 -120,000, 未払費用 -2,500, 未払消費税等 621,000, 賞与引当金 315,000,
        # 退職給付引当金 150,000.
        "change_in_other_assets_and_liabilities 963,500",
        "subtotal_of_operating_activities 2,758,500",
        "interest_and_dividends_received 24,000",
        "interest_paid -57,500",
        # Last year's 250,000, and 300,000 in advance.
        "income_taxes_paid -550,000",
        "total_operating_activities 2,175,000",
        # What the buyer of the older 備品 paid.
        "fixed_assets 150,000",
        "total_investing_activities 150,000",
        # The instalment of next September has become a short-term one.
        "change_in_short_term_borrowings 500,000",
        "change_in_long_term_borrowings -1,000,000",
        "dividends_paid -400,000",
        "total_financing_activities -900,000",
        "net_cash_change 1,425,000",
        "opening_cash 5,200,000",
        "closing_cash 6,625,000",
    ],
    "harbor": [
        "profit_before_tax_in_cash_flow -376,906",
        # 1,200.00 and the organization costs' 90.00.
        "depreciation_and_amortization 129,000",
        "change_in_allowance_for_doubtful_accounts 9,000",
        "interest_expense_excluded 7,500",
        "change_in_trade_receivables -300,000",
        # Prepaid insurance -320.00, interest that is owed 75.00.
        "change_in_other_assets_and_liabilities -24,500",
        "subtotal_of_operating_activities -555,906",
        "interest_paid -7,500",
        "total_operating_activities -563,406",
        # The vehicle and the organization costs.
        "fixed_assets -1,290,000",
        "total_investing_activities -1,290,000",
        "change_in_short_term_borrowings 500,000",
        "issuance_of_shares 2,000,000",
        "total_financing_activities 2,500,000",
        "net_cash_change 646,594",
        "closing_cash 646,594",
    ],
}

WORKSHEETS = [
    pytest.param(worksheet, id=worksheet.company.tenant_id)
    for worksheet in (WAKABA, MINATO, HARBOR)
]
closed_or_not = pytest.mark.parametrize("closed", [False, True], ids=["unclosed", "closed"])


@pytest.mark.parametrize("worksheet", WORKSHEETS)
def test_the_years_transactions_lead_to_the_trial_balance(worksheet: Worksheet) -> None:
    names = {account.account_code: account.name for account in worksheet.accounts}
    balances: Counter[str] = Counter()
    for entry in worksheet.transactions:
        for line in entry.lines:
            balances[names[line.account_code]] += line.amount
    debits, credits = worksheet.trial_balance
    assert sum(debits.values()) == sum(credits.values())
    assert {name: balance for name, balance in balances.items() if balance} == {
        **debits,
        **{name: -amount for name, amount in credits.items()},
    }


@closed_or_not
@pytest.mark.parametrize("worksheet", WORKSHEETS)
def test_the_income_statement_of_the_year(worksheet: Worksheet, closed: bool) -> None:
    income_statement = statement(
        worksheet.books(closed=closed), worksheet.last_month, StatementKind.INCOME_STATEMENT
    )
    expected = INCOME_STATEMENTS[worksheet.company.tenant_id]
    assert lines(income_statement, ["year_to_date"]) == expected


@closed_or_not
@pytest.mark.parametrize("worksheet", WORKSHEETS)
def test_the_balance_sheet_at_the_years_end(worksheet: Worksheet, closed: bool) -> None:
    balance_sheet = statement(
        worksheet.books(closed=closed), worksheet.last_month, StatementKind.BALANCE_SHEET
    )
    expected = BALANCE_SHEETS[worksheet.company.tenant_id]
    assert lines(balance_sheet, ["current", "opening"]) == expected


@closed_or_not
@pytest.mark.parametrize("worksheet", WORKSHEETS)
def test_the_indirect_cash_flow_of_the_year(worksheet: Worksheet, closed: bool) -> None:
    cash_flow = statement(
        worksheet.books(closed=closed), worksheet.last_month, StatementKind.INDIRECT_CASH_FLOW
    )
    expected = INDIRECT_CASH_FLOWS[worksheet.company.tenant_id]
    moved = Statement(cash_flow.kind, tuple(line for line in cash_flow.lines if line.year_to_date))
    assert [line.strip() for line in lines(moved, ["year_to_date"])] == expected


@closed_or_not
@pytest.mark.parametrize("worksheet", WORKSHEETS)
@pytest.mark.parametrize("months_later", [0, 1])
def test_every_identity_holds_before_and_after_the_turn_of_the_year(
    worksheet: Worksheet, closed: bool, months_later: int
) -> None:
    month = worksheet.last_month.plus(months_later)
    extract = extract_of(month, [worksheet.books(closed=closed)])
    assert identity_failures(check_identities(extract, build_statements(extract))) == []


@closed_or_not
@pytest.mark.parametrize(
    ("worksheet", "brought_forward"),
    [
        (WAKABA, 632_000 + 453_950),
        (MINATO, 3_870_000 + 1_029_000),
        (HARBOR, -394_406),
    ],
    ids=["wakaba", "minato", "harbor"],
)
def test_the_next_year_begins_with_the_profit_brought_forward(
    worksheet: Worksheet, closed: bool, brought_forward: int
) -> None:
    books, month = worksheet.books(closed=closed), worksheet.last_month.plus(1)
    income_statement = statement(books, month, StatementKind.INCOME_STATEMENT)
    assert {line.year_to_date for line in income_statement.lines} == {None, 0}
    balance_sheet = statement(books, month, StatementKind.BALANCE_SHEET)
    profits = {
        line.key: (line.current, line.opening)
        for line in balance_sheet.lines
        if line.key in ("retained_earnings_brought_forward", "net_profit_for_year")
    }
    assert profits == {
        "retained_earnings_brought_forward": (brought_forward, brought_forward),
        "net_profit_for_year": (0, 0),
    }
