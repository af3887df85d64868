"""The cash flow by the indirect method: from the profit before tax to the change of cash.

The form is 様式2 of 連結キャッシュ・フロー計算書等の作成基準注解 (注7), with interest and dividends
among operating activities (第二の二の3①). An account moves cash by what it is credited less what it
is debited in normal entries, as if each of them had cash on its other side: what entries move
between other accounts cancels out. Opening entries bring balances into the books and move no cash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.books import SHOWN_MONTHS, Books
from reports_pipeline.accounting.cash_flow import (
    CASH_SLOTS,
    CLOSING_CASH,
    OPENING_CASH,
    cash_amounts,
)
from reports_pipeline.accounting.reports import LineKind, StatementKind
from reports_pipeline.accounting.statement_layout import (
    CLASS_SLOTS,
    Line,
    SlotAmounts,
    StatementSpec,
    Terms,
    amounts_of,
)

_SLOTS = (*CLASS_SLOTS, *CASH_SLOTS)


def _amounts(books: Books) -> list[SlotAmounts]:
    accounts = np.arange(len(books.tenant))
    monthly = books.openings - books.movements[:, -SHOWN_MONTHS:]
    amounts = amounts_of(monthly, year_to_date=books.since_year_start(monthly, accounts))
    return [
        SlotAmounts(books.account_class, accounts, amounts),
        *cash_amounts(books, _SLOTS),
    ]


def _always(key: str, kind: LineKind, level: int, terms: Terms) -> Line:
    return Line(key, kind, level, terms, always=True)


def _line(key: str, *classes: AccountClass, sign: int = 1) -> Line:
    return _always(key, LineKind.ACCOUNT, 1, dict.fromkeys(map(str, classes), sign))


_DEPRECIATION = (
    AccountClass.DEPRECIATION,
    AccountClass.DEPRECIATION_IN_COST_OF_SALES,
    AccountClass.AMORTIZATION_OF_DEFERRED_ASSETS,
)
_DISPOSALS = (AccountClass.GAIN_ON_DISPOSAL_OF_ASSETS, AccountClass.LOSS_ON_DISPOSAL_OF_ASSETS)

_BEFORE_SUBTOTAL = (
    _line(
        "profit_before_tax_in_cash_flow",
        *(
            account_class
            for account_class in AccountClass
            if account_class.section.in_income_statement
            and account_class is not AccountClass.INCOME_TAXES
        ),
    ),
    _line("depreciation_and_amortization", *_DEPRECIATION, sign=-1),
    _line(
        "change_in_allowance_for_doubtful_accounts", AccountClass.ALLOWANCE_FOR_DOUBTFUL_ACCOUNTS
    ),
    _line(
        "interest_and_dividend_income_excluded", AccountClass.INTEREST_AND_DIVIDEND_INCOME, sign=-1
    ),
    _line("interest_expense_excluded", AccountClass.INTEREST_EXPENSE, sign=-1),
    _line("disposal_of_assets_excluded", *_DISPOSALS, sign=-1),
    _line("change_in_trade_receivables", AccountClass.TRADE_RECEIVABLES),
    _line("change_in_inventories", AccountClass.INVENTORIES),
    _line("change_in_trade_payables", AccountClass.TRADE_PAYABLES),
    _line(
        "change_in_other_assets_and_liabilities",
        AccountClass.OTHER_CURRENT_ASSETS,
        AccountClass.OTHER_CURRENT_LIABILITIES,
        AccountClass.OTHER_NONCURRENT_LIABILITIES,
    ),
)
_AFTER_SUBTOTAL = (
    _line("interest_and_dividends_received", AccountClass.INTEREST_AND_DIVIDEND_INCOME),
    _line("interest_paid", AccountClass.INTEREST_EXPENSE),
    _line(
        "income_taxes_paid",
        AccountClass.INCOME_TAXES,
        AccountClass.INCOME_TAXES_PAYABLE,
        AccountClass.INCOME_TAXES_RECEIVABLE,
        AccountClass.DEFERRED_TAX_ASSETS,
        AccountClass.DEFERRED_TAX_LIABILITIES,
    ),
)
_INVESTING = (
    _line(
        "fixed_assets",
        AccountClass.PROPERTY_PLANT_EQUIPMENT,
        AccountClass.ACCUMULATED_DEPRECIATION,
        AccountClass.INTANGIBLE_ASSETS,
        AccountClass.DEFERRED_ASSETS,
        *_DEPRECIATION,
        *_DISPOSALS,
    ),
    _line("short_term_investments_in_cash_flow", AccountClass.SHORT_TERM_INVESTMENTS),
    _line(
        "investments_and_other_assets_in_cash_flow",
        AccountClass.INVESTMENTS_AND_OTHER_ASSETS,
        AccountClass.VALUATION_AND_TRANSLATION,
    ),
)
_FINANCING = (
    _line("change_in_short_term_borrowings", AccountClass.SHORT_TERM_BORROWINGS),
    _line("change_in_long_term_borrowings", AccountClass.LONG_TERM_BORROWINGS),
    _line("repayment_of_lease_obligations", AccountClass.LEASE_OBLIGATIONS),
    _line(
        "issuance_of_shares",
        AccountClass.CAPITAL_STOCK,
        AccountClass.CAPITAL_SURPLUS,
        AccountClass.SHARE_ACQUISITION_RIGHTS,
    ),
    _line("change_in_treasury_stock", AccountClass.TREASURY_STOCK),
    _line(
        "dividends_paid",
        AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD,
        AccountClass.OTHER_RETAINED_EARNINGS,
    ),
)
ACTIVITY_LINES = (*_BEFORE_SUBTOTAL, *_AFTER_SUBTOTAL, *_INVESTING, *_FINANCING)


def added_up(lines: Iterable[Line]) -> Terms:
    """The terms of the sum of lines."""
    terms: Counter[str] = Counter()
    for line in lines:
        terms.update(line.terms)
    return {slot: sign for slot, sign in terms.items() if sign}


def net_cash_change(lines: Iterable[Line]) -> Terms:
    """The terms of all activities together.

    Raises:
        ValueError: a class other than cash has no place in them or more than one, or cash has.
    """
    terms = added_up(lines)
    misplaced = [
        account_class
        for account_class in AccountClass
        if terms.get(account_class, 0) != int(account_class is not AccountClass.CASH_AND_DEPOSITS)
    ]
    if misplaced:
        raise ValueError(f"not once in the cash flow: {', '.join(misplaced)}")
    return terms


_OPERATING = added_up([*_BEFORE_SUBTOTAL, *_AFTER_SUBTOTAL])

INDIRECT_CASH_FLOW = StatementSpec(
    kind=StatementKind.INDIRECT_CASH_FLOW,
    columns=frozenset({"current", "prior", "prior_year", "year_to_date"}),
    slots=_SLOTS,
    amounts=_amounts,
    lines=(
        _always("operating_activities", LineKind.HEADING, 0, _OPERATING),
        *_BEFORE_SUBTOTAL,
        _always(
            "subtotal_of_operating_activities", LineKind.SUBTOTAL, 1, added_up(_BEFORE_SUBTOTAL)
        ),
        *_AFTER_SUBTOTAL,
        _always("total_operating_activities", LineKind.SUBTOTAL, 0, _OPERATING),
        _always("investing_activities", LineKind.HEADING, 0, added_up(_INVESTING)),
        *_INVESTING,
        _always("total_investing_activities", LineKind.SUBTOTAL, 0, added_up(_INVESTING)),
        _always("financing_activities", LineKind.HEADING, 0, added_up(_FINANCING)),
        *_FINANCING,
        _always("total_financing_activities", LineKind.SUBTOTAL, 0, added_up(_FINANCING)),
        _always("net_cash_change", LineKind.TOTAL, 0, net_cash_change(ACTIVITY_LINES)),
        OPENING_CASH,
        CLOSING_CASH,
    ),
)
