"""間接法: from the profit before tax to the change of cash, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from reports_pipeline.accounting.accounts import AccountClass as Class
from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.journal import EntryKind
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import StatementKind
from tests.accounting.extracts import Bookkeeping, company, extract_of
from tests.accounting.journals import batches
from tests.accounting.printing import line_of, lines, reports_of, statement
from tests.accounting.sakura import CAPITAL, CASH, EQUIPMENT, MAY, SAKURA, SALES, entry, posting
from tests.accounting.worksheets import Journal

INDIRECT, DIRECT = StatementKind.INDIRECT_CASH_FLOW, StatementKind.CASH_FLOW

# 有限会社あおば製作所, whose year begins in April.
_entry = Journal(SAKURA.accounts).entry

APRIL_ENTRIES = [
    _entry(
        "2026-04-01",
        {
            "普通預金": 6_000_000,
            "売掛金": 800_000,
            "商品": 300_000,
            "車両運搬具": 1_200_000,
            "創立費": 60_000,
        },  # 8,360,000
        {
            "貸倒引当金": 8_000,
            "減価償却累計額": 400_000,
            "買掛金": 500_000,
            "短期借入金": 300_000,
            "未払法人税等": 200_000,
            "長期借入金": 2_000_000,
            "リース債務": 480_000,
            "資本金": 3_000_000,
            "繰越利益剰余金": 1_472_000,
        },  # 8,360,000
        EntryKind.OPENING,
    ),
    _entry("2026-04-10", {"売掛金": 1_000_000}, {"売上高": 1_000_000}),
    _entry("2026-04-20", {"普通預金": 700_000}, {"売掛金": 700_000}),
    _entry("2026-04-25", {"給料手当": 300_000}, {"普通預金": 300_000}),
    _entry("2026-04-30", {"減価償却費": 20_000}, {"減価償却累計額": 20_000}),
]
MAY_ENTRIES = [
    # Profit before tax: sales 2,000,000 - cost of sales (900,000 - 100,000 + 5,000) - salaries
    # 300,000 - depreciation 20,000 - provision 12,000 + interest (3,000 - 12,000) - amortization
    # 1,000 + disposals (50,000 - 10,000) = 893,000.
    _entry("2026-05-01", {"売掛金": 2_000_000}, {"売上高": 2_000_000}),
    _entry("2026-05-02", {"仕入高": 900_000}, {"買掛金": 900_000}),
    _entry("2026-05-31", {"商品": 100_000}, {"期末商品棚卸高": 100_000}),
    _entry(
        "2026-05-25", {"給料手当": 300_000}, {"普通預金": 270_000, "預り金（源泉所得税）": 30_000}
    ),
    _entry("2026-05-31", {"貸倒引当金繰入額": 12_000}, {"貸倒引当金": 12_000}),
    # 20,000 + 5,000 + 1,000 that nobody was paid.
    _entry(
        "2026-05-31",
        {"減価償却費": 20_000, "減価償却費（製造）": 5_000},
        {"減価償却累計額": 25_000},
    ),
    _entry("2026-05-31", {"繰延資産償却": 1_000}, {"創立費": 1_000}),
    # Customers paid 500,000 less than was sold; 300,000 of the purchases are still owed.
    _entry("2026-05-20", {"普通預金": 1_500_000}, {"売掛金": 1_500_000}),
    _entry("2026-05-20", {"買掛金": 600_000}, {"普通預金": 600_000}),
    _entry("2026-05-29", {"支払利息": 12_000}, {"普通預金": 12_000}),
    _entry("2026-05-29", {"普通預金": 3_000}, {"受取利息": 3_000}),
    # Last year's taxes are paid; this month's 150,000 are not, nor did the deferral of 9,000 cost.
    _entry("2026-05-29", {"未払法人税等": 200_000}, {"普通預金": 200_000}),
    _entry("2026-05-31", {"法人税、住民税及び事業税": 150_000}, {"未払法人税等": 150_000}),
    _entry("2026-05-31", {"繰延税金資産": 9_000}, {"法人税等調整額": 9_000}),
    # A car of 400,000, by 150,000 depreciated, is sold for 300,000; another, of 100,000 by 90,000,
    # is scrapped. Tools and software are bought: 300,000 - 600,000 - 120,000 = -420,000.
    _entry(
        "2026-05-12",
        {"普通預金": 300_000, "減価償却累計額": 150_000},
        {"車両運搬具": 400_000, "固定資産売却益": 50_000},
    ),
    _entry(
        "2026-05-13",
        {"減価償却累計額": 90_000, "固定資産除却損": 10_000},
        {"車両運搬具": 100_000},
    ),
    _entry(
        "2026-05-14",
        {"工具、器具及び備品": 600_000, "ソフトウェア": 120_000},
        {"普通預金": 720_000},
    ),
    _entry("2026-05-15", {"短期貸付金": 70_000}, {"普通預金": 70_000}),
    # Securities of 150,000 are worth 20,000 more at the month's end, which is no cash.
    _entry("2026-05-15", {"投資有価証券": 150_000}, {"普通預金": 150_000}),
    _entry("2026-05-31", {"投資有価証券": 20_000}, {"その他有価証券評価差額金": 20_000}),
    _entry("2026-05-07", {"普通預金": 1_000_000}, {"長期借入金": 1_000_000}),
    _entry("2026-05-29", {"長期借入金": 100_000}, {"普通預金": 100_000}),
    _entry("2026-05-29", {"短期借入金": 250_000}, {"普通預金": 250_000}),
    _entry("2026-05-29", {"リース債務": 40_000}, {"普通預金": 40_000}),
    _entry("2026-05-18", {"普通預金": 600_000}, {"資本金": 300_000, "資本準備金": 300_000}),
    _entry("2026-05-19", {"自己株式": 80_000}, {"普通預金": 80_000}),
    # A dividend of 100,000; what goes to the legal reserve stays in the company.
    _entry("2026-05-28", {"繰越利益剰余金": 110_000}, {"普通預金": 100_000, "利益準備金": 10_000}),
]
AOBA = Bookkeeping(company("aoba"), SAKURA.accounts, [*APRIL_ENTRIES, *MAY_ENTRIES])


def test_may_of_aoba() -> None:
    """The columns: May, April, and both."""
    cash_flow = statement(AOBA, MAY, INDIRECT)
    assert lines(cash_flow, ["current", "prior", "year_to_date"]) == [
        "operating_activities",
        "  profit_before_tax_in_cash_flow 893,000 680,000 1,573,000",
        "  depreciation_and_amortization 26,000 20,000 46,000",
        "  change_in_allowance_for_doubtful_accounts 12,000 0 12,000",
        "  interest_and_dividend_income_excluded -3,000 0 -3,000",
        "  interest_expense_excluded 12,000 0 12,000",
        "  disposal_of_assets_excluded -40,000 0 -40,000",
        "  change_in_trade_receivables -500,000 -300,000 -800,000",
        "  change_in_inventories -100,000 0 -100,000",
        "  change_in_trade_payables 300,000 0 300,000",
        "  change_in_other_assets_and_liabilities 30,000 0 30,000",
        # From customers 1,500,000, to suppliers 600,000, to employees 270,000.
        "  subtotal_of_operating_activities 630,000 400,000 1,030,000",
        "  interest_and_dividends_received 3,000 0 3,000",
        "  interest_paid -12,000 0 -12,000",
        "  income_taxes_paid -200,000 0 -200,000",
        "total_operating_activities 421,000 400,000 821,000",
        "investing_activities",
        "  fixed_assets -420,000 0 -420,000",
        "  short_term_investments_in_cash_flow -70,000 0 -70,000",
        "  investments_and_other_assets_in_cash_flow -150,000 0 -150,000",
        "total_investing_activities -640,000 0 -640,000",
        "financing_activities",
        "  change_in_short_term_borrowings -250,000 0 -250,000",
        "  change_in_long_term_borrowings 900,000 0 900,000",
        "  repayment_of_lease_obligations -40,000 0 -40,000",
        "  issuance_of_shares 600,000 0 600,000",
        "  change_in_treasury_stock -80,000 0 -80,000",
        "  dividends_paid -100,000 0 -100,000",
        "total_financing_activities 1,030,000 0 1,030,000",
        "net_cash_change 811,000 400,000 1,211,000",
        "opening_cash 6,400,000 6,000,000 6,000,000",
        "closing_cash 7,211,000 6,400,000 7,211,000",
    ]
    assert {line.opening for line in cash_flow.lines} == {None}


def test_its_profit_is_the_income_statements() -> None:
    profit = line_of(statement(AOBA, MAY, INDIRECT), "profit_before_tax_in_cash_flow")
    reported = line_of(statement(AOBA, MAY, StatementKind.INCOME_STATEMENT), "profit_before_tax")
    assert (profit.current, profit.prior, profit.year_to_date, profit.trend) == (
        reported.current,
        reported.prior,
        reported.year_to_date,
        reported.trend,
    )


def test_its_change_is_that_of_cash_on_the_balance_sheet() -> None:
    change = line_of(statement(AOBA, MAY, INDIRECT), "net_cash_change")
    cash = line_of(statement(AOBA, MAY, StatementKind.BALANCE_SHEET), "account:1120")
    assert change.current == (cash.current or 0) - (cash.prior or 0) == 811_000
    assert change.year_to_date == (cash.current or 0) - (cash.opening or 0) == 1_211_000


@given(batches())
@settings(max_examples=25, deadline=None)
def test_the_direct_and_the_indirect_statement_of_any_books_end_alike(
    batch: tuple[Month, list[Bookkeeping]],
) -> None:
    for reports in reports_of(extract_of(*batch)):
        direct, indirect = reports.statement(DIRECT), reports.statement(INDIRECT)
        for key in ("opening_cash", "net_cash_change", "closing_cash"):
            assert line_of(indirect, key) == line_of(direct, key)


PROFIT, OTHER = "profit_before_tax_in_cash_flow", "change_in_other_assets_and_liabilities"
RECEIVED, PAID = "interest_and_dividends_received", "interest_paid"
TAXES, SHARES, DIVIDENDS = "income_taxes_paid", "issuance_of_shares", "dividends_paid"
INVESTMENTS = "investments_and_other_assets_in_cash_flow"


def moved_from_profit(excluded: str, to: str) -> dict[str, int]:
    """In the profit, taken out of it, and where it belongs."""
    return {PROFIT: 1_000, excluded: -1_000, to: 1_000}


# What 1,000 received for an account of each class are in the statement.
PLACES: dict[Class, dict[str, int]] = {
    Class.TRADE_RECEIVABLES: {"change_in_trade_receivables": 1_000},
    Class.INVENTORIES: {"change_in_inventories": 1_000},
    Class.SHORT_TERM_INVESTMENTS: {"short_term_investments_in_cash_flow": 1_000},
    Class.INCOME_TAXES_RECEIVABLE: {TAXES: 1_000},
    Class.OTHER_CURRENT_ASSETS: {OTHER: 1_000},
    Class.ALLOWANCE_FOR_DOUBTFUL_ACCOUNTS: {"change_in_allowance_for_doubtful_accounts": 1_000},
    Class.PROPERTY_PLANT_EQUIPMENT: {"fixed_assets": 1_000},
    Class.ACCUMULATED_DEPRECIATION: {"fixed_assets": 1_000},
    Class.INTANGIBLE_ASSETS: {"fixed_assets": 1_000},
    Class.INVESTMENTS_AND_OTHER_ASSETS: {INVESTMENTS: 1_000},
    Class.DEFERRED_TAX_ASSETS: {TAXES: 1_000},
    Class.DEFERRED_ASSETS: {"fixed_assets": 1_000},
    Class.TRADE_PAYABLES: {"change_in_trade_payables": 1_000},
    Class.SHORT_TERM_BORROWINGS: {"change_in_short_term_borrowings": 1_000},
    Class.OTHER_CURRENT_LIABILITIES: {OTHER: 1_000},
    Class.INCOME_TAXES_PAYABLE: {TAXES: 1_000},
    Class.LONG_TERM_BORROWINGS: {"change_in_long_term_borrowings": 1_000},
    Class.LEASE_OBLIGATIONS: {"repayment_of_lease_obligations": 1_000},
    Class.DEFERRED_TAX_LIABILITIES: {TAXES: 1_000},
    Class.OTHER_NONCURRENT_LIABILITIES: {OTHER: 1_000},
    Class.CAPITAL_STOCK: {SHARES: 1_000},
    Class.CAPITAL_SURPLUS: {SHARES: 1_000},
    Class.OTHER_RETAINED_EARNINGS: {DIVIDENDS: 1_000},
    Class.RETAINED_EARNINGS_BROUGHT_FORWARD: {DIVIDENDS: 1_000},
    Class.TREASURY_STOCK: {"change_in_treasury_stock": 1_000},
    Class.VALUATION_AND_TRANSLATION: {INVESTMENTS: 1_000},
    Class.SHARE_ACQUISITION_RIGHTS: {SHARES: 1_000},
    Class.NET_SALES: {PROFIT: 1_000},
    Class.SALES_DEDUCTIONS: {PROFIT: 1_000},
    Class.COST_OF_SALES: {PROFIT: 1_000},
    Class.DEPRECIATION_IN_COST_OF_SALES: moved_from_profit(
        "depreciation_and_amortization", "fixed_assets"
    ),
    Class.SELLING_GENERAL_ADMINISTRATIVE: {PROFIT: 1_000},
    Class.DEPRECIATION: moved_from_profit("depreciation_and_amortization", "fixed_assets"),
    Class.NON_OPERATING_INCOME: {PROFIT: 1_000},
    Class.INTEREST_AND_DIVIDEND_INCOME: moved_from_profit(
        "interest_and_dividend_income_excluded", RECEIVED
    ),
    Class.NON_OPERATING_EXPENSES: {PROFIT: 1_000},
    Class.INTEREST_EXPENSE: moved_from_profit("interest_expense_excluded", PAID),
    Class.AMORTIZATION_OF_DEFERRED_ASSETS: moved_from_profit(
        "depreciation_and_amortization", "fixed_assets"
    ),
    Class.EXTRAORDINARY_INCOME: {PROFIT: 1_000},
    Class.GAIN_ON_DISPOSAL_OF_ASSETS: moved_from_profit(
        "disposal_of_assets_excluded", "fixed_assets"
    ),
    Class.EXTRAORDINARY_LOSSES: {PROFIT: 1_000},
    Class.LOSS_ON_DISPOSAL_OF_ASSETS: moved_from_profit(
        "disposal_of_assets_excluded", "fixed_assets"
    ),
    Class.INCOME_TAXES: {TAXES: 1_000},
}


def test_cash_alone_has_no_place_of_its_own() -> None:
    assert set(Class) - set(PLACES) == {Class.CASH_AND_DEPOSITS}


@pytest.mark.parametrize("account_class", PLACES)
def test_each_class_of_account_has_one_place(account_class: Class) -> None:
    chart = [
        Account("cash", "現金", Class.CASH_AND_DEPOSITS),
        Account("other", "相手", account_class),
    ]
    books = replace(posting(entry("2026-05-01", {"cash": 1_000, "other": -1_000})), accounts=chart)
    cash_flow = statement(books, MAY, INDIRECT)
    places = {
        line.key: line.current
        for line in cash_flow.lines
        if line.kind == "account" and line.current
    }
    assert places == PLACES[account_class]
    assert line_of(cash_flow, "net_cash_change").current == 1_000


def test_cash_moved_between_accounts_of_cash_is_in_no_line() -> None:
    books = posting(entry("2026-05-26", {CASH: 30_000, "1120": -30_000}))
    assert {line.current for line in statement(books, MAY, INDIRECT).lines} == {None, 0}


def test_what_opening_and_closing_entries_post_is_no_flow() -> None:
    """Books that moved here within May, with the profit since April; and a year closed in May."""
    books = posting(
        entry("2026-05-01", {CASH: 700, CAPITAL: -400, SALES: -300}, EntryKind.OPENING),
        entry("2026-05-02", {CASH: 50, SALES: -50}),
        entry("2026-05-31", {SALES: 350, "3230": -350}, EntryKind.CLOSING),
    )
    cash_flow = statement(books, MAY, INDIRECT)
    shown = {line.key: line.current for line in cash_flow.lines if line.current}
    assert shown == {
        PROFIT: 50,
        "subtotal_of_operating_activities": 50,
        "total_operating_activities": 50,
        "net_cash_change": 50,
        "opening_cash": 700,
        "closing_cash": 750,
    }


def test_what_is_bought_on_credit_changes_lines_and_no_cash() -> None:
    books = posting(entry("2026-05-10", {EQUIPMENT: 200_000, "2310": -200_000}))
    cash_flow = statement(books, MAY, INDIRECT)
    shown = {line.key: line.current for line in cash_flow.lines if line.kind == "account"}
    assert {key: amount for key, amount in shown.items() if amount} == {
        OTHER: 200_000,
        "fixed_assets": -200_000,
    }
    assert line_of(cash_flow, "net_cash_change").current == 0


def test_a_company_that_never_posted_has_every_line() -> None:
    ours = statement(replace(SAKURA, entries=[]), MAY, INDIRECT)
    everyone = statement(AOBA, MAY, INDIRECT)
    assert [(line.key, line.kind, line.level) for line in ours.lines] == [
        (line.key, line.kind, line.level) for line in everyone.lines
    ]
    assert {line.current for line in ours.lines} == {None, 0}
