"""The classes of accounts: all that statements know of a tenant's chart of accounts.

A tenant has codes and names of its own; each of its accounts belongs to one class, and the class
decides the statement, the section, the side, and the line of the indirect cash flow. Order here is
the order of the balance sheet (会社計算規則 第73条 to 第86条); the income statement (第88条 to
第94条) orders the accounts of a section by their codes.
"""

from __future__ import annotations

from enum import Enum, StrEnum


class Side(Enum):
    """The side on which an account normally has its balance; the value is the sign of
    (debit - credit) that prints as a positive amount."""

    DEBIT = 1
    CREDIT = -1


class Section(StrEnum):
    """A part of a statement that has a subtotal of its own."""

    CURRENT_ASSETS = "current_assets"
    PROPERTY_PLANT_EQUIPMENT = "property_plant_equipment"
    INTANGIBLE_ASSETS = "intangible_assets"
    INVESTMENTS_AND_OTHER_ASSETS = "investments_and_other_assets"
    DEFERRED_ASSETS = "deferred_assets"
    CURRENT_LIABILITIES = "current_liabilities"
    NONCURRENT_LIABILITIES = "noncurrent_liabilities"
    SHAREHOLDERS_EQUITY = "shareholders_equity"
    VALUATION_AND_TRANSLATION = "valuation_and_translation"
    SHARE_ACQUISITION_RIGHTS = "share_acquisition_rights"
    NET_SALES = "net_sales"
    COST_OF_SALES = "cost_of_sales"
    SELLING_GENERAL_ADMINISTRATIVE = "selling_general_administrative"
    NON_OPERATING_INCOME = "non_operating_income"
    NON_OPERATING_EXPENSES = "non_operating_expenses"
    EXTRAORDINARY_INCOME = "extraordinary_income"
    EXTRAORDINARY_LOSSES = "extraordinary_losses"
    INCOME_TAXES = "income_taxes"

    @property
    def side(self) -> Side:
        """The side of the section; a contra account prints with its section's sign, as △."""
        return _SECTION_SIDES[self]

    @property
    def in_income_statement(self) -> bool:
        return self in _INCOME_STATEMENT_SECTIONS


_CREDIT_SECTIONS = {
    Section.CURRENT_LIABILITIES,
    Section.NONCURRENT_LIABILITIES,
    Section.SHAREHOLDERS_EQUITY,
    Section.VALUATION_AND_TRANSLATION,
    Section.SHARE_ACQUISITION_RIGHTS,
    Section.NET_SALES,
    Section.NON_OPERATING_INCOME,
    Section.EXTRAORDINARY_INCOME,
}
_SECTION_SIDES = {
    section: Side.CREDIT if section in _CREDIT_SECTIONS else Side.DEBIT for section in Section
}
_INCOME_STATEMENT_SECTIONS = {
    Section.NET_SALES,
    Section.COST_OF_SALES,
    Section.SELLING_GENERAL_ADMINISTRATIVE,
    Section.NON_OPERATING_INCOME,
    Section.NON_OPERATING_EXPENSES,
    Section.EXTRAORDINARY_INCOME,
    Section.EXTRAORDINARY_LOSSES,
    Section.INCOME_TAXES,
}


