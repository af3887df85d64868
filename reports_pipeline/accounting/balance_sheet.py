"""The balance sheet at the end of the month (会社計算規則 第73条 to 第86条).

Closing entries are left out of the books, so the profit of each year is carried forward here:
profits of earlier fiscal years join 繰越利益剰余金, the current year's stands on its own line. The
outcome is the same whether or not a tenant posts 損益振替.
"""

from __future__ import annotations

import numpy as np

from reports_pipeline.accounting.accounts import AccountClass, Section
from reports_pipeline.accounting.books import SHOWN_MONTHS, Books, Ints
from reports_pipeline.accounting.reports import LineKind, StatementKind
from reports_pipeline.accounting.statement_layout import (
    CLASS_SLOTS,
    AccountLines,
    Line,
    SlotAmounts,
    StatementSpec,
    amounts_of,
    section,
    terms,
)

_EARLIER_PROFIT = "profit_of_earlier_years"
_YEARS_PROFIT = "profit_of_the_year"
_SLOTS = (*CLASS_SLOTS, _EARLIER_PROFIT, _YEARS_PROFIT)


def _amounts(books: Books) -> list[SlotAmounts]:
    """Opening entries count as balances at the start of the year they are dated in (erpnext
    52616), those on income statement accounts as profit that the year had already made."""
    standing = np.flatnonzero(~books.in_income_statement)
    classes = books.account_class[standing]
    at_year_start = books.balances_before_year(standing)[:, -1] + _opened(books, standing)
    standing_amounts = amounts_of(books.balances[standing, -SHOWN_MONTHS:], opening=at_year_start)

    flows = np.flatnonzero(books.in_income_statement)
    earlier = books.balances_before_year(flows)
    of_year = books.balances[flows, -SHOWN_MONTHS:] - earlier
    return [
        SlotAmounts(
            classes, standing, standing_amounts * books.sides[standing, np.newaxis], rank=classes
        ),
        SlotAmounts(
            _SLOTS.index(_EARLIER_PROFIT), flows, -amounts_of(earlier, opening=earlier[:, -1])
        ),
        SlotAmounts(
            _SLOTS.index(_YEARS_PROFIT),
            flows,
            -amounts_of(of_year, opening=_opened(books, flows)),
        ),
    ]


def _opened(books: Books, accounts: Ints) -> Ints:
    """[k] what opening entries of the fiscal year brought."""
    return books.since_year_start(books.openings[accounts], accounts)


_NONCURRENT_ASSETS = terms(
    Section.PROPERTY_PLANT_EQUIPMENT,
    Section.INTANGIBLE_ASSETS,
    Section.INVESTMENTS_AND_OTHER_ASSETS,
)
_ASSETS = terms(Section.CURRENT_ASSETS) | _NONCURRENT_ASSETS | terms(Section.DEFERRED_ASSETS)
_LIABILITIES = terms(Section.CURRENT_LIABILITIES, Section.NONCURRENT_LIABILITIES)
_BROUGHT_FORWARD = {AccountClass.RETAINED_EARNINGS_BROUGHT_FORWARD: 1, _EARLIER_PROFIT: 1}
_YEARS = {_YEARS_PROFIT: 1}
_RETAINED = {AccountClass.OTHER_RETAINED_EARNINGS: 1} | _BROUGHT_FORWARD | _YEARS
_SHAREHOLDERS = terms(Section.SHAREHOLDERS_EQUITY) | _RETAINED
_NET_ASSETS = _SHAREHOLDERS | terms(
    Section.VALUATION_AND_TRANSLATION, Section.SHARE_ACQUISITION_RIGHTS
)

BALANCE_SHEET = StatementSpec(
    kind=StatementKind.BALANCE_SHEET,
    columns=frozenset({"current", "prior", "prior_year", "opening"}),
    slots=_SLOTS,
    amounts=_amounts,
    lines=(
        Line("assets", LineKind.HEADING, 0, _ASSETS, always=True),
        *section(Section.CURRENT_ASSETS, 1, always=True),
        Line("noncurrent_assets", LineKind.HEADING, 1, _NONCURRENT_ASSETS),
        *section(Section.PROPERTY_PLANT_EQUIPMENT, 2),
        *section(Section.INTANGIBLE_ASSETS, 2),
        *section(Section.INVESTMENTS_AND_OTHER_ASSETS, 2),
        Line("total_noncurrent_assets", LineKind.SUBTOTAL, 1, _NONCURRENT_ASSETS),
        *section(Section.DEFERRED_ASSETS, 1),
        Line("total_assets", LineKind.TOTAL, 0, _ASSETS, always=True),
        Line("liabilities", LineKind.HEADING, 0, _LIABILITIES, always=True),
        *section(Section.CURRENT_LIABILITIES, 1, always=True),
        *section(Section.NONCURRENT_LIABILITIES, 1),
        Line("total_liabilities", LineKind.TOTAL, 0, _LIABILITIES, always=True),
        Line("net_assets", LineKind.HEADING, 0, _NET_ASSETS, always=True),
        Line("shareholders_equity", LineKind.HEADING, 1, _SHAREHOLDERS, always=True),
        AccountLines((AccountClass.CAPITAL_STOCK, AccountClass.CAPITAL_SURPLUS), 2),
        Line("retained_earnings", LineKind.HEADING, 2, _RETAINED, always=True),
        AccountLines((AccountClass.OTHER_RETAINED_EARNINGS,), 3),
        Line(
            "retained_earnings_brought_forward", LineKind.ACCOUNT, 3, _BROUGHT_FORWARD, always=True
        ),
        Line("net_profit_for_year", LineKind.ACCOUNT, 3, _YEARS, always=True),
        Line("total_retained_earnings", LineKind.SUBTOTAL, 2, _RETAINED, always=True),
        AccountLines((AccountClass.TREASURY_STOCK,), 2),
        Line("total_shareholders_equity", LineKind.SUBTOTAL, 1, _SHAREHOLDERS, always=True),
        *section(Section.VALUATION_AND_TRANSLATION, 1),
        *section(Section.SHARE_ACQUISITION_RIGHTS, 1),
        Line("total_net_assets", LineKind.TOTAL, 0, _NET_ASSETS, always=True),
        Line(
            "total_liabilities_and_net_assets",
            LineKind.TOTAL,
            0,
            _LIABILITIES | _NET_ASSETS,
            always=True,
        ),
    ),
)