class AccountClass(StrEnum):
    """What an account is, as stored in `ledger.accounts.account_class`."""

    CASH_AND_DEPOSITS = "cash_and_deposits"
    TRADE_RECEIVABLES = "trade_receivables"
    INVENTORIES = "inventories"
    SHORT_TERM_INVESTMENTS = "short_term_investments"
    INCOME_TAXES_RECEIVABLE = "income_taxes_receivable"
    OTHER_CURRENT_ASSETS = "other_current_assets"
    ALLOWANCE_FOR_DOUBTFUL_ACCOUNTS = "allowance_for_doubtful_accounts"
    PROPERTY_PLANT_EQUIPMENT = "property_plant_equipment"
    ACCUMULATED_DEPRECIATION = "accumulated_depreciation"
    INTANGIBLE_ASSETS = "intangible_assets"
    INVESTMENTS_AND_OTHER_ASSETS = "investments_and_other_assets"
    DEFERRED_TAX_ASSETS = "deferred_tax_assets"
    DEFERRED_ASSETS = "deferred_assets"
    TRADE_PAYABLES = "trade_payables"
    SHORT_TERM_BORROWINGS = "short_term_borrowings"
    OTHER_CURRENT_LIABILITIES = "other_current_liabilities"
    INCOME_TAXES_PAYABLE = "income_taxes_payable"
    LONG_TERM_BORROWINGS = "long_term_borrowings"
    LEASE_OBLIGATIONS = "lease_obligations"
    DEFERRED_TAX_LIABILITIES = "deferred_tax_liabilities"
    OTHER_NONCURRENT_LIABILITIES = "other_noncurrent_liabilities"
    CAPITAL_STOCK = "capital_stock"
    CAPITAL_SURPLUS = "capital_surplus"
    OTHER_RETAINED_EARNINGS = "other_retained_earnings"
    RETAINED_EARNINGS_BROUGHT_FORWARD = "retained_earnings_brought_forward"
    TREASURY_STOCK = "treasury_stock"
    VALUATION_AND_TRANSLATION = "valuation_and_translation"
    SHARE_ACQUISITION_RIGHTS = "share_acquisition_rights"
    NET_SALES = "net_sales"
    SALES_DEDUCTIONS = "sales_deductions"
    COST_OF_SALES = "cost_of_sales"
    DEPRECIATION_IN_COST_OF_SALES = "depreciation_in_cost_of_sales"
    SELLING_GENERAL_ADMINISTRATIVE = "selling_general_administrative"
    DEPRECIATION = "depreciation"
    NON_OPERATING_INCOME = "non_operating_income"
    INTEREST_AND_DIVIDEND_INCOME = "interest_and_dividend_income"
    NON_OPERATING_EXPENSES = "non_operating_expenses"
    INTEREST_EXPENSE = "interest_expense"
    AMORTIZATION_OF_DEFERRED_ASSETS = "amortization_of_deferred_assets"
    EXTRAORDINARY_INCOME = "extraordinary_income"
    GAIN_ON_DISPOSAL_OF_ASSETS = "gain_on_disposal_of_assets"
    EXTRAORDINARY_LOSSES = "extraordinary_losses"
    LOSS_ON_DISPOSAL_OF_ASSETS = "loss_on_disposal_of_assets"
    INCOME_TAXES = "income_taxes"

    @property
    def section(self) -> Section:
        return _CLASS_SECTIONS[self]


_CLASS_SECTIONS = {
    AccountClass.CASH_AND_DEPOSITS: Section.CURRENT_ASSETS,
    AccountClass.TRADE_RECEIVABLES: Section.CURRENT_ASSETS,
    AccountClass.INVENTORIES: Section.CURRENT_ASSETS,
    AccountClass.SHORT_TERM_INVESTMENTS: Section.CURRENT_ASSETS,
    AccountClass.INCOME_TAXES_RECEIVABLE: Section.CURRENT_ASSETS,
    AccountClass.OTHER_CURRENT_ASSETS: Section.CURRENT_ASSETS,
    AccountClass.ALLOWANCE_FOR_DOUBTFUL_ACCOUNTS: Section.CURRENT_ASSETS,
    AccountClass.PROPERTY_PLANT_EQUIPMENT: Section.PROPERTY_PLANT_EQUIPMENT,
    AccountClass.ACCUMULATED_DEPRECIATION: Section.PROPERTY_PLANT_EQUIPMENT,
    AccountClass.INTANGIBLE_ASSETS: Section.INTANGIBLE_ASSETS,
    AccountClass.INVESTMENTS_AND_OTHER_ASSETS: Section.INVESTMENTS_AND_OTHER_ASSETS,
    AccountClass.DEFERRED_TAX_ASSETS: Section.INVESTMENTS_AND_OTHER_ASSETS,
    AccountClass.DEFERRED_ASSETS: Section.DEFERRED_ASSETS,
    AccountClass.TRADE_PAYABLES: Section.CURRENT_LIABILITIES,
    AccountClass.SHORT_TERM_BORROWINGS: Section.CURRENT_LIABILITIES,
    AccountClass.OTHER_CURRENT_LIABILITIES: Section.CURRENT_LIABILITIES,
    AccountClass.INCOME_TAXES_PAYABLE: Section.CURRENT_LIABILITIES,
    AccountClass.LONG_TERM_BORROWINGS: Section.NONCURRENT_LIABILITIES,
    AccountClass.LEASE_OBLIGATIONS: Section.NONCURRENT_LIABILITIES,
    AccountClass.DEFERRED_TAX_LIABILITIES: Section.NONCURRENT_LIABILITIES,
    AccountClass.OTHER_NONCURRENT_LIABILITIES: Section.NONCURRENT_LIABILITIES,
    AccountClass.CAPITAL_STOCK: Section.SHAREHOLDERS_EQUITY,
    AccountClass.CAPITAL_SURPLUS: Section.SHAREHOLDERS_EQUITY,
    AccountClass.OTHER_RETAINED_EARNINGS: Section.SHAREHOLDERS_EQUITY,
    AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD: Section.SHAREHOLDERS_EQUITY,
    AccountClass.TREASURY_STOCK: Section.SHAREHOLDERS_EQUITY,
    AccountClass.VALUATION_AND_TRANSLATION: Section.VALUATION_AND_TRANSLATION,
    AccountClass.SHARE_ACQUISITION_RIGHTS: Section.SHARE_ACQUISITION_RIGHTS,
    AccountClass.NET_SALES: Section.NET_SALES,
    AccountClass.SALES_DEDUCTIONS: Section.NET_SALES,
    AccountClass.COST_OF_SALES: Section.COST_OF_SALES,
    AccountClass.DEPRECIATION_IN_COST_OF_SALES: Section.COST_OF_SALES,
    AccountClass.SELLING_GENERAL_ADMINISTRATIVE: Section.SELLING_GENERAL_ADMINISTRATIVE,
    AccountClass.DEPRECIATION: Section.SELLING_GENERAL_ADMINISTRATIVE,
    AccountClass.NON_OPERATING_INCOME: Section.NON_OPERATING_INCOME,
    AccountClass.INTEREST_AND_DIVIDEND_INCOME: Section.NON_OPERATING_INCOME,
    AccountClass.NON_OPERATING_EXPENSES: Section.NON_OPERATING_EXPENSES,
    AccountClass.INTEREST_EXPENSE: Section.NON_OPERATING_EXPENSES,
    AccountClass.AMORTIZATION_OF_DEFERRED_ASSETS: Section.NON_OPERATING_EXPENSES,
    AccountClass.EXTRAORDINARY_INCOME: Section.EXTRAORDINARY_INCOME,
    AccountClass.GAIN_ON_DISPOSAL_OF_ASSETS: Section.EXTRAORDINARY_INCOME,
    AccountClass.EXTRAORDINARY_LOSSES: Section.EXTRAORDINARY_LOSSES,
    AccountClass.LOSS_ON_DISPOSAL_OF_ASSETS: Section.EXTRAORDINARY_LOSSES,
    AccountClass.INCOME_TAXES: Section.INCOME_TAXES,
}

INCOME_STATEMENT = frozenset(c for c in AccountClass if c.section.in_income_statement)
# 利益剰余金, of which 損益振替 makes the year's profit a part.
RETAINED_EARNINGS = frozenset(
    {AccountClass.OTHER_RETAINED_EARNINGS, AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD}
)
# Contra accounts, whose balance is normally on the other side than their section's.
CONTRA_CLASSES = frozenset(
    {
        AccountClass.ALLOWANCE_FOR_DOUBTFUL_ACCOUNTS,
        AccountClass.ACCUMULATED_DEPRECIATION,
        AccountClass.TREASURY_STOCK,
        AccountClass.SALES_DEDUCTIONS,
    }
)
# An account is one of these in all months or in none: the balances of every month are kept by what
# met them in an entry.
CLASSES_OF_ALL_MONTHS = RETAINED_EARNINGS | {AccountClass.CASH_AND_DEPOSITS}
